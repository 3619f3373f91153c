"""The canary: a fixed matrix product and convolution of our own, run in every heat by one more worker.

It takes its turns like any worker and so sees the same drift, but its work never changes, nor do its threads: what its
speed does from round to round, and from run to run, is the machine's doing. Its trials bear the heat's model name and
batch size, and that says when they ran, not what. Without it, as where its environment cannot be had, a race goes on
all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import EnvironmentUnavailableError, StoreError
from bakeoff.race.ready.runnable import InputSets, Runnable, Task
from bakeoff.records import CANARY, UNCALIBRATED, Case, Contender, EngineSpec, Installed, Status, TensorSpec, Trial

SEED = 20190707
"""of the operands: another one would be another canary"""
SIDE = 384
"""of the square matrix: its product takes 0.11 GFLOP, some milliseconds"""
CHANNELS, IMAGE, KERNEL = 64, 30, 3
"""a layer like ResNet's second stage: 0.06 GFLOP"""
CONTENDER = Contender(name=CANARY, engine=CANARY).having(threads=1, version=2)
"""The same in every run, whatever it is run beside. The version changes with whatever changes its speed: the first one
had as many threads as its run."""


def runnable(
    spec: EngineSpec | None,
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    folder: Path,
) -> Runnable | None:
    """The canary, its operands written under `folder`.

    None where its environment is not among those `standing`.

    Raises `StoreError` if `folder` cannot be written to.
    """
    installed = standing.get(spec.environment.name) if spec else None
    if spec is None or not isinstance(installed, Installed):
        return None
    return Runnable(contender=CONTENDER, engine=spec, installed=installed, model_path=folder, task=task(folder))


def task(folder: Path) -> Task:
    """The operands, each a float32 .npy file, and the answers to them in float64."""
    rng = np.random.default_rng(SEED)
    operands = {
        "matrix": uniform(rng, SIDE, SIDE),
        "image": uniform(rng, CHANNELS, IMAGE, IMAGE),
        "kernels": uniform(rng, CHANNELS, CHANNELS, KERNEL, KERNEL),
    }
    exact = {name: array.astype(np.float64) for name, array in operands.items()}
    answers = {
        "product": exact["matrix"] @ exact["matrix"],
        "convolution": convolution(exact["image"], exact["kernels"]),
    }
    place = folder / CANARY
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, array in operands.items():
            np.save(place / f"{name}.npy", array, allow_pickle=False)
    except OSError as error:
        raise StoreError(f"the canary's operands cannot be written to {place}: {error}") from error
    return Task(
        inputs=tuple(spec_of(name, array) for name, array in operands.items()),
        outputs=tuple(spec_of(name, array.astype(np.float32)) for name, array in answers.items()),
        sets=InputSets(
            paths=(tuple(str(place / f"{name}.npy") for name in operands),),
            expected=(tuple(answer[np.newaxis] for answer in answers.values()),),
        ),
        tolerance=UNCALIBRATED.fp32,
    )


def uniform(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Values in [-1, 1)."""
    return rng.uniform(-1, 1, shape).astype(np.float32)


def convolution(image: NDArray[np.float64], kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, H, W) with (O, C, k, k), unpadded -> (O, H - k + 1, W - k + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernels.shape[2:], axis=(1, 2))
    answer: NDArray[np.float64] = np.einsum("chwij,ocij->ohw", windows, kernels, optimize=True)
    return answer


def spec_of(name: str, array: NDArray[np.generic]) -> TensorSpec:
    """An operand's or an answer's signature; it has no batch size."""
    return TensorSpec(name=name, dtype=str(array.dtype), shape=array.shape)


def join(
    canary_runnable: Runnable | None, group: Sequence[Runnable], wanted: set[Case], trials: Iterable[Trial]
) -> tuple[Sequence[Runnable], set[Case]]:
    """The runnables and cases of a heat of `group`, the canary among them unless there is none or it failed before."""
    if canary_runnable is None or any(
        trial.case.contender.name == CANARY and trial.status is not Status.OK for trial in trials
    ):
        return group, wanted
    names = {runnable.name for runnable in group}
    beside = {
        msgspec.structs.replace(case, contender=canary_runnable.contender)
        for case in wanted
        if case.contender.name in names
    }
    return [*group, canary_runnable], wanted | beside
