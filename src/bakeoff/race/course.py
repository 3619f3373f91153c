"""What all contenders of a heat share: the model, its inputs, the answers expected, and the rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff.records import EngineSpec, Installed, ModelRecord, Plan, TensorSpec


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures as input sets of one batch size."""

    paths: tuple[str, ...]
    """[set] -> .npy file of the only input"""
    labels: tuple[tuple[int, ...], ...]
    """[set] -> the classes of its pictures; of fewer than the batch has where the last was filled up"""


@dataclass(frozen=True)
class Material:
    """The K input sets of one batch size, and the answers expected of each."""

    paths: tuple[tuple[str, ...], ...]
    """[set][model input] -> .npy file"""
    expected: tuple[tuple[NDArray[np.generic], ...], ...]
    """[set][model output] -> the reference, batch first"""
    fresh: "Material | None" = None
    """sets that no engine sees before timing is over"""
    labelled: Labelled | None = None
    """what tells the accuracy, at one batch size"""

    @property
    def sets(self) -> int:
        """K."""
        return len(self.paths)


@dataclass(frozen=True)
class Task:
    """Work of an entry's own, done in place of the heat's model whatever the batch size: the canary's."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    material: Material
    tolerance: float


@dataclass(frozen=True)
class Entry:
    """An engine that can start: its environment stands, and the model lies ready in the form it takes."""

    engine: EngineSpec
    installed: Installed
    model_path: Path
    task: Task | None = None
    overlay: Path | None = None
    """where its environment's Python imports LoadGen from, in a race under load"""


def worker_model(entry: Entry, model: ModelRecord, batch_size: int) -> dict[str, Any]:
    """`model` as the worker's `load` wants it."""
    inputs, outputs = (
        [{"name": spec.name, "dtype": spec.dtype, "shape": spec.at(batch_size)} for spec in side]
        for side in (model.inputs, model.outputs)
    )
    return {
        "path": str(entry.model_path),
        "format": entry.engine.model.format,
        "inputs": inputs,
        "outputs": outputs,
    }


@dataclass(frozen=True)
class Course:
    """One heat's ground: the same for every contender."""

    plan: Plan
    round: int
    model: ModelRecord
    materials: Mapping[int, Material]
    """by batch size"""
    tolerance: float
    logs: Path
    scratch: Path
    time_is_up: Callable[[], bool]
    """asked before each batch size: once true, the heat ends early and what was measured stands"""
    say: Callable[[str], None]
    """told what happens next, always before a worker wakes: nothing is drawn while one runs"""
    repeats_help: Callable[[], bool] = lambda: True
    """asked before each repeat of what others disturbed: once false, no more is raced again in this heat"""
    happens_once: Callable[[float], None] = lambda seconds: None  # noqa: ARG005 - nobody plans by it
    """told how many seconds went into what a later heat will not do again"""
    bursts: Mapping[int, int] = field(default_factory=dict)
    """of each case, by batch size; the plan's number where none is given"""

    def bursts_at(self, batch_size: int) -> int:
        """How many turns each contender takes."""
        return self.bursts.get(batch_size, self.plan.bursts)

    def with_task_of(self, entry: Entry) -> Self:
        """The course as `entry` runs it: this one, unless it has a task of its own."""
        task = entry.task
        if task is None:
            return self
        model = msgspec.structs.replace(self.model, inputs=task.inputs, outputs=task.outputs, classes=None)
        materials = dict.fromkeys(self.materials, task.material)
        return replace(self, model=model, materials=materials, tolerance=task.tolerance)
