"""From what the user asked for to a plan: checked, complete, and the same every time."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.table.stopping import TARGET_CI, TARGET_CI_REST
from bakeoff.machine.fingerprint import usable_cpus
from bakeoff.models.library import is_file_name
from bakeoff.models.sources import is_factory
from bakeoff.records import EngineSpec, Plan, RunRecord, Scenario, Shaping

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
    pictures: Path | None = None,
    installed: Callable[[EngineSpec], bool] | None = None,
    python: Path | None = None,
    requirements: Path | None = None,
) -> Plan:
    """The plan for a race; whatever is not given takes its default.

    `engines` are names, framework folders, groups and globs; none means the study's engines of `release`; `installed`
    answers for the group of that name. Raises `UsageError` for what cannot be raced.
    """
    _check_numbers(batch_sizes, threads, rounds, budget_s, target_ci, timeout_s)
    if release is not None and release not in DEFAULT_ENGINES:
        raise UsageError(f"no release is called {release!r}: {', '.join(DEFAULT_ENGINES)}")
    named = engines or DEFAULT_ENGINES[release or "today"]
    chosen = catalogue.select(named, None if release == "all" else release, exclude, installed)
    if not chosen:
        raise UsageError("no engine is left to race", "see `bakeoff engines list`")
    files = own_files(models)
    _check_files(files, shaping, python, requirements)
    _check_scenario(scenario, latency_bound_s)
    under_load = scenario != Scenario.LATENCY
    if under_load:
        _check_load(scenario, batch_sizes, profile, pictures)
    if pictures and weights == "seeded":
        raise UsageError("--data: seeded weights recognise nothing", "add --weights trained, or a checkpoint's path")
    cpus = usable_cpus()
    if threads is not None and threads > cpus:
        raise UsageError(f"--threads {threads}: this process may use {cpus} CPUs")
    return Plan(
        models=unique([own_name(model) or model for model in models or DEFAULT_MODELS]),
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
        python=str(python.absolute()) if python else "",
        requirements=str(requirements.absolute()) if requirements else "",
        shaping=shaping or Shaping(),
        scenario=Scenario(scenario),
        latency_bound_s=latency_bound_s,
        pictures=str(pictures.expanduser().absolute()) if pictures else "",
    )


def _check_files(
    files: Mapping[str, str], shaping: Shaping | None, python: Path | None, requirements: Path | None
) -> None:
    """Raise `UsageError` for what is said of a user's own models and fits none of `files`."""
    if (python or requirements) and not any(is_factory(file) for file in files.values()):
        raise UsageError(
            "--python and --requirements are for a model that your own code builds: package.module:factory"
        )
    if python and requirements:
        raise UsageError("--python and --requirements exclude each other", "install what it needs beside that Python")
    if shaping and not files:
        raise UsageError("--shape, --batch-axis and --input are for models of your own: give the path of a file")


def _check_scenario(scenario: str, latency_bound_s: float | None) -> None:
    """Raise `UsageError` for no scenario, or a latency bound that it cannot hold."""
    if scenario not in list(Scenario):
        raise UsageError(f"no scenario {scenario!r}", f"there are {', '.join(Scenario)}")
    if latency_bound_s is not None and scenario != Scenario.SERVER:
        raise UsageError("--latency-bound is for --scenario server")
    if latency_bound_s is not None and latency_bound_s <= 0:
        raise UsageError(f"a latency bound of {latency_bound_s:g} s: nothing answers in no time")


def _check_load(scenario: str, batch_sizes: Sequence[int], profile: bool | None, pictures: Path | None) -> None:
    """Raise `UsageError` for what a load scenario cannot mean."""
    if unique(batch_sizes) not in {(), (1,)}:
        raise UsageError(f"--scenario {scenario} sends samples one by one: leave out --batch")
    if profile:
        raise UsageError(f"--scenario {scenario} has no profile trials: leave out --profile")
    if pictures:
        raise UsageError(f"--data: --scenario {scenario} classifies no pictures")


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
    """Those of `models` that are files or built by the user's code, by the name each goes by in the race."""
    files: dict[str, str] = {}
    for model in unique(models):
        path, name = Path(model).expanduser().absolute(), own_name(model)
        if name and files.setdefault(name, str(path)) != str(path):
            raise UsageError(f"two models are called {name}: {files[name]} and {path}", "rename one of them")
    return files


def own_name(model: str) -> str:
    """What a user's own model is called: as the file is, or ``package.module.factory``; "" for a built-in network."""
    if is_factory(model):
        return Path(model).name.replace(":", ".")
    return Path(model).expanduser().absolute().name if is_file_name(model) else ""


def unique(things: Sequence[T]) -> tuple[T, ...]:
    """Each thing once, in the order of first mention."""
    return tuple(dict.fromkeys(things))


def with_more_time(run: RunRecord, seconds: float) -> Plan:
    """The plan of `run` with `seconds` on top of what is left of its budget."""
    if not seconds:
        return run.plan
    return msgspec.structs.replace(run.plan, budget_s=max(run.plan.budget_s, run.elapsed_s) + seconds)
