"""What a model's answers are held against: its samples, the answers expected, and how far off they may be."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import ModelError, NoReferenceError, StoreError, WorkerError
from bakeoff.judge.case.leagues import FLOOR, UNSURE, calibrated, fixed
from bakeoff.judge.case.output_error import either, of_size
from bakeoff.judge.case.parity import compare, judge
from bakeoff.models.inputs import input_sets, saved
from bakeoff.models.library import ModelLibrary
from bakeoff.models.samples import Samples
from bakeoff.race.ready import arbitration, labelled_pictures
from bakeoff.race.ready.observer import Observer
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import FLOAT64, ModelRecord, Plan, Status

Array = NDArray[Any]
Answers = Callable[[Sequence[Sequence[str]], int], Sequence[Sequence[Array]]]
"""of input sets, each as .npy files, and their batch size: of each set the answer of each output, samples first"""

INPUT_SETS = 3
"""to race on, or as many as hold every sample; one more is kept back, see `InputSets.fresh`"""
SAMPLES = 8
"""Distinct inputs per model; a larger batch repeats them. The float64 reference of each takes a second or two."""
TRIED_TOGETHER = 3
"""of them, to see whether they are answered as each one alone"""
NO_DIGIT = 0.1
"""Where rounding to fp32 moves an answer by more than this share of it, fp32 leaves no digit of it."""


@dataclass(frozen=True)
class Exam:
    """One model's questions and answers, the same for every contender and at every batch size."""

    model: ModelRecord
    """with the reference's name and the tolerances that follow from it"""
    samples: Sequence[Path]
    """of each input, a .npy file [samples, ...]; without a batch axis where the input has none"""
    reference: Sequence[Array]
    """of each output, the answers expected, [samples, ...]; some as `either` or `of_size`"""
    by_batch: Answers | None = None
    """what answers whole batches, where an answer depends on the others in its batch"""

    @property
    def tolerance(self) -> float:
        """The parity error up to which an answer is right in some precision."""
        return self.model.tolerances.bf16

    def input_sets(self, batch_size: int, folder: Path) -> InputSets:
        """The input sets of one batch size, written under `folder`, and the answers to each; the last is kept back."""
        paths, expected = [], list[Sequence[Array]]()
        rows_of_batch = batch_size if self.model.fixed_batch is None else 1
        axes = [spec.batch_axis for spec in self.model.inputs]
        sets = max(INPUT_SETS + 1, -(-len(np.load(self.samples[0], mmap_mode="r")) // rows_of_batch))
        for k, (arrays, rows) in enumerate(input_sets(self.samples, rows_of_batch, sets, axes)):
            paths.append(tuple(saved(arrays, folder / f"{self.model.name}-batch{batch_size}-set{k}")))
            expected.append([output[rows] for output in self.reference])
        answers = tuple(map(tuple, self.by_batch(paths, batch_size) if self.by_batch else expected))
        fresh = InputSets(paths=tuple(paths[-1:]), expected=answers[-1:])
        return InputSets(paths=tuple(paths[:-1]), expected=answers[:-1], fresh=fresh)

    def laid_out(self, plan: Plan, library: ModelLibrary, folder: Path) -> dict[int, InputSets]:
        """The input sets of every batch size, written under `folder`; labelled pictures go with the smallest.

        Raises `StoreError` if `folder` cannot be written to, and `ModelError` where nothing answers whole batches.
        """
        try:
            made = {size: self.input_sets(size, folder) for size in plan.sizes(self.model.name)}
            if self.model.pictures:
                size, place = min(made), folder / f"{self.model.name}-pictures"
                labelled = labelled_pictures.labelled_sets(self.model, Path(plan.pictures), size, library, place)
                made[size] = replace(made[size], labelled=labelled)
        except WorkerError as error:
            raise ModelError(f"{self.model.name}: no answer to a whole batch: {error}") from error
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
        calibrated_model, answers = calibrate(samples, samples.reference(observer.say), observer)
        judged = msgspec.structs.replace(calibrated_model, reference=FLOAT64)  # a resumed run's may say more
        found = Exam(judged, samples.files, with_other_answers(samples, answers, observer))
        return in_company(found, plan, lambda sets, _: samples.reference_of(sets, observer.say), observer)
    except NoReferenceError as error:
        observer.note(str(error))
    observer.say(f"asking ONNX Runtime without optimisations about {model.name}")
    try:
        reader = arbitration.unoptimised(arbiter())
        answers = arbitration.answers(reader, plan, model, samples.files)
        found = _judged_by(answers, "ONNX Runtime without optimisations", samples)
        return in_company(found, plan, partial(arbitration.answers_to, reader, plan, model), observer)
    except WorkerError as error:
        observer.note(f"{model.name}: no answer of ONNX Runtime without optimisations: {error}")
        return _judged_by(*arbitration.consensus(runnables, plan, model, samples.files), samples)


def in_company(found: Exam, plan: Plan, together: Answers, observer: Observer) -> Exam:
    """`found`, judged by what `together` answers to whole batches where that is not what each sample gets alone.

    So where values are quantised by the range of a whole batch, or where a mean is taken over it.
    """
    model, axes = found.model, [spec.batch_axis for spec in found.model.inputs]
    if model.fixed_batch is not None or all(axis is None for axis in axes) or max(plan.sizes(model.name)) == 1:
        return found
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        arrays, rows = next(input_sets(found.samples, TRIED_TOGETHER, 1, axes))
        try:
            [answers] = together([saved(arrays, Path(folder))], TRIED_TOGETHER)
        except (ModelError, WorkerError) as error:
            observer.note(f"{model.name}: samples in a batch are taken to be answered as each alone: {error}")
            return found
    parity, fault = compare(answers, [output[rows] for output in found.reference])
    if judge(parity, fault, tolerance=min(model.tolerances.fp32, UNSURE))[0] is Status.OK:
        return found
    observer.note(f"{model.name}: an answer depends on the others in its batch, so each batch is judged as a whole")
    reference = f"{model.reference}, each batch as a whole"
    return replace(found, model=msgspec.structs.replace(model, reference=reference), by_batch=together)


def with_other_answers(samples: Samples, reference: Sequence[Array], observer: Observer) -> Sequence[Array]:
    """`reference`; integers and truths that rounding to fp32 may change as `either`."""
    if not any(output.dtype.kind in "biu" for output in reference):
        return reference
    try:
        others = samples.other_answers(observer.say)
    except ModelError as error:
        observer.note(f"{error}; its integers must be equal")
        return reference
    return [
        either(output, other) if output.dtype.kind in "biu" and not np.array_equal(output, other) else output
        for output, other in zip(reference, others, strict=True)
    ]


def _judged_by(answers: list[Array], name: str, samples: Samples) -> Exam:
    tolerances = fixed(quantized=samples.model.quantized)
    return Exam(msgspec.structs.replace(samples.model, reference=name, tolerances=tolerances), samples.files, answers)


def calibrate(samples: Samples, reference: Sequence[Array], observer: Observer) -> tuple[ModelRecord, list[Array]]:
    """What rounding does to the outputs, if that can be computed: tolerances of the model, and how its answers compare.

    Of `reference`, an output that is in some sample nothing but what cancelling has left comes back as `of_size`.
    """
    try:
        answers = samples.rounded(observer.say)
    except ModelError as error:
        observer.note(f"{error}; its tolerance is a fixed number")
        return samples.model, list(reference)
    sized = [_of_its_terms(*pair) for pair in zip(reference, answers["fp32"], strict=True)]
    floats = [index for index, output in enumerate(reference) if output.dtype.kind == "f"]
    expected = [sized[index] for index in floats]
    rounding = {
        precision: compare([outputs[index] for index in floats], expected)[0].max_rel_error
        for precision, outputs in answers.items()
    }
    return msgspec.structs.replace(samples.model, tolerances=calibrated(rounding)), sized


def _of_its_terms(exact: Array, rounded: Array) -> Array:
    """`exact`, as `of_size` if rounding to fp32 leaves no digit of a sample: its terms are as large as that tells."""
    if exact.dtype.kind != "f" or exact.shape != rounded.shape or not exact.size:
        return exact
    with np.errstate(invalid="ignore"):  # infinities, whose difference is NaN and does not count
        difference = np.abs(exact - rounded)
    rows = len(exact)
    move = np.where(np.isfinite(difference), difference, 0).reshape(rows, -1).max(axis=1)
    largest = np.where(np.isfinite(exact), np.abs(exact), 0).reshape(rows, -1).max(axis=1)
    is_lost = move > NO_DIGIT * largest
    return of_size(exact, np.where(is_lost, move / FLOOR["fp32"], 0)) if is_lost.any() else exact
