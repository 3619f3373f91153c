"""What a model's answers are held against: its samples, the answers expected, and how far off they may be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import ModelError, NoReferenceError, StoreError, WorkerError
from bakeoff.judge.case.leagues import calibrated, fixed
from bakeoff.judge.case.output_error import either
from bakeoff.judge.case.parity import compare
from bakeoff.models.inputs import input_sets, saved
from bakeoff.models.library import ModelLibrary
from bakeoff.models.samples import Samples
from bakeoff.race.ready import arbitration, labelled_pictures
from bakeoff.race.ready.observer import Observer
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import ModelRecord, Plan, Status

INPUT_SETS = 3
"""to race on; one more is kept back, see `InputSets.fresh`"""
SAMPLES = 8
"""Distinct inputs per model; a larger batch repeats them. The float64 reference of each takes a second or two."""
ROUNDED_SAMPLES = 3
"""How many of them are computed once more in each precision, to learn what rounding alone does to the outputs."""


@dataclass(frozen=True)
class Exam:
    """One model's questions and answers, the same for every contender and at every batch size."""

    model: ModelRecord
    """with the reference's name and the tolerances that follow from it"""
    samples: Sequence[Path]
    """of each input, a .npy file [samples, ...]; without a batch axis where the input has none"""
    reference: Sequence[NDArray[np.generic]]
    """of each output, the answers expected, [samples, ...]; as `either` where rounding allows for another one"""

    @property
    def tolerance(self) -> float:
        """The parity error up to which an answer is right in some precision."""
        return self.model.tolerances.bf16

    def input_sets(self, batch_size: int, folder: Path) -> InputSets:
        """The input sets of one batch size, written under `folder`, and the answers to each; the last is kept back."""
        paths, expected = [], []
        rows_of_batch = batch_size if self.model.fixed_batch is None else 1
        axes = [spec.batch_axis for spec in self.model.inputs]
        for k, (arrays, rows) in enumerate(input_sets(self.samples, rows_of_batch, INPUT_SETS + 1, axes)):
            paths.append(tuple(saved(arrays, folder / f"{self.model.name}-batch{batch_size}-set{k}")))
            expected.append(tuple(output[rows] for output in self.reference))
        fresh = InputSets(paths=tuple(paths[INPUT_SETS:]), expected=tuple(expected[INPUT_SETS:]))
        return InputSets(paths=tuple(paths[:INPUT_SETS]), expected=tuple(expected[:INPUT_SETS]), fresh=fresh)

    def laid_out(self, plan: Plan, library: ModelLibrary, folder: Path) -> dict[int, InputSets]:
        """The input sets of every batch size, written under `folder`; labelled pictures go with the smallest.

        Raises `StoreError` if `folder` cannot be written to.
        """
        try:
            made = {size: self.input_sets(size, folder) for size in plan.sizes(self.model.name)}
            if self.model.pictures:
                size, place = min(made), folder / f"{self.model.name}-pictures"
                labelled = labelled_pictures.labelled_sets(self.model, Path(plan.pictures), size, library, place)
                made[size] = replace(made[size], labelled=labelled)
        except OSError as error:
            raise StoreError(
                f"the inputs cannot be written to {folder}: {error}", "set BAKEOFF_CACHE to a roomier disk"
            ) from error
        return made


def exam(
    plan: Plan,
    samples: Samples,
    runnables: Sequence[Runnable],
    observer: Observer,
    arbiter: Callable[[], Runnable | tuple[Status, str]],
) -> Exam:
    """The exam of the model that `samples` are of, judged by its float64 reference.

    Where there is none, what `arbiter` makes ready judges, ONNX Runtime without optimisations; where that cannot run
    the model, the middle of what the engines answer. For a model without ONNX the last of these. Raises `ModelError`
    where nothing judges it.
    """
    model = samples.model
    if model.unconverted:
        if not runnables:
            raise ModelError(
                f"{model.name}: no engine here can run it: {model.unconverted}",
                f'Engines whose engine.toml says takes = ["{model.source}"] run it as it is; name one by --engines.',
            )
        observer.say(f"asking the engines that take {model.name} as it is")
        return _judged_by(*arbitration.consensus(runnables, plan, model, samples.files), samples)
    try:
        answers = samples.reference(observer.say)
        calibrated_model = calibrate(samples, answers, observer)
        return Exam(calibrated_model, samples.files, with_other_answers(samples, answers, observer))
    except NoReferenceError as error:
        observer.note(str(error))
    observer.say(f"asking ONNX Runtime without optimisations about {model.name}")
    try:
        return _judged_by(*arbitration.unoptimised(arbiter(), plan, model, samples.files), samples)
    except WorkerError as error:
        observer.note(f"{model.name}: no answer of ONNX Runtime without optimisations: {error}")
        return _judged_by(*arbitration.consensus(runnables, plan, model, samples.files), samples)


def with_other_answers(
    samples: Samples, reference: Sequence[NDArray[np.generic]], observer: Observer
) -> Sequence[NDArray[np.generic]]:
    """`reference`; integers and truths that rounding to fp32 may change as `either`."""
    if all(output.dtype.kind == "f" for output in reference):
        return reference
    try:
        others = samples.other_answers(observer.say)
    except ModelError as error:
        observer.note(f"{error}; its integers must be equal")
        return reference
    return [
        output if output.dtype.kind == "f" or np.array_equal(output, other) else either(output, other)
        for output, other in zip(reference, others, strict=True)
    ]


def _judged_by(answers: list[NDArray[np.generic]], name: str, samples: Samples) -> Exam:
    tolerances = fixed(quantized=samples.model.quantized)
    return Exam(msgspec.structs.replace(samples.model, reference=name, tolerances=tolerances), samples.files, answers)


def calibrate(samples: Samples, reference: Sequence[NDArray[np.generic]], observer: Observer) -> ModelRecord:
    """The model with the tolerances that follow from what rounding does to its outputs, if that can be computed."""
    try:
        answers = samples.rounded(ROUNDED_SAMPLES, observer.say)
    except ModelError as error:
        observer.note(f"{error}; its tolerance is a fixed number")
        return samples.model
    floats = [index for index, output in enumerate(reference) if output.dtype.kind == "f"]
    expected = [reference[index][:ROUNDED_SAMPLES] for index in floats]
    rounding = {
        precision: compare([outputs[index] for index in floats], expected)[0].max_rel_error
        for precision, outputs in answers.items()
    }
    return msgspec.structs.replace(samples.model, tolerances=calibrated(rounding))
