"""What all contenders of a heat share: the model, its inputs, the answers expected, and the rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.records import EngineSpec, Installed, ModelRecord, Plan


@dataclass(frozen=True)
class Entry:
    """An engine that can start: its environment stands, and the model lies ready in the form it takes."""

    engine: EngineSpec
    installed: Installed
    model_path: Path


@dataclass(frozen=True)
class Material:
    """The K input sets of one batch size, and the float64 answers to each."""

    paths: tuple[tuple[str, ...], ...]
    """[set][model input] -> .npy file"""
    expected: tuple[tuple[NDArray[np.generic], ...], ...]
    """[set][model output] -> the reference, batch first"""
    fresh: "Material | None" = None
    """sets that no engine sees before timing is over"""

    @property
    def sets(self) -> int:
        """K."""
        return len(self.paths)


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
