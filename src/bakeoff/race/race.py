"""The straight line: prepare, race, summarise, report; read it from the top."""

import datetime as dt
import functools
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

import msgspec

import bakeoff
from bakeoff import paths
from bakeoff.engines import snapshot
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import LostFilesError, ModelError, StoreError, UsageError
from bakeoff.judge.between_runs.pairing import machines_differ
from bakeoff.judge.case.disturbance import repeats_help
from bakeoff.judge.case.leagues import leagues
from bakeoff.judge.results import Results
from bakeoff.judge.table import effort, stopping
from bakeoff.judge.table.verdict import duration
from bakeoff.machine.fingerprint import fingerprint
from bakeoff.models.library import ModelLibrary
from bakeoff.race import machine_audit, machine_lock
from bakeoff.race.asking.plan import with_more_time
from bakeoff.race.budget import Budget
from bakeoff.race.heats import canary, memory, profile
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.heat import run_heat
from bakeoff.race.heats.load import run_load
from bakeoff.race.ready import prepare, resolve
from bakeoff.race.ready.observer import Observer as ReadyObserver
from bakeoff.race.ready.runnable import Runnable
from bakeoff.race.scratch import scratch_folder
from bakeoff.records import (
    Case,
    Contender,
    ModelRecord,
    Plan,
    Request,
    RunRecord,
    Scenario,
    Status,
    Trial,
)
from bakeoff.report import write_all
from bakeoff.store import Spool, Store


class Observer(ReadyObserver, Protocol):
    """Who watches a race."""

    def started(self, run: RunRecord, trials: Sequence[Trial]) -> None:
        """The race begins, or goes on with `trials` already there."""

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """More trials are in; `left_s` of the budget remain."""


DIGESTS = ("digest", "data_digest", "pictures_digest")
"""what must not change in a model while its run goes on"""

Out = Callable[[RunRecord, Sequence[Trial]], Collection[str]]
"""the names of the contenders that get no more rounds, besides those that the plan's own rules leave out"""
Accept = Callable[[Mapping[str, ModelRecord]], None]


def anything(_models: Mapping[str, ModelRecord]) -> None:
    """Any models will do."""


def nobody(_run: RunRecord, _trials: Sequence[Trial]) -> Collection[str]:
    """Only the plan's rules leave anybody out."""
    return ()


@dataclass
class Race:
    """A run on its way: its record, its trials, and where they are kept."""

    run: RunRecord
    store: Store
    output: Path
    observer: Observer
    budget: Budget
    out: Out = nobody
    trials: list[Trial] = field(default_factory=list)
    unsaved: list[Trial] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where this run's files go."""
        return self.output / self.run.name

    def keep(self, trials: Sequence[Trial]) -> None:
        """Store `trials` now; if the store cannot take them, spool them to disk, and try again with the next."""
        self.run = msgspec.structs.replace(self.run, elapsed_s=self.budget.spent_s)
        self.trials += trials
        self.unsaved += trials
        try:
            Spool(self.output).deliver(self.store, self.observer.note)
            self.store.add_trials(self.run.name, self.unsaved)
            self.unsaved = []
            self.store.update_run(self.run.name, state=self.run.state, elapsed_s=self.run.elapsed_s)
        except StoreError as error:
            self._spool(error)
        self.observer.heat_done(self.run, self.trials, self.budget.left_s)

    def _spool(self, why: StoreError) -> None:
        try:
            Spool(self.output).keep(self.store, self.run, self.unsaved)
        except StoreError as error:
            self.observer.note(f"{why}; {error}; {len(self.unsaved)} trials are kept in memory and tried again")
        else:
            spool = Spool(self.output)
            self.observer.note(f"{why}; {spool.waiting(self.store)} trials wait in {spool.path}")
            self.unsaved = []


@dataclass(frozen=True)
class Setup:
    """What every heat finds in place."""

    contexts: Mapping[str, HeatContext]
    """by model, still without a round"""
    canary: Runnable | None


@dataclass(frozen=True)
class Outcome:
    """How a race ended."""

    results: Results
    folder: Path
    unsaved: int
    """trials that neither the store nor the spool could take: they are in the results and nowhere else"""
    waiting: int = 0
    """trials in the spool, which the store could not take so far"""
    unwritten: str = ""
    """why the folder's files could not be written"""
    stopped: str = ""
    """why it ended early, where nobody interrupted it"""


def start(
    plan: Plan,
    catalogue: Catalogue,
    store: Store,
    output: Path,
    observer: Observer,
    *,
    accept: Accept = anything,
    out: Out = nobody,
) -> Outcome:
    """Run `plan` from the beginning. Ctrl-C ends it early with what was measured.

    `accept` raises if the models, by name, are not those that the caller means. `out` is asked between heats; the
    race ends when nobody is left. Raises `NotFitError` before anything is
    prepared if the request is strict and the audit finds anything.
    """
    request = plan.request or Request()
    with machine_lock.held(f"a run in {output}", observer.note):
        findings = machine_audit.examine(observer.note, strict=request.strict)
        library = ModelLibrary(paths.cache_dir())
        plan, models = resolve.models(plan, catalogue, library, observer)
        accept(models)
        preparation, budget = prepare_in_budget(plan, models, catalogue, library, observer)
        kept = store.keep_snapshots(snapshot.snapshots_of(preparation.engines, observer.note))
        run = RunRecord(
            name=new_name(store, output),
            started_at=time.time(),
            plan=plan,
            machine=fingerprint(),
            bakeoff_version=bakeoff.__version__,
            models=tuple(exam.model for exam in preparation.exams.values()),
            audit=findings,
            engines=preparation.engine_infos(kept),
            tags=request.tags,
        )
        store.create_run(run)
        race = Race(run=run, store=store, output=output, observer=observer, budget=budget, out=out)
        with store.racing(run.name):
            return finish(race, preparation, library)


def new_name(store: Store, output: Path) -> str:
    """The day's next name whose folder is made now: what a lost store's runs have left in `output` stays as it is.

    Raises `StoreError` if no folder can be made.
    """
    today = dt.datetime.now().astimezone().date()
    while True:
        name = store.new_run_name(today)
        try:
            (output / name).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(
                f"the folder {output / name} cannot be made: {error.strerror}", "Choose another --output folder."
            ) from error
        return name


def resumable(store: Store, name: str | None) -> RunRecord:
    """The run of that name, or else the last of this machine, if this is where it can go on.

    Raises `StoreError` if there is none, and `UsageError` for a run of another machine: speeds of two machines are no
    trials of one case.
    """
    here = fingerprint()
    own = store.history(machine=here["digest"], limit=1) if name is None else [store.run(name)]
    run = own[0] if own else store.run()
    unlike = "; ".join(machines_differ(run.machine, here))
    if unlike:
        which = f"run {run.name}" if own else f"{store.where} has no run of this machine, and its last one, {run.name},"
        raise UsageError(f"{which} cannot go on here: {unlike}", "Resume it where it was raced, or start a new run.")
    return run


def resume(
    name: str,
    catalogue: Catalogue,
    store: Store,
    output: Path,
    observer: Observer,
    *,
    strict: bool = False,
    more_s: float = 0.0,
    out: Out = nobody,
) -> Outcome:
    """Go on with a run within what is left of its budget and `more_s` on top, without repeating any finished trial.

    `name` is that of a run that is `resumable`. Raises `StoreError` if it is still being raced, `ModelError` if a model
    is no longer what it was, and with `strict` `NotFitError` if the audit finds anything.
    """
    with store.racing(name), machine_lock.held(f"run {name} in {output}", observer.note):
        run = store.run(name)
        run = msgspec.structs.replace(
            run,
            plan=with_more_time(run, more_s),
            audit=machine_audit.together(run.audit, machine_audit.examine(observer.note, strict=strict)),
        )
        library = ModelLibrary(paths.cache_dir())
        _, models = resolve.models(run.plan, catalogue, library, observer)
        for then in run.models:
            now = models[then.name]
            if any(getattr(now, digest) != getattr(then, digest) for digest in DIGESTS):
                raise ModelError(
                    f"{then.name} has changed since run {run.name} began: its trials cannot be continued",
                    "start a new run",
                )
        preparation, budget = prepare_in_budget(run.plan, models, catalogue, library, observer, run.elapsed_s)
        store.update_run(run.name, plan=run.plan, audit=run.audit)
        race = Race(run=run, store=store, output=output, observer=observer, budget=budget, out=out)
        race.trials = list(store.trials(run.name))
        known = len(race.trials)
        outcome = finish(race, preparation, library)
        if len(outcome.results.trials) == known and outcome.results.run.state == "finished":
            observer.note("nothing was raced: no verdict needs another round, or none fits into the time or the rounds")
        return outcome


def prepare_in_budget(
    plan: Plan,
    models: Mapping[str, ModelRecord],
    catalogue: Catalogue,
    library: ModelLibrary,
    observer: Observer,
    spent_s: float = 0.0,
) -> tuple[prepare.Preparation, Budget]:
    """Prepare everything; the budget's clock starts once the environments stand."""
    engines = prepare.engines_of(plan, catalogue)
    standing = prepare.install([*engines, *catalogue.hidden.values()], observer)
    budget = Budget(plan.budget_s, spent_s)
    return prepare.prepare(plan, models, catalogue, standing, library, observer), budget


def finish(race: Race, preparation: prepare.Preparation, library: ModelLibrary) -> Outcome:
    """Race until the stop rule says enough, then report; an interruption is an early end, not a loss."""
    state, stopped = "finished", ""
    race.observer.started(race.run, race.trials)
    try:
        if not race.trials:
            race.keep(preparation.unready)
        with scratch_folder() as scratch:
            setup = lay_out(race, preparation, library, scratch)
            run_rounds(race, preparation, setup)
            run_profiles(race, preparation, setup)
    except KeyboardInterrupt:
        state = "interrupted"
    except LostFilesError as error:
        state, stopped = "interrupted", f"the race could not go on: {error}"
    race.run = msgspec.structs.replace(race.run, state=state)
    race.keep(())
    results, unwritten = Results(race.run, race.trials), ""
    try:
        write_all(race.folder, results)
    except StoreError as error:
        unwritten = str(error)
    waiting = Spool(race.output).waiting(race.store)
    return Outcome(results, race.folder, len(race.unsaved), waiting, unwritten, stopped)


def lay_out(race: Race, preparation: prepare.Preparation, library: ModelLibrary, scratch: Path) -> Setup:
    """Write the inputs of every model and of the canary under `scratch`."""
    plan, inputs = race.run.plan, scratch / "inputs"
    tolerances = {model.name: model.tolerances for model in race.run.models}
    contexts = {
        name: HeatContext(
            plan=plan,
            round=0,
            model=exam.model,
            inputs=exam.laid_out(plan, library, inputs),
            tolerance=tolerances[name].bf16,
            logs=race.folder / "logs",
            scratch=scratch,
            time_is_up=lambda: False,
            say=race.observer.say,
            host=race.budget.host,
        )
        for name, exam in preparation.exams.items()
    }
    return Setup(contexts, canary.runnable(preparation.canary, preparation.standing, inputs))


def run_rounds(race: Race, preparation: prepare.Preparation, setup: Setup) -> None:
    """Round after round of one heat per model, while the budget holds another heat and any verdict needs it.

    An engine that cannot be run any more, since its environment has gone, gets a row for what it misses, and the
    others go on to decide what is left between them.
    """
    plan = race.run.plan
    ready = {name: {runnable.contender for runnable in there} for name, there in preparation.runnables.items()}
    for round_ in range(1, sys.maxsize if plan.rounds is None else plan.rounds + 1):
        race.budget.reserved_s = profile.reserve_s(plan, round_)
        begun = any(trial.round >= round_ for trial in race.trials)  # before it was resumed
        if gone := [trial for name in plan.models for trial in missed_by(race, round_, name, preparation.unready)]:
            race.keep(gone)
        wanted = {name: still_wanted(race, round_, name, ready[name]) for name in order_of_models(plan, round_)}
        least = {name: race.budget.expected_s(name, race.trials, cases) for name, cases in wanted.items() if cases}
        if begun and not least:
            continue
        if not least or not race.budget.holds(sum(least.values())):
            return
        rounds, begin = race.budget.rounds(sum(least.values())), race.budget.spent_s
        until = race.budget.round_ends_s(rounds)
        for position, name in enumerate(least):
            context = replace(
                setup.contexts[name],
                round=round_,
                aim_s=race.budget.aim_s(name, dict([*least.items()][position:]), until),
                turns_before=turns_before(race, name),
                of_processes=0.0 if rounds == 1 else effort.process_variance(of_model(race, name), plan.names),
                time_is_up=race.budget.share(len(least) - position),
                say=functools.partial(say_where, race.observer, f"round {round_}, {name}"),
                repeats_help=lambda: repeats_help(race.trials),
            )
            run_one_heat(race, context, preparation.runnables[name], wanted[name], setup.canary)
        if round_ == 1 and plan.scenario is Scenario.LATENCY and len(plan.contenders) > 1:
            tell_the_outlook(race, race.budget.spent_s - begin)


def tell_the_outlook(race: Race, round_s: float) -> None:
    """Say once, after the first round, what this machine can decide in the time that is left."""
    plan = race.run.plan
    variances = []
    for name in plan.models:
        for rounds in turns_before(race, name).values():
            turns = max(map(len, rounds[0].values()), default=0) if rounds else 0
            if turns > 1:
                variances.append(effort.turn_variance(rounds) / turns + effort.PROCESS_SD**2)
    if not variances:
        return
    sd = math.sqrt(2 * statistics.median(variances))
    gap, seconds = effort.outlook(sd, len(plan.contenders) - 1, round_s, race.budget.left_s, plan.indifference)
    race.observer.note(
        f"after the first round: in the time that is left this machine can tell differences of about {gap:.0%}; "
        f"to be sure within {100 * plan.indifference:g}% would take {duration(seconds)}"
    )


def turns_before(race: Race, model: str) -> dict[int, list[effort.Turns]]:
    """By batch size, what the turns of `model` took so far."""
    sizes: dict[int, list[Trial]] = {}
    for trial in of_model(race, model):
        sizes.setdefault(trial.case.batch_size, []).append(trial)
    return {size: effort.turns_of(trials, race.run.plan.names) for size, trials in sizes.items()}


def of_model(race: Race, name: str) -> list[Trial]:
    """The trials of one model."""
    return [trial for trial in race.trials if trial.case.model == name]


def run_profiles(race: Race, preparation: prepare.Preparation, setup: Setup) -> None:
    """A profile trial of each case that its share of the budget holds, contenders first."""
    plan = race.run.plan
    if not plan.profile:
        return
    results = Results(race.run, race.trials)
    rows = {row.case: row for row in results.rows}
    time_for = race.budget.allow(profile.SHARE * plan.budget_s)
    for cases in profile.in_turn(results):
        name = cases[0].model
        runnable = next(
            (runnable for runnable in preparation.runnables[name] if runnable.name == cases[0].contender.name), None
        )
        if runnable is None:  # its environment stood when the run began, and is gone since
            continue
        context = replace(
            setup.contexts[name],
            round=max(trial.round for trial in race.trials if trial.case.model == name),
            say=functools.partial(say_where, race.observer, f"profiles, {name}"),
        )
        for trial in profile.run_profiles(
            context, runnable, cases, lambda case: time_for(profile.seconds_of(rows[case]))
        ):
            race.keep([trial])


def say_where(observer: Observer, where: str, what: str) -> None:
    """Tell what happens next, and in which heat."""
    observer.say(f"{where}: {what}")


def run_one_heat(
    race: Race, context: HeatContext, runnables: Sequence[Runnable], wanted: set[Case], canary_runnable: Runnable | None
) -> None:
    """A heat of one model, split only if memory demands it, its trials kept as they come; each part has the canary.

    Under load one engine has the machine to itself: there is no canary beside it, and nothing to split.
    """
    begin, extra, known = race.budget.spent_s, list[float](), len(race.trials)
    context = replace(context, happens_once=extra.append)
    field_ = [runnable for runnable in runnables if any(case.contender.name == runnable.name for case in wanted)]
    heats: Iterable[Iterable[list[Trial]]] = [run_load(context, field_, wanted, race.trials)]
    if context.plan.scenario is Scenario.LATENCY:
        groups = memory.groups(field_, memory.peaks_mb(race.trials), race.budget.host.available_memory() / 1e6)
        heats = (run_heat(context, *canary.join(canary_runnable, group, wanted, race.trials)) for group in groups)
    for trials in chain.from_iterable(heats):
        race.keep(trials)
    seconds = race.budget.spent_s - begin - sum(extra)
    race.budget.learn(context.model.name, seconds, [t.measurement for t in race.trials[known:] if t.measurement])


def missed_by(race: Race, round_: int, model: str, unready: Sequence[Trial]) -> list[Trial]:
    """A trial for each case that is in need of this round and not ready for it any more, with the reason why."""
    in_need = still_wanted(race, round_, model, race.run.plan.contenders) if unready else set()
    missed = [trial for trial in unready if trial.case in in_need]
    return [msgspec.structs.replace(trial, round=round_, status=Status.NOT_RUN) for trial in missed]


def order_of_models(plan: Plan, round_: int) -> list[str]:
    """The models in this round's random order."""
    rng = random.Random(f"{plan.seed}/{round_}")  # noqa: S311 - an order, no secret
    return rng.sample(list(plan.models), len(plan.models))


def still_wanted(race: Race, round_: int, model: str, contenders: Collection[Contender]) -> set[Case]:
    """The cases of `model` and `contenders` to race in this round: in need of it between them, not done yet, and never
    failed before.
    """
    plan = race.run.plan
    out = race.out(race.run, race.trials)
    live = tuple(each for each in plan.contenders if each in contenders and each.name not in out)
    plan = msgspec.structs.replace(plan, contenders=live)
    league = leagues(race.run, race.trials)
    in_need = stopping.wanted(
        plan,
        race.trials,
        round_,
        target_ci=plan.target_ci,
        target_ci_rest=plan.target_ci_rest,
        league=lambda case: league[case],
    )
    done = {trial.case for trial in race.trials if trial.round == round_ and not trial.profile}
    return {case for case in in_need if case.model == model} - done
