"""Before the race: environments built, models in every form, references at hand, or the reason why not."""

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bakeoff import environments
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import overlay
from bakeoff.errors import EnvironmentUnavailableError, ModelError, UnsupportedError, UnsupportedModelError
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready.conversion import form_for
from bakeoff.race.ready.exam import SAMPLES, Exam, exam
from bakeoff.race.ready.observer import Observer
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import (
    CANARY,
    Contender,
    EngineInfo,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    ModelRecord,
    Plan,
    Scenario,
    Status,
    Trial,
)

ARBITER = "onnxruntime"
"""the engine that judges a model's answers where float64 cannot"""


@dataclass(frozen=True)
class Preparation:
    """Everything that stands ready, and the cases that cannot start."""

    exams: Mapping[str, Exam]
    """by model name"""
    runnables: Mapping[str, Sequence[Runnable]]
    """by model name"""
    engines: Sequence[EngineSpec]
    standing: Mapping[str, Installed | EnvironmentUnavailableError]
    """environments by name"""
    canary: EngineSpec | None = None
    unready: Sequence[Trial] = field(default_factory=tuple)

    def engine_infos(self, snapshots: Mapping[str, str]) -> tuple[EngineInfo, ...]:
        """What the store remembers of the engines; `snapshots` are the digests of what it keeps of them, by name."""
        return tuple(
            EngineInfo(
                name=e.name,
                title=e.title,
                framework=e.framework,
                release=e.release,
                league=e.league,
                environment=e.environment.name,
                snapshot=snapshots.get(e.name, ""),
            )
            for e in self.engines
        )


def engines_of(plan: Plan, catalogue: Catalogue) -> list[EngineSpec]:
    """The engines that the contenders run, each once. Raises `UsageError` for one that is not here."""
    return unique(map(catalogue.engine_of, plan.contenders))


def unique(engines: Iterable[EngineSpec]) -> list[EngineSpec]:
    """Each of `engines` once, in their order."""
    return [*{engine.name: engine for engine in engines}.values()]


def prepare(
    plan: Plan,
    models: Mapping[str, ModelRecord],
    catalogue: Catalogue,
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    library: ModelLibrary,
    observer: Observer,
) -> Preparation:
    """Everything that `plan` needs, put in place; `models` and the environments `standing` are by name.

    An environment that could not be built or a model that a form cannot carry become trials of round 0 in
    `Preparation.unready`. Raises `ModelError` for a model that nothing can judge.
    """
    exams: dict[str, Exam] = {}
    runnables: dict[str, list[Runnable]] = {}
    unready: list[Trial] = []
    contenders = [(contender, catalogue.engine_of(contender)) for contender in plan.contenders]
    under_load = plan.scenario is not Scenario.LATENCY
    for name, model in models.items():
        observer.say(f"preparing {name}")
        ready = {
            contender: make_ready(contender, its, model, standing, library, observer.note, loadgen=under_load)
            for contender, its in contenders
        }
        runnables[name] = [each for each in ready.values() if isinstance(each, Runnable)]
        unready += [
            Trial(round=0, case=case, status=found[0], reason=found[1], started_at=time.time())
            for case in plan.cases()
            if case.model == name and not isinstance(found := ready[case.contender], Runnable)
        ]

        arbiter = functools.partial(arbiter_of, plan, model, catalogue, library, observer)
        exams[name] = exam(plan, library.samples(model, plan.seed, SAMPLES), runnables[name], observer, arbiter)
    return Preparation(
        exams=exams,
        runnables=runnables,
        engines=unique([its for _, its in contenders]),
        standing=standing,
        canary=catalogue.hidden.get(CANARY),
        unready=tuple(unready),
    )


def arbiter_of(
    plan: Plan, model: ModelRecord, catalogue: Catalogue, library: ModelLibrary, observer: Observer
) -> Runnable | tuple[Status, str]:
    """What judges `model` where float64 cannot, or why it is not to be had; its environment is built if need be."""
    engine = catalogue.engines[ARBITER]
    judge = Contender(name=ARBITER, engine=ARBITER).having(threads=plan.threads)
    return make_ready(judge, engine, model, install([engine], observer), library, observer.note)


def install(engines: Sequence[EngineSpec], observer: Observer) -> dict[str, Installed | EnvironmentUnavailableError]:
    """The environments that `engines` need, by name, built where they are missing."""
    with observer.installing() as report:
        return environments.install([spec for engine in engines for spec in engine.environments], report)


def install_all(specs: Sequence[EnvironmentSpec], observer: Observer) -> dict[str, Installed]:
    """These environments, by name, built where they are missing. Raises the reason why one cannot be had."""
    with observer.installing() as report:
        results = environments.install(specs, report)
    standing: dict[str, Installed] = {}
    for name, result in results.items():
        if not isinstance(result, Installed):
            raise result
        standing[name] = result
    return standing


def make_ready(
    contender: Contender,
    engine: EngineSpec,
    model: ModelRecord,
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    library: ModelLibrary,
    note: Callable[[str], None],
    *,
    loadgen: bool = False,
) -> Runnable | tuple[Status, str]:
    """`contender`, which runs `engine`, with its environment and its form of `model`, or why not.

    With `loadgen`, its Python gets LoadGen as well.
    """
    installed = standing[engine.environment.name]
    if not isinstance(installed, Installed):
        return Status.UNAVAILABLE, str(installed)
    try:
        beside = overlay.loadgen(installed) if loadgen else None
        form, path = form_for(engine, model, standing, library, note)
        return Runnable(contender, msgspec.structs.replace(engine, model=form), installed, path, overlay=beside)
    except (UnsupportedModelError, UnsupportedError) as error:
        return Status.UNSUPPORTED, str(error)
    except EnvironmentUnavailableError as error:
        return Status.UNAVAILABLE, str(error)
    except (ModelError, OSError) as error:
        return Status.FAILED, f"its form of the model was not made: {error}"
