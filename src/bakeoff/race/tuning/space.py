"""The points of a search: every engine with each combination of its knobs' values."""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.tuning.found import Point
from bakeoff.race.asking.contenders import DEFAULT_ENGINES, by_engine, choose, combinations, contender_of, knobs_here
from bakeoff.race.asking.machine import Machine
from bakeoff.records import (
    FRAMEWORKS_OWN,
    THREADS,
    Contender,
    ContenderName,
    EngineSpec,
    Request,
    Scalar,
    ordered,
    word,
)

MOST = 20_000
"""points that are listed at all"""


def space(request: Request, catalogue: Catalogue, machine: Machine) -> list[Point]:
    """The points of the engines that `request` names, or else of those of today's default race that have knobs.

    Of an engine, all of its knobs' values that hold on `machine` are combined, and all, half and one of the CPUs; but
    what `request.settings` names of it is all that is searched, and `request.threads` is everybody's. Settings in an
    engine's name, or that make it what it is, stay. Defaults come first, then what turns one knob, two, and so on.
    Raises `UsageError`.
    """
    threads = request.threads or machine.cpus
    bases = _bases(request, catalogue, machine, threads)
    engines = [catalogue.engine_of(base) for base in bases]
    asked = by_engine(request.settings, catalogue, engines, machine)
    found: dict[str, Point] = {}
    for base, engine in zip(bases, engines, strict=True):
        for point in _points(base, engine, asked[engine.name], request, threads, catalogue, machine):
            found.setdefault(point.name, point)
    return sorted(found.values(), key=lambda point: len(point.turned))


def _bases(request: Request, catalogue: Catalogue, machine: Machine, threads: int) -> list[Contender]:
    """The contenders that the request names, as they are without turning anything."""
    named = msgspec.structs.replace(request, settings={})
    if request.engines:
        return [*choose(named, catalogue, machine, threads)]
    study = catalogue.select(DEFAULT_ENGINES["today"], "today", request.exclude, machine.installed)
    names = tuple(engine.name for engine in study if engine.knobs)
    if not names:
        raise UsageError("no engine of the default race that is left has a knob", "name some: --engines")
    return [*choose(msgspec.structs.replace(named, engines=names, release=None), catalogue, machine, threads)]


def _points(
    base: Contender,
    engine: EngineSpec,
    asked: Mapping[str, Sequence[Scalar]],
    request: Request,
    threads: int,
    catalogue: Catalogue,
    machine: Machine,
) -> Iterator[Point]:
    said = ContenderName.parse(base.name)
    fixed = {**engine.settings, **(dict(said.settings) if said else {})}
    named = {knob: values for knob, values in asked.items() if knob != THREADS}
    varied = named or {knob: values for knob, values in knobs_here(engine, machine).items() if knob != THREADS}
    varied = {knob: values for knob, values in varied.items() if knob not in fixed}
    if counts := asked.get(THREADS) or (() if request.threads else thread_counts(machine.cpus)):
        varied |= {} if THREADS in fixed else {THREADS: counts}
    combined = math.prod(map(len, varied.values()))
    if combined > MOST:
        raise UsageError(f"{base.name} has {combined} combinations of settings", NARROW)
    knobs = {knob: spec.default for knob, spec in engine.knobs.items()} | {THREADS: threads}
    default = {knob: value for knob, value in knobs.items() if knob in varied}
    for each in (fixed, *combinations(engine, varied, fixed)):
        turned = {
            knob: value for knob, value in each.items() if knob in varied and word(value) != word(default.get(knob, ""))
        }
        yield Point(
            contender=contender_of(engine, {**fixed, **turned}, threads, catalogue, machine),
            default=base.name,
            values=ordered({**default, **turned}),
            turned=ordered(turned),
        )


NARROW = "narrow it: --engines, or --set ENGINE.KNOB=VALUES, which is all that is then searched of an engine"


def thread_counts(cpus: int) -> tuple[int, ...]:
    """All, half and one of the CPUs, each once."""
    return tuple(dict.fromkeys((cpus, max(1, cpus // 2), 1)))


def sizes(points: Sequence[Point]) -> str:
    """``onnxruntime 48, openvino 12``: the points of each engine."""
    counts: dict[str, int] = {}
    for point in points:
        counts[point.default] = counts.get(point.default, 0) + 1
    return ", ".join(f"{engine} {count}" for engine, count in counts.items())


def counted(points: Sequence[Point]) -> list[Point]:
    """Those that say a number of threads, as load scenarios need them."""
    return [point for point in points if dict(point.contender.settings)[THREADS] != FRAMEWORKS_OWN]
