"""The contenders that a request names: engines, each with the values of its knobs that are asked for."""

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence

from bakeoff.engines.catalogue import Catalogue
from bakeoff.engines.knobs import besides_defaults, value_of, variables
from bakeoff.errors import UsageError
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

DEFAULT_ENGINES = {"today": ("study",), "2019": ("2019",), "all": ("study", "2019")}
"""by release: the study's frameworks as they are today, or everything that the study had or wished for"""


def choose(request: Request, catalogue: Catalogue, machine: Machine, threads: int) -> tuple[Contender, ...]:
    """The contenders that are asked for, each once, in the order of first mention. Raises `UsageError`."""
    if request.release is not None and request.release not in DEFAULT_ENGINES:
        raise UsageError(f"no release is called {request.release!r}: {', '.join(DEFAULT_ENGINES)}")
    release = None if request.release == "all" else request.release
    chosen: list[tuple[EngineSpec, Mapping[str, Scalar]]] = []
    for text in request.engines or DEFAULT_ENGINES[request.release or "today"]:
        name = ContenderName.parse(text)
        settings: Mapping[str, Scalar] = dict(name.settings) if name else {}
        pattern = f"{name.engine}{name.environment}" if name and settings else text
        meant = catalogue.select([pattern], release, request.exclude, machine.installed)
        chosen += [
            (engine, settings) for engine in meant if engine.name == pattern or not _missing(engine, catalogue, machine)
        ]
    if not chosen:
        raise UsageError("no engine is left to race", "see `bakeoff engines list`")
    asked = by_engine(request.settings, catalogue, [engine for engine, _ in chosen], machine)
    found: dict[str, Contender] = {}
    for engine, settings in chosen:
        for each in combinations(engine, asked[engine.name], settings):
            contender = contender_of(engine, each, threads, catalogue, machine)
            found[contender.name] = contender
    return tuple(found.values())


def by_engine(
    asked: Mapping[str, Sequence[Scalar]], catalogue: Catalogue, raced: Sequence[EngineSpec], machine: Machine
) -> dict[str, dict[str, Sequence[Scalar]]]:
    """The values asked for of each knob of each engine of `raced`, which ``ENGINES.KNOB`` of `asked` name.

    A name of several engines means those that have the knob, of which there must be one. Raises `UsageError`.
    """
    found: dict[str, dict[str, Sequence[Scalar]]] = {engine.name: {} for engine in raced}
    for key, values in asked.items():
        pattern, dot, knob = key.rpartition(".")
        if not (dot and pattern and knob and values):
            raise UsageError(f"--set {key}: write ENGINE.KNOB=VALUE, like onnxruntime.spin=false")
        meant = [engine for engine in catalogue.select([pattern], None, (), machine.installed) if engine.name in found]
        if not meant:
            raise UsageError(f"--set {key}: {pattern} is not among the engines that are raced")
        having = [engine for engine in meant if knob == THREADS or knob in engine.knobs]
        for engine in having or meant[:1]:
            found[engine.name][knob] = values
    return found


def combinations(
    engine: EngineSpec, asked: Mapping[str, Sequence[Scalar]], settings: Mapping[str, Scalar]
) -> Iterator[dict[str, Scalar]]:
    """`settings` with each combination of what is `asked` besides; those only whose knobs have what they need, if any.

    So that mode=eager,compile with freezing=true,false makes three contenders, and freezing alone says what it needs.
    """
    varied = {knob: values for knob, values in asked.items() if knob not in settings}
    every = [{**settings, **dict(zip(varied, values, strict=True))} for values in itertools.product(*varied.values())]
    yield from [each for each in every if not any(_needed(engine, knob, each) for knob in each)] or every


def knobs_here(engine: EngineSpec, machine: Machine) -> dict[str, tuple[Scalar, ...]]:
    """The values of each of the engine's knobs that hold on `machine`, its default first; `threads` among the knobs.

    Those of `threads` are every number of CPUs that may be used and "default", which sets none. A knob whose default
    alone holds is left out.
    """
    found: dict[str, tuple[Scalar, ...]] = {THREADS: (*range(machine.cpus, 0, -1), FRAMEWORKS_OWN)}
    for name, knob in engine.knobs.items():
        others = [v for v in knob.values if word(v) != word(knob.default) and not lacking(engine, name, v, machine)]
        if others:
            found[name] = (knob.default, *others)
    return found


def contender_of(
    engine: EngineSpec, settings: Mapping[str, Scalar], threads: int, catalogue: Catalogue, machine: Machine
) -> Contender:
    """`engine` with `settings` of its knobs, in its own league, with `threads` unless these say otherwise.

    Settings that are defaults are left out; what is left and has a name of its own in the catalogue goes by that.
    Raises `UsageError` for a knob or a value that there is not, or not on `machine`.
    """
    turned = {name: _value(engine, name, value, machine) for name, value in settings.items()}
    count = turned.pop(THREADS, None)
    if engine.like:
        if missing := _missing(engine, catalogue, machine):
            raise UsageError(missing)
        turned = {**engine.settings, **turned}
        engine = catalogue.engines[engine.like]
    turned = besides_defaults(engine.knobs, turned)
    for name in turned:
        if needed := _needed(engine, name, turned):
            raise UsageError(f"{engine.name}: {name}={word(turned[name])} says nothing without {needed}")
    named = [each for each in catalogue.engines.values() if each.like == engine.name and each.settings == turned]
    if turned and named:
        engine, turned = named[0], {}
    build = ContenderName.parse(engine.name)
    assert build is not None  # noqa: S101 - engines' names are a part of the grammar
    said = turned if count is None else {**turned, THREADS: count}
    return Contender(
        name=str(ContenderName(build.engine, build.environment, ordered(said))),
        engine=build.engine,
        environment=build.environment,
        settings=ordered({THREADS: threads, **said}),
        env=tuple(sorted(variables(engine.knobs, turned).items())),
        precision=engine.league,
    )


def _value(engine: EngineSpec, name: str, asked: Scalar, machine: Machine) -> Scalar:
    """The value of the knob `name` that `asked` means. Raises `UsageError` if there is none, or not on `machine`."""
    if name == THREADS:
        return _threads(engine, asked, machine)
    knob = engine.knobs.get(name)
    if knob is None:
        known = [THREADS, *engine.knobs]
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)};"
        raise UsageError(f"{engine.name} has no knob {name!r}", f"{hint} see `bakeoff engines knobs {engine.name}`")
    value = value_of(knob, asked)
    if value is None:
        known = [word(each) for each in knob.values]
        close = difflib.get_close_matches(word(asked), known, n=1)
        advice = f"did you mean {close[0]}?" if close else None
        raise UsageError(f"{engine.name}: {name} has no value {word(asked)}: there are {', '.join(known)}", advice)
    if reason := lacking(engine, name, value, machine):
        raise UsageError(f"{engine.name}: {name}={word(value)} {reason}")
    return value


def _threads(engine: EngineSpec, asked: Scalar, machine: Machine) -> Scalar:
    if asked == FRAMEWORKS_OWN:
        return asked
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
        raise UsageError(f"{engine.name}: threads={word(asked)}: write a whole number of at least 1, or default")
    if asked > machine.cpus:
        raise UsageError(f"{engine.name}: threads={asked}: this process may use {machine.cpus} CPUs")
    return asked


def lacking(engine: EngineSpec, name: str, value: Scalar, machine: Machine) -> str:
    """What the knob `name` needs for `value` and has not here, in words; empty if nothing. A default needs nothing."""
    knob = engine.knobs[name]
    if word(value) == word(knob.default):
        return ""
    own = knob.only.get(word(value))
    return machine.lacks(knob.when, engine) or (machine.lacks(own, engine) if own else "")


def _missing(engine: EngineSpec, catalogue: Catalogue, machine: Machine) -> str:
    """What the settings that make an engine another one need and have not here, in words; empty if nothing."""
    for name, value in engine.settings.items() if engine.like else ():
        if reason := lacking(catalogue.engines[engine.like], name, value, machine):
            return f"{engine.like}: {name}={word(value)} {reason}"
    return ""


def _needed(engine: EngineSpec, name: str, settings: Mapping[str, Scalar]) -> str:
    """The setting without which that of `name` says nothing, if `settings` lack it."""
    knobs = engine.knobs
    if name not in knobs or word(settings[name]) == word(knobs[name].default):
        return ""
    return next(
        (
            f"{other}={word(value)}"
            for other, value in knobs[name].needs.items()
            if other in knobs and word(settings.get(other, knobs[other].default)) != word(value)
        ),
        "",
    )
