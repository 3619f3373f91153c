"""Before the race: environments built, models in every form, references at hand, or the reason why not."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff import environments
from bakeoff.environments import overlay
from bakeoff.errors import (
    EnvironmentUnavailableError,
    ModelError,
    NoReferenceError,
    StoreError,
    UnsupportedError,
    UnsupportedModelError,
    WorkerError,
)
from bakeoff.judge.case.leagues import calibrated, fixed
from bakeoff.judge.case.parity import compare
from bakeoff.models.inputs import input_sets
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready import arbitration, labelled_pictures
from bakeoff.race.ready.conversion import form_for
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import (
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

INPUT_SETS = 3
"""to race on; one more is kept back, see `InputSets.fresh`"""
SAMPLES = 8
"""Distinct inputs per model; a larger batch repeats them. The float64 reference of each takes a second or two."""
ROUNDED_SAMPLES = 3
"""How many of them are computed once more in each precision, to learn what rounding alone does to the outputs."""


class Observer(Protocol):
    """Who watches: told only while no worker runs."""

    def installing(self) -> AbstractContextManager[environments.Report]:
        """Who hears how installations go, for as long as they do."""

    def say(self, what: str) -> None:
        """What happens next."""

    def note(self, what: str) -> None:
        """A line worth keeping."""


@dataclass(frozen=True)
class Preparation:
    """Everything that stands ready: per model its record and runnables, and the cases that cannot start."""

    models: Mapping[str, ModelRecord]
    runnables: Mapping[str, Sequence[Runnable]]
    """by model name"""
    engines: Sequence[EngineSpec]
    references: Mapping[str, Sequence[NDArray[np.generic]]]
    standing: Mapping[str, Installed | EnvironmentUnavailableError]
    """environments by name"""
    canary: EngineSpec | None = None
    unready: Sequence[Trial] = field(default_factory=tuple)

    def engine_infos(self, kits: Mapping[str, str]) -> tuple[EngineInfo, ...]:
        """What the store remembers of the engines; `kits` are the digests of what it keeps of them, by name."""
        return tuple(
            EngineInfo(
                name=e.name,
                title=e.title,
                framework=e.framework,
                release=e.release,
                league=e.league,
                environment=e.environment.name,
                kit=kits.get(e.name, ""),
            )
            for e in self.engines
        )


def prepare(
    plan: Plan,
    models: Mapping[str, ModelRecord],
    engines: Sequence[EngineSpec],
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    library: ModelLibrary,
    observer: Observer,
    arbiter: EngineSpec,
    canary: EngineSpec | None = None,
) -> Preparation:
    """Bring everything that `plan` needs into place; `models` and the environments `standing` are by name.

    An environment that could not be built or a model that a form cannot carry become trials of round 0 in
    `Preparation.unready`. `arbiter` is the ONNX Runtime that judges where float64 cannot. Raises `ModelError` for a
    model without any reference.
    """
    judged: dict[str, ModelRecord] = {}
    runnables: dict[str, list[Runnable]] = {}
    references: dict[str, list[NDArray[np.generic]]] = {}
    unready: list[Trial] = []
    for name, model in models.items():
        observer.say(f"preparing {name}")
        runnables[name] = []
        for engine in engines:
            ready = make_ready(engine, model, standing, library, observer.note)
            if isinstance(ready, Runnable) and plan.scenario is not Scenario.LATENCY:
                ready = with_loadgen(ready)
            if isinstance(ready, Runnable):
                runnables[name].append(ready)
            else:
                unready += unready_trials(plan, engine.name, name, *ready)
        judged[name], references[name] = reference(plan, model, runnables[name], library, observer, arbiter)
    return Preparation(
        models=judged,
        runnables=runnables,
        engines=engines,
        references=references,
        standing=standing,
        canary=canary,
        unready=tuple(unready),
    )


def reference(
    plan: Plan,
    model: ModelRecord,
    runnables: Sequence[Runnable],
    library: ModelLibrary,
    observer: Observer,
    arbiter: EngineSpec,
) -> tuple[ModelRecord, list[NDArray[np.generic]]]:
    """What to judge `model`'s outputs against, [samples, ...] of each, and `model` with its name and the tolerances.

    The float64 reference; where there is none, ONNX Runtime without optimisations; where that cannot run the model,
    the middle of what the engines answer. For a model without ONNX the last of these.
    """
    if model.unconverted:
        return of_its_own(plan, model, runnables, library, observer)
    try:
        answers = library.reference(model, plan.seed, SAMPLES, observer.say)
        return calibrate(plan, model, answers, library, observer), answers
    except NoReferenceError as error:
        observer.note(str(error))
    samples = library.samples(model, plan.seed, SAMPLES)
    observer.say(f"asking ONNX Runtime without optimisations about {model.name}")
    ready = make_ready(arbiter, model, install([arbiter], observer), library, observer.note)
    try:
        answers, name = arbitration.unoptimised(ready, plan, model, samples)
    except WorkerError as error:
        observer.note(f"{model.name}: no answer of ONNX Runtime without optimisations: {error}")
        answers, name = arbitration.consensus(runnables, plan, model, samples)
    return msgspec.structs.replace(model, reference=name, tolerances=fixed(quantized=model.quantized)), answers


def of_its_own(
    plan: Plan, model: ModelRecord, runnables: Sequence[Runnable], library: ModelLibrary, observer: Observer
) -> tuple[ModelRecord, list[NDArray[np.generic]]]:
    """As `reference`, from those alone that take the user's own file."""
    if not runnables:
        raise ModelError(
            f"{model.name}: no engine here can run it: {model.unconverted}",
            f'Engines whose engine.toml says takes = ["{model.source}"] run it as it is; name one by --engines.',
        )
    observer.say(f"asking the engines that take {model.name} as it is")
    samples = library.samples(model, plan.seed, SAMPLES)
    answers, name = arbitration.consensus(runnables, plan, model, samples)
    return msgspec.structs.replace(model, reference=name, tolerances=fixed(quantized=model.quantized)), answers


def calibrate(
    plan: Plan, model: ModelRecord, reference: Sequence[NDArray[np.generic]], library: ModelLibrary, observer: Observer
) -> ModelRecord:
    """`model` with the tolerances that follow from what rounding does to its outputs, if that can be computed."""
    try:
        answers = library.rounded(model, plan.seed, ROUNDED_SAMPLES, observer.say)
    except ModelError as error:
        observer.note(f"{error}; its tolerance is a fixed number")
        return model
    floats = [index for index, output in enumerate(reference) if output.dtype.kind == "f"]
    expected = [reference[index][:ROUNDED_SAMPLES] for index in floats]
    rounding = {
        precision: compare([outputs[index] for index in floats], expected)[0].max_rel_error
        for precision, outputs in answers.items()
    }
    return msgspec.structs.replace(model, tolerances=calibrated(rounding))


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
    engine: EngineSpec,
    model: ModelRecord,
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    library: ModelLibrary,
    note: Callable[[str], None],
) -> Runnable | tuple[Status, str]:
    """`engine` with its environment and its form of `model`, or why not."""
    installed = standing[engine.environment.name]
    if not isinstance(installed, Installed):
        return Status.UNAVAILABLE, str(installed)
    try:
        form, path = form_for(engine, model, standing, library, note)
        return Runnable(msgspec.structs.replace(engine, model=form), installed, path)
    except UnsupportedModelError as error:
        return Status.UNSUPPORTED, str(error)
    except EnvironmentUnavailableError as error:
        return Status.UNAVAILABLE, str(error)
    except (ModelError, OSError) as error:
        return Status.FAILED, f"its form of the model was not made: {error}"


def with_loadgen(runnable: Runnable) -> Runnable | tuple[Status, str]:
    """`runnable` with LoadGen for its Python, or why not."""
    try:
        return replace(runnable, overlay=overlay.loadgen(runnable.installed))
    except UnsupportedError as error:
        return Status.UNSUPPORTED, str(error)
    except EnvironmentUnavailableError as error:
        return Status.UNAVAILABLE, str(error)


def unready_trials(plan: Plan, engine: str, model: str, status: Status, reason: str) -> list[Trial]:
    """A row for each batch size of an engine that cannot start."""
    now = time.time()
    return [
        Trial(round=0, case=case, status=status, reason=reason, started_at=now)
        for case in plan.cases()
        if case.engine == engine and case.model == model
    ]


def materials(
    plan: Plan, model: ModelRecord, preparation: Preparation, library: ModelLibrary, folder: Path
) -> dict[int, InputSets]:
    """The input sets of every batch size, written under `folder`, with the answers expected of each.

    Labelled pictures, if there are any, go with the smallest.
    """
    try:
        made = {size: material(plan, model, preparation, library, folder, size) for size in plan.sizes(model.name)}
        if model.pictures:
            size, place = min(made), folder / f"{model.name}-pictures"
            labelled = labelled_pictures.material(model, Path(plan.pictures), size, library, place)
            made[size] = replace(made[size], labelled=labelled)
    except OSError as error:
        raise StoreError(
            f"the inputs cannot be written to {folder}: {error}", "set BAKEOFF_CACHE to a roomier disk"
        ) from error
    return made


def material(
    plan: Plan, model: ModelRecord, preparation: Preparation, library: ModelLibrary, folder: Path, batch_size: int
) -> InputSets:
    """The input sets of one batch size, and the float64 answers to each; the last one is kept back."""
    samples = library.samples(model, plan.seed, SAMPLES)
    reference = preparation.references[model.name]
    paths, expected = [], []
    rows_of_batch = batch_size if model.fixed_batch is None else 1
    axes = [spec.batch_axis for spec in model.inputs]
    for k, (arrays, rows) in enumerate(input_sets(samples, rows_of_batch, INPUT_SETS + 1, axes)):
        place = folder / f"{model.name}-batch{batch_size}-set{k}"
        place.mkdir(parents=True, exist_ok=True)
        names = [str(place / f"{i}.npy") for i in range(len(arrays))]
        for name, array in zip(names, arrays, strict=True):
            np.save(name, array, allow_pickle=False)
        paths.append(tuple(names))
        expected.append(tuple(output[rows] for output in reference))
    fresh = InputSets(paths=tuple(paths[INPUT_SETS:]), expected=tuple(expected[INPUT_SETS:]))
    return InputSets(paths=tuple(paths[:INPUT_SETS]), expected=tuple(expected[:INPUT_SETS]), fresh=fresh)
