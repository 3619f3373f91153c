"""What stands ready for a heat: contenders that can start, and the inputs that they are shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.records import EngineSpec, Installed, ModelRecord, TensorSpec


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures as input sets of one batch size."""

    paths: tuple[str, ...]
    """[set] -> .npy file of the only input"""
    labels: tuple[tuple[int, ...], ...]
    """[set] -> the classes of its pictures; of fewer than the batch has where the last was filled up"""


@dataclass(frozen=True)
class InputSets:
    """The K input sets of one batch size, and the answers expected of each."""

    paths: tuple[tuple[str, ...], ...]
    """[set][model input] -> .npy file"""
    expected: tuple[tuple[NDArray[np.generic], ...], ...]
    """[set][model output] -> the reference, batch first"""
    fresh: "InputSets | None" = None
    """sets that no engine sees before timing is over"""
    labelled: Labelled | None = None
    """what tells the accuracy, at one batch size"""

    @property
    def sets(self) -> int:
        """K."""
        return len(self.paths)


@dataclass(frozen=True)
class Task:
    """Work of an runnable's own, done in place of the heat's model whatever the batch size: the canary's."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sets: InputSets
    tolerance: float


@dataclass(frozen=True)
class Runnable:
    """An engine that can start: its environment stands, and the model lies ready in the form it takes."""

    engine: EngineSpec
    installed: Installed
    model_path: Path
    task: Task | None = None
    overlay: Path | None = None
    """where its environment's Python imports LoadGen from, in a race under load"""


def worker_model(runnable: Runnable, model: ModelRecord, batch_size: int) -> dict[str, Any]:
    """`model` as the worker's `load` wants it."""
    inputs, outputs = (
        [{"name": spec.name, "dtype": spec.dtype, "shape": spec.at(batch_size)} for spec in side]
        for side in (model.inputs, model.outputs)
    )
    return {
        "path": str(runnable.model_path),
        "format": runnable.engine.model.format,
        "inputs": inputs,
        "outputs": outputs,
    }
