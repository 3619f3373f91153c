"""What `import bakeoff` offers programs and notebooks: the command line's own path, without its printing."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.between_runs.comparing import compare_engines, compare_runs
from bakeoff.judge.results import Results
from bakeoff.judge.tuning.found import Tuned
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.race import start
from bakeoff.race.stored import scorecards
from bakeoff.race.tuning.tuning import tune as search_and_confirm
from bakeoff.records import INDIFFERENCE, Limits, Request, RunRecord, Scalar, Summary, Trial, Verdict
from bakeoff.report import comparison, export, flat, markdown, notes, terminal, tuning
from bakeoff.scorecards import Compared, ComparisonReport, Scorecard
from bakeoff.store import Store, check_tag, opened
from bakeoff.views.racing import Silence, watching

if TYPE_CHECKING:
    import polars as pl

StrPath = str | PathLike[str]
Names = StrPath | Iterable[StrPath]
Kind = Literal["summary", "trials", "latencies"]

DEFAULT_OUTPUT = "results"
WIDTH = 120
"""columns of a text table"""
SEVERAL = ("models", "engines", "exclude", "batch_axis", "engines_dirs")
PATHS = ("inputs", "data", "python", "requirements")
"""fields of a `Request` that one name may stand for, and that a path may"""


class Run:
    """A race and what came of it: its rows, its verdicts, and every trial with all its latencies.

    `race` makes one and `stored` opens one. A notebook shows it as its table.
    """

    def __init__(self, results: Results) -> None:
        self._results = results

    @property
    def record(self) -> RunRecord:
        """What was raced, where, and with which settings."""
        return self._results.run

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial, the canary's and those that failed included."""
        return self._results.trials

    @property
    def name(self) -> str:
        """Its name in the store: "2026-11-23-1"."""
        return self.record.name

    @property
    def state(self) -> str:
        """One of "finished", "interrupted" and "running": what was measured is there in each."""
        return self.record.state

    @property
    def cases(self) -> tuple[Summary, ...]:
        """A row per case, in the order of the plan, whether it could be measured or not."""
        return self._results.rows

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Per model and batch size: who leads, and how everybody else stands against it."""
        return self._results.verdicts

    def table(self, *, width: int = WIDTH) -> str:
        """The table and all that stands beneath it, as `bakeoff show` prints them, `width` columns wide."""
        return terminal.to_text(self._results, width=width)

    def answer(self) -> str:
        """A sentence for each model: what to use, what is as good, and how far the rest lies behind."""
        return "\n".join(notes.answer_lines(self._results))

    def verdict(self) -> str:
        """A sentence for each model and batch size: who is faster, who is equivalent, and what is undecided."""
        return "\n".join(notes.verdict_lines(self._results))

    def frame(self, kind: Kind = "summary") -> "pl.DataFrame":
        """The run as a polars data frame: a row per case ("summary"), per trial ("trials") or per call ("latencies").

        The columns are those of `bakeoff export`. Raises `UsageError` without polars, and for another `kind`.
        """
        if kind not in flat.KINDS:
            raise UsageError(f"no table is called {kind!r}: {', '.join(flat.KINDS)}")
        return export.frame(flat.KINDS[kind](self._results))

    def compare(self, before: str, after: str) -> "Comparison":
        """Two engines of this run, or its releases "2019" and "today", paired by round. Raises `UsageError`."""
        return Comparison(compare_engines(self._results.scorecard, before, after))

    def __repr__(self) -> str:
        """In one line."""
        plan = self.record.plan
        return f"<Run {self.name}, {self.state}: {len(plan.contenders)} engines on {', '.join(plan.models)}>"

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return markdown.to_markdown(self._results)


class Comparison:
    """What became faster or slower between two runs, or two engines of one. A notebook shows it as its table."""

    def __init__(self, report: ComparisonReport) -> None:
        self.report = report
        """everything that was found"""

    @property
    def cases(self) -> tuple[Compared, ...]:
        """Case by case: the ratio of throughputs, its 95% interval, and the change that it shows."""
        return self.report.cases

    @property
    def refused(self) -> tuple[str, ...]:
        """Cases that are not like with like, and why."""
        return self.report.refused

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs besides: machines, threads, versions, settings."""
        return self.report.notes

    def table(self, *, width: int = WIDTH) -> str:
        """As `bakeoff compare` prints it."""
        return comparison.to_text(self.report, width=width)

    def __repr__(self) -> str:
        """In one line."""
        return f"<Comparison of {self.report.before} with {self.report.after}: {len(self.cases)} cases>"

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return comparison.to_markdown(self.report)


class Tuning:
    """With which settings to run a model, and what they gain. A notebook shows it as its tables."""

    def __init__(self, said: Tuned | None, run: Run) -> None:
        self.said = said
        """everything that was confirmed; None where an interruption left nothing"""
        self.run = run
        """the run that confirmed it, or else the last of the search"""

    def answer(self) -> str:
        """What to use, in one sentence."""
        return self.said.sentence if self.said else "nothing is confirmed"

    def table(self, *, width: int = WIDTH) -> str:
        """As `bakeoff tune` prints it."""
        return tuning.to_text(self.said, width=width) if self.said else self.answer()

    def __repr__(self) -> str:
        """In one line."""
        return f"<Tuning: {self.answer()}>"

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return tuning.to_markdown(self.said) if self.said else self.answer()


def race(
    models: Names = (),
    engines: Names = (),
    *,
    exclude: Names = (),
    release: Literal["today", "2019", "all"] | None = None,
    batch_sizes: Sequence[int] = (),
    threads: int | None = None,
    settings: Mapping[str, Scalar | Sequence[Scalar]] | None = None,
    weights: str = "seeded",
    rounds: int | None = None,
    budget_s: float | None = None,
    indifference: float = INDIFFERENCE,
    target_ci: float | None = None,
    timeout_s: float = 300.0,
    seed: int = 0,
    quick: bool = False,
    profile: bool | None = None,
    scenario: Literal["latency", "offline", "server"] = "latency",
    latency_bound_s: float | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    batch_axis: Names = (),
    inputs: StrPath | None = None,
    data: StrPath | None = None,
    python: StrPath | None = None,
    requirements: StrPath | None = None,
    strict: bool = False,
    tags: Names = (),
    output: StrPath = DEFAULT_OUTPUT,
    store: str | None = None,
    engines_dirs: Names = (),
    progress: bool = True,
) -> Run:
    """Race `engines` on `models` and return the run; every trial is stored as it ends.

    Arguments that are not given take the defaults of `bakeoff run`, whose options have the same names. `models` are
    built-in networks, paths of model files or package.module:factory, `engines` names, frameworks, groups or globs.
    `budget_s`, `timeout_s` and `latency_bound_s` are in seconds, `indifference` and `target_ci` are shares (0.02 is
    2%). `settings` are values of knobs by ENGINE.KNOB, one or several: ``{"onnxruntime.spin": False, "*.threads":
    [1, 2]}`` races each combination. For models of your own, `shapes` gives sizes by the name of an input or an
    axis, `inputs` an .npz of real inputs; `python` is the interpreter that builds what a factory returns, or
    `requirements` a file of what it needs besides PyTorch. `data` is a folder of labelled pictures, which tell the
    accuracy of built-in networks with trained `weights`. `store` is the address of a team's store, instead of the
    one in the folder `output`.
    `progress` shows on stderr, or beneath a notebook's cell, how the race goes; nothing is drawn while an engine is
    timed.

    An engine that fails is a row with its reason, no exception. An interruption (Ctrl-C, a notebook's stop button) ends
    the race early: the run is then "interrupted", and holds what was measured. Trials that neither the store nor the
    disk can take are in the returned run and nowhere else, and a warning says so.

    Raises `UsageError` for what cannot be meant, `ModelError` for a network that cannot be raced, `EngineFolderError`
    for a wrong engine.toml, `StoreError` if the store cannot be used, and with `strict` `NotFitError` if the machine is
    not fit to measure on.
    """
    request = _request(
        models=models,
        engines=engines,
        exclude=exclude,
        release=release,
        batch_sizes=tuple(batch_sizes),
        threads=threads,
        settings=settings,
        weights=weights,
        rounds=rounds,
        budget_s=budget_s,
        indifference=indifference,
        target_ci=target_ci,
        timeout_s=timeout_s,
        seed=seed,
        quick=quick,
        profile=profile,
        scenario=scenario,
        latency_bound_s=latency_bound_s,
        shapes=shapes,
        batch_axis=batch_axis,
        inputs=inputs,
        data=data,
        python=python,
        requirements=requirements,
        engines_dirs=engines_dirs,
        tags=tags,
        strict=strict,
    )
    catalogue = Catalogue.load(map(Path, request.engines_dirs))
    plan = make_plan(request, catalogue, this_machine())
    view = watching() if progress else nullcontext(Silence())
    with view as observer, opened(Path(output), store, observer.note) as opened_store:
        outcome = start(plan, catalogue, opened_store, Path(output), observer)
    if outcome.unsaved:
        warnings.warn(f"{outcome.unsaved} trials of run {outcome.results.run.name} could not be stored", stacklevel=2)
    return Run(outcome.results)


def tune(
    model: StrPath,
    engines: Names = (),
    *,
    exclude: Names = (),
    objective: Literal["latency", "throughput"] = "latency",
    batch: int | None = None,
    threads: int | None = None,
    settings: Mapping[str, Scalar | Sequence[Scalar]] | None = None,
    memory_mb: float | None = None,
    start_s: float | None = None,
    latency_s: float | None = None,
    budget_s: float | None = None,
    rounds: int | None = None,
    indifference: float = INDIFFERENCE,
    weights: str = "seeded",
    shapes: Mapping[str, Sequence[int]] | None = None,
    batch_axis: Names = (),
    inputs: StrPath | None = None,
    python: StrPath | None = None,
    requirements: StrPath | None = None,
    timeout_s: float = 300.0,
    seed: int = 0,
    strict: bool = False,
    tags: Names = (),
    output: StrPath = DEFAULT_OUTPUT,
    store: str | None = None,
    engines_dirs: Names = (),
    progress: bool = True,
) -> Tuning:
    """Search the settings of `engines` on `model`, race the best few again, and say what they gain over the defaults.

    Arguments are those of `race`, and the options of `bakeoff tune`. `settings` are all that is searched of the engines
    that they name. `memory_mb`, `start_s` and `latency_s` are what an answer must hold: peak memory of a worker, time
    from a fresh process to its first answer, mean latency. `rounds` are those of the confirmation, at most.

    Raises as `race` does, and `UsageError` for a space of more than 60 points without Optuna (bakeoff[tune]).
    """
    request = _request(
        models=model,
        engines=engines,
        exclude=exclude,
        batch_sizes=(batch,) if batch else (),
        threads=threads,
        settings=settings,
        weights=weights,
        rounds=rounds,
        budget_s=budget_s,
        indifference=indifference,
        timeout_s=timeout_s,
        seed=seed,
        shapes=shapes,
        batch_axis=batch_axis,
        inputs=inputs,
        python=python,
        requirements=requirements,
        engines_dirs=engines_dirs,
        tags=tags,
        strict=strict,
    )
    limits = Limits(memory_mb=memory_mb, start_s=start_s, latency_s=latency_s)
    catalogue = Catalogue.load(map(Path, request.engines_dirs))
    view = watching() if progress else nullcontext(Silence())
    with view as observer, opened(Path(output), store, observer.note) as opened_store:
        found = search_and_confirm(
            request, objective, limits, catalogue, this_machine(), opened_store, Path(output), observer
        )
    return Tuning(found.said, Run(found.outcome.results))


def stored(
    run: str = "latest",
    *,
    indifference: float | None = None,
    output: StrPath = DEFAULT_OUTPUT,
    store: str | None = None,
) -> Run:
    """Open a run of the store in the folder `output`, or at the address `store`.

    `run` is its name, "latest", "latest~1" (the one before it), a tag, or a date. `indifference` is the share within
    which contenders are equivalent, by default what was raced for. Raises `StoreError`, and `UsageError` if that was
    wider.
    """
    with _existing(output, store) as found:
        record = found.run(run)
        return Run(Results(record, found.trials(record.name), indifference))


def load(
    run: Run | str = "latest",
    kind: Kind = "summary",
    *,
    output: StrPath = DEFAULT_OUTPUT,
    store: str | None = None,
) -> "pl.DataFrame":
    """A run as a polars data frame, `Run.frame`; its `to_pandas` makes a pandas frame of it (with pandas, pyarrow).

    `run` and the rest are as for `stored`. Raises `StoreError`, and `UsageError` without polars.
    """
    return (run if isinstance(run, Run) else stored(run, output=output, store=store)).frame(kind)


def compare(
    before: Run | StrPath,
    after: Run | StrPath,
    *,
    indifference: float | None = None,
    output: StrPath = DEFAULT_OUTPUT,
    store: str | None = None,
) -> Comparison:
    """How `after`'s throughput compares with `before`'s, case by case, like with like.

    Each is a `Run`, what `stored` takes, a machine's digest (its last run), or a file: results.json or a baseline.
    `indifference` is the share within which they are equivalent, by default the wider of what they were raced for.
    Raises `UsageError` if nothing in them can be compared, or for a narrower one, and `StoreError` if there is no such
    run.
    """

    def card(given: Run | StrPath) -> Scorecard:
        if isinstance(given, Run):
            return given._results.scorecard  # noqa: SLF001 - a class of this module
        if Path(given).is_file():
            return scorecards.from_file(Path(given)).run
        with _existing(output, store) as found:
            return scorecards.of_anything(found, fspath(given))

    return Comparison(compare_runs(card(before), card(after), indifference))


@contextmanager
def _existing(output: StrPath, store: str | None) -> Iterator[Store]:
    with opened(Path(output), store, partial(click.echo, err=True), create=False) as found:
        yield found


def _request(
    *,
    tags: Names,
    settings: Mapping[str, Scalar | Sequence[Scalar]] | None,
    shapes: Mapping[str, Sequence[int]] | None,
    **asked: Any,
) -> Request:
    """What is asked for by the names of the fields of `Request`; raises `UsageError` for a tag that is none."""
    for tag in _names(tags):
        check_tag(tag)
    return Request(
        tags=_names(tags),
        settings={key: _values(values) for key, values in (settings or {}).items()},
        shapes={name: tuple(sizes) for name, sizes in (shapes or {}).items()},
        **asked
        | {name: _names(asked[name]) for name in SEVERAL}
        | {name: fspath(asked[name] or "") for name in PATHS if name in asked},
    )


def _values(asked: Scalar | Sequence[Scalar]) -> tuple[Scalar, ...]:
    """One value or several; a lone string is one."""
    return (asked,) if isinstance(asked, Scalar) else tuple(asked)


def _names(given: Names) -> tuple[str, ...]:
    """One name or several; a lone string is one."""
    return (fspath(given),) if isinstance(given, str | PathLike) else tuple(fspath(name) for name in given)
