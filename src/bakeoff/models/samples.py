"""Inputs of a model, and the answers to them in float64 and in coarser precisions: made once, kept in the cache."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from bakeoff.errors import ModelError, ModelTaskError, NoReferenceError
from bakeoff.models import inputs, sandbox
from bakeoff.models.cached import holds_an_array, load_arrays, making
from bakeoff.models.sandbox import Report
from bakeoff.models.sources import sha256
from bakeoff.records import PRECISIONS, ModelRecord

SECONDS_PER_SAMPLE = 120.0
"""The most that one sample's reference may take."""

Arrays = list[NDArray[np.generic]]
"""one per output, [count, ...]"""


class Samples:
    """Inputs of one model, seeded or the user's own, and the answers to them."""

    def __init__(self, model: ModelRecord, path: Path, seed: int, count: int) -> None:
        """`count` of them, at most as many as the user gave; `path` is the model's ONNX file in the cache."""
        self.model = model
        self.count = min(count, model.data_samples or count)
        self._path, self._folder, self._seed = path, path.parent, seed

    @cached_property
    def files(self) -> list[Path]:
        """One .npy file per model input, [count, ...], C-contiguous.

        An input without a batch axis, in a model that has one, is the same for all samples.
        """
        if self.model.data_digest:
            return [own_file_of(self._folder, self.model, index) for index in range(len(self.model.inputs))]
        made, count = [], self.count
        for index, spec in enumerate(self.model.inputs):
            target = self._folder / f"samples-seed{self._seed}-count{count}-input{index}.npy"
            shared = spec.batch_axis is None and self.model.fixed_batch is None
            with making(target, holds_an_array) as scratch:
                if scratch:
                    rows = 1 if shared else count
                    array = inputs.draw(spec.dtype, spec.sample_shape, self._seed + index, rows, below=spec.below)
                    with scratch.open("wb") as file:
                        np.save(file, np.repeat(array, count, axis=0) if shared else array, allow_pickle=False)
            made.append(target)
        return made

    def reference(self, report: Report | None = None) -> Arrays:
        """The answers in float64.

        What the cache holds is used, and extended sample by sample, so an interrupted reference goes on where it
        stopped. Raises `NoReferenceError` where `onnx.reference` cannot compute the model, or not within the limits.
        """
        return self._extended("reference", report)

    def reference_of(self, batches: Sequence[Sequence[str]], report: Report | None = None) -> list[Arrays]:
        """The answers in float64 to each batch, which lies in one .npy file per input: of each output, samples first.

        Kept in the cache by what the batch holds. Raises `NoReferenceError` as `reference` does.
        """
        names = [hashlib.sha256("".join(map(sha256, map(Path, files))).encode()).hexdigest() for files in batches]
        targets = [self._folder / f"batch-{name[:16]}.npz" for name in names]
        missing = {
            str(target): list(files) for target, files in zip(targets, batches, strict=True) if not load_arrays(target)
        }
        if missing:
            arguments: dict[str, object] = {"path": str(must_be_there(self.model, self._path)), "batches": missing}
            self._compute("answer_batches", arguments, self.count * len(missing), report)
        return [load_arrays(target) for target in targets]

    def other_answers(self, report: Report | None = None) -> Arrays:
        """What else rounding to fp32 may make of each answer: the answer itself where nothing, False of floats.

        Raises `NoReferenceError` as `reference` does.
        """
        return self._extended("other_answers", report)

    def _extended(self, what: str, report: Report | None) -> Arrays:
        target = self._folder / f"{what}-{self._drawn}.npz"
        with FileLock(f"{target}.lock"):
            have = load_arrays(target)
            if not have or len(have[0]) < self.count:
                self._compute(f"extend_{what}", {**self._asked(), "target": str(target)}, self.count, report)
                have = load_arrays(target)
        return [array[: self.count] for array in have]

    def _compute(self, task: str, arguments: dict[str, object], count: int, report: Report | None) -> None:
        """Let a model worker compute `count` samples in float64."""
        limits = sandbox.Limits(seconds=SECONDS_PER_SAMPLE * count)
        try:
            sandbox.run(task, arguments, limits=limits, report=report, what=self.model.name)
        except ModelTaskError as error:
            raise NoReferenceError(f"no float64 reference: {error}") from error

    def rounded(self, report: Report | None = None) -> dict[str, Arrays]:
        """Precision -> what the model answers when computed in it.

        Arrays like those of `reference`, cached beside them. Raises `ModelError` where they cannot be computed.
        """
        targets = {precision: self._folder / f"rounded-{precision}-{self._drawn}.npz" for precision in PRECISIONS}
        with FileLock(f"{self._folder / f'rounded-{self._drawn}'}.lock"):
            have = {precision: load_arrays(target) for precision, target in targets.items()}
            if any(not arrays or len(arrays[0]) < self.count for arrays in have.values()):
                files = {precision: str(target) for precision, target in targets.items()}
                limits = sandbox.Limits(seconds=SECONDS_PER_SAMPLE * self.count * len(targets))
                arguments = {**self._asked(), "targets": files}
                sandbox.run("extend_rounded", arguments, limits=limits, report=report, what=self.model.name)
                have = {precision: load_arrays(target) for precision, target in targets.items()}
        return {precision: [array[: self.count] for array in arrays] for precision, arrays in have.items()}

    def _asked(self) -> dict[str, object]:
        path = must_be_there(self.model, self._path)
        return {"path": str(path), "samples": [str(file) for file in self.files], "count": self.count}

    @property
    def _drawn(self) -> str:
        """Where the inputs come from, as part of a file's name."""
        return drawn_from(self.model, self._seed)


def must_be_there(model: ModelRecord, path: Path) -> Path:
    """The model's ONNX file. Raises `ModelError` if the cache lost it."""
    if not path.is_file():
        raise ModelError(f"{model.name} is gone from the cache ({path})", "Run the command again to make it anew.")
    return path


def drawn_from(model: ModelRecord, seed: int) -> str:
    """Where inputs of `model` come from, as part of a file's name: the user's own, or `seed`."""
    return f"data{model.data_digest[:16]}" if model.data_digest else f"seed{seed}"


def own_file_of(folder: Path, model: ModelRecord, index: int) -> Path:
    """The file of one input of the user's own."""
    return folder / f"samples-{drawn_from(model, 0)}-input{index}.npy"
