"""From what was asked for to a plan: checked, complete, and the same every time."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.table.stopping import TARGET_CI_REST
from bakeoff.models.library import is_file_name
from bakeoff.models.sources import is_factory
from bakeoff.race.asking.contenders import choose
from bakeoff.race.asking.machine import Machine
from bakeoff.records import Contender, Plan, Request, RunRecord, Scenario, Shaping

T = TypeVar("T")

DEFAULT_MODELS = ("resnet18", "resnet50")
BUILT_IN_WEIGHTS = ("seeded", "trained")
DEFAULT_BATCH_SIZES = (1, 2, 4, 8)
DEFAULT_BUDGET_S = 15 * 60.0
QUICK_BUDGET_S = 3.5 * 60.0
"""leaves half a minute of the promised four for start and report"""


def make_plan(request: Request, catalogue: Catalogue, machine: Machine) -> Plan:
    """The plan for a race, with defaults for what `request` leaves open.

    Raises `UsageError` for what cannot be raced.
    """
    _check_numbers(request)
    threads = request.threads or machine.cpus
    contenders = choose(request, catalogue, machine, threads)
    files = own_files(request.models)
    shaping = shaping_of(request)
    _check_files(files, shaping, request)
    _check_scenario(request, contenders)
    under_load = request.scenario != Scenario.LATENCY
    if request.weights != "seeded" and request.models and len(files) == len(set(request.models)):
        raise UsageError(f"--weights {request.weights}: a model of your own has weights of its own", "Leave it out.")
    if request.data and request.weights == "seeded":
        raise UsageError("--data: seeded weights recognise nothing", "add --weights trained, or a checkpoint's path")
    if threads > machine.cpus:
        raise UsageError(f"--threads {threads}: this process may use {machine.cpus} CPUs")
    target_ci = request.indifference if request.target_ci is None else request.target_ci
    default_budget_s = QUICK_BUDGET_S if request.quick else DEFAULT_BUDGET_S
    return Plan(
        models=unique([own_name(model) or model for model in request.models or DEFAULT_MODELS]),
        contenders=contenders,
        batch_sizes=(1,) if under_load else unique(request.batch_sizes or DEFAULT_BATCH_SIZES),
        threads=threads,
        weights=request.weights if request.weights in BUILT_IN_WEIGHTS else absolute(request.weights),
        seed=request.seed,
        rounds=request.rounds,
        budget_s=default_budget_s if request.budget_s is None else request.budget_s,
        indifference=request.indifference,
        target_ci=target_ci,
        target_ci_rest=max(target_ci, TARGET_CI_REST) if target_ci else 0.0,
        timeout_s=request.timeout_s,
        bursts=1 if request.quick else request.bursts,
        quick=request.quick,
        profile=not (request.quick or under_load) if request.profile is None else request.profile,
        engines_dirs=tuple(map(absolute, request.engines_dirs)),
        files=files,
        python=absolute(request.python),
        requirements=absolute(request.requirements),
        shaping=shaping,
        scenario=Scenario(request.scenario),
        latency_bound_s=request.latency_bound_s,
        pictures=absolute(request.data),
        request=request,
    )


def _check_files(files: Mapping[str, str], shaping: Shaping, request: Request) -> None:
    """Raise `UsageError` for what is said of a user's own models and fits none of `files`."""
    if (request.python or request.requirements) and not any(is_factory(file) for file in files.values()):
        raise UsageError(
            "--python and --requirements are for a model that your own code builds: package.module:factory"
        )
    if request.python and request.requirements:
        raise UsageError("--python and --requirements exclude each other", "install what it needs beside that Python")
    if shaping != Shaping() and not files:
        raise UsageError("--shape, --batch-axis and --input are for models of your own: give the path of a file")


def _check_scenario(request: Request, contenders: Sequence[Contender]) -> None:
    """Raise `UsageError` for no scenario, or for what it cannot mean."""
    scenario, bound = request.scenario, request.latency_bound_s
    if scenario not in list(Scenario):
        raise UsageError(f"no scenario {scenario!r}", f"there are {', '.join(Scenario)}")
    if bound is not None and scenario != Scenario.SERVER:
        raise UsageError("--latency-bound is for --scenario server")
    if bound is not None and bound <= 0:
        raise UsageError(f"a latency bound of {bound:g} s: nothing answers in no time")
    if scenario == Scenario.LATENCY:
        return
    if unique(request.batch_sizes) not in {(), (1,)}:
        raise UsageError(f"--scenario {scenario} sends samples one by one: leave out --batch")
    if uncounted := [contender.name for contender in contenders if contender.threads is None]:
        raise UsageError(f"--scenario {scenario} shares out a number of threads: {uncounted[0]} has none")
    if request.profile:
        raise UsageError(f"--scenario {scenario} has no profile trials: leave out --profile")
    if request.data:
        raise UsageError(f"--data: --scenario {scenario} classifies no pictures")


def _check_numbers(request: Request) -> None:
    """Raise `UsageError` for a number that means nothing: a command's options have been checked, a program's not."""
    counts = {"rounds": request.rounds, "threads": request.threads}
    for name, count in (counts | {f"batch size {size}": size for size in request.batch_sizes}).items():
        if count is not None and count < 1:
            raise UsageError(f"{name}: {count!r} is no whole number of at least 1")
    for name, seconds in (("budget", request.budget_s), ("timeout", request.timeout_s)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise UsageError(f"{name}: {seconds!r} is no number of seconds above 0")
    if not 0 < request.indifference < 1:
        raise UsageError(f"indifference: {request.indifference!r} is no share above 0 and below 1: 0.02 is 2%")
    if request.target_ci is not None and not 0 <= request.target_ci < 1:
        raise UsageError(f"target_ci: {request.target_ci!r} is no share from 0 to below 1: 0.02 is 2%")


def shaping_of(request: Request) -> Shaping:
    """What is said of models of one's own."""
    return Shaping(shapes=request.shapes, batch_axis=request.batch_axis, data=absolute(request.inputs))


def absolute(path: str) -> str:
    """`path` as an absolute one; "" stays that."""
    return str(Path(path).expanduser().absolute()) if path else ""


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
