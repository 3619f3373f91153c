"""From what the user asked for to a plan: checked, complete, and the same every time."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.stopping import TARGET_CI, TARGET_CI_REST
from bakeoff.machine.fingerprint import usable_cpus
from bakeoff.models.library import is_file_name
from bakeoff.records import Plan, Scenario, Shaping

T = TypeVar("T")

DEFAULT_MODELS = ("resnet18", "resnet50")
BUILT_IN_WEIGHTS = ("seeded", "trained")
DEFAULT_BATCH_SIZES = (1, 2, 4, 8)
DEFAULT_ENGINES = {"today": ("study",), "2019": ("2019",), "all": ("study", "2019")}
"""by release: the study's frameworks as they are today, or everything that the study had or wished for"""
DEFAULT_BUDGET_S = 15 * 60.0
QUICK_BUDGET_S = 3.5 * 60.0
"""leaves half a minute of the promised four for start and report"""


BURSTS = 2
"""of each case in a heat: with a few seconds of loading per case, rounds buy more than longer heats"""


def make_plan(
    catalogue: Catalogue,
    *,
    models: Sequence[str] = (),
    engines: Sequence[str] = (),
    exclude: Sequence[str] = (),
    release: str | None = None,
    batch_sizes: Sequence[int] = (),
    threads: int | None = None,
    weights: str = "seeded",
    rounds: int | None = None,
    budget_s: float | None = None,
    target_ci: float = TARGET_CI,
    timeout_s: float = 300.0,
    seed: int = 0,
    quick: bool = False,
    bursts: int = BURSTS,
    profile: bool | None = None,
    engines_dirs: Sequence[Path] = (),
    shaping: Shaping | None = None,
    scenario: str = Scenario.LATENCY,
    latency_bound_s: float | None = None,
) -> Plan:
    """The plan for a race; whatever is not given takes its default.

    `engines` are names, framework folders, groups and globs; none means the study's engines of `release`. Raises
    `UsageError` for what cannot be raced.
    """
    _check_numbers(batch_sizes, threads, rounds, budget_s, target_ci, timeout_s)
    if release is not None and release not in DEFAULT_ENGINES:
        raise UsageError(f"no release is called {release!r}: {', '.join(DEFAULT_ENGINES)}")
    named = engines or DEFAULT_ENGINES[release or "today"]
    chosen = catalogue.select(named, release=None if release == "all" else release, exclude=exclude)
    if not chosen:
        raise UsageError("no engine is left to race", "see `bakeoff engines list`")
    files = own_files(models)
    if shaping and not files:
        raise UsageError("--shape, --batch-axis and --input are for models of your own: give the path of an .onnx file")
    if scenario not in list(Scenario):
        raise UsageError(f"no scenario {scenario!r}", f"there are {', '.join(Scenario)}")
    under_load = scenario != Scenario.LATENCY
    if under_load and unique(batch_sizes) not in {(), (1,)}:
        raise UsageError(f"--scenario {scenario} sends samples one by one: leave out --batch")
    if under_load and profile:
        raise UsageError(f"--scenario {scenario} has no profile trials: leave out --profile")
    if latency_bound_s is not None and scenario != Scenario.SERVER:
        raise UsageError("--latency-bound is for --scenario server")
    if latency_bound_s is not None and latency_bound_s <= 0:
        raise UsageError(f"a latency bound of {latency_bound_s:g} s: nothing answers in no time")
    cpus = usable_cpus()
    if threads is not None and threads > cpus:
        raise UsageError(f"--threads {threads}: this process may use {cpus} CPUs")
    return Plan(
        models=unique([Path(model).name if is_file_name(model) else model for model in models or DEFAULT_MODELS]),
        engines=tuple(engine.name for engine in chosen),
        batch_sizes=(1,) if under_load else unique(batch_sizes or DEFAULT_BATCH_SIZES),
        threads=threads or cpus,
        weights=weights if weights in BUILT_IN_WEIGHTS else str(Path(weights).absolute()),
        seed=seed,
        rounds=rounds,
        budget_s=budget_s if budget_s is not None else (QUICK_BUDGET_S if quick else DEFAULT_BUDGET_S),
        target_ci=target_ci,
        target_ci_rest=max(target_ci, TARGET_CI_REST),
        timeout_s=timeout_s,
        bursts=1 if quick else bursts,
        quick=quick,
        profile=not (quick or under_load) if profile is None else profile,
        engines_dirs=tuple(str(folder.absolute()) for folder in engines_dirs),
        files=files,
        shaping=shaping or Shaping(),
        scenario=Scenario(scenario),
        latency_bound_s=latency_bound_s,
    )


def _check_numbers(
    batch_sizes: Sequence[int],
    threads: int | None,
    rounds: int | None,
    budget_s: float | None,
    target_ci: float,
    timeout_s: float,
) -> None:
    """Raise `UsageError` for a number that means nothing: a command's options have been checked, a program's not."""
    counts = {"rounds": rounds, "threads": threads} | {f"batch size {size}": size for size in batch_sizes}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"{name}: {count!r} is no whole number of at least 1")
    for name, seconds in (("budget", budget_s), ("timeout", timeout_s)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise UsageError(f"{name}: {seconds!r} is no number of seconds above 0")
    if not 0 < target_ci < 1:
        raise UsageError(f"target_ci: {target_ci!r} is no share above 0 and below 1: 0.02 is 2%")


def shaping_of(
    shapes: Mapping[str, Sequence[int]], batch_axis: Sequence[str], data: Path | str | None
) -> Shaping | None:
    """What a user says of a model of their own, as `Shaping` has it; None if nothing."""
    if not (shapes or batch_axis or data):
        return None
    return Shaping(
        shapes={name: tuple(sizes) for name, sizes in shapes.items()},
        batch_axis=tuple(batch_axis),
        data=str(Path(data).absolute()) if data else "",
    )


def own_files(models: Sequence[str]) -> dict[str, str]:
    """Those of `models` that are files, by the name each goes by in the race: the file's own."""
    files: dict[str, str] = {}
    for model in unique(models):
        path = Path(model).expanduser().absolute()
        if is_file_name(model) and files.setdefault(path.name, str(path)) != str(path):
            raise UsageError(f"two models are called {path.name}: {files[path.name]} and {path}", "rename one of them")
    return files


def unique(things: Sequence[T]) -> tuple[T, ...]:
    """Each thing once, in the order of first mention."""
    return tuple(dict.fromkeys(things))
