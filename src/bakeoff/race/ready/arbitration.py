"""What to judge answers against where float64 has none: another engine's, or what the engines agree on."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff import fenced
from bakeoff.errors import ModelError, WorkerError
from bakeoff.models import sandbox
from bakeoff.models.inputs import input_sets, saved
from bakeoff.race.ready.runnable import Runnable, answers_in
from bakeoff.records import ModelRecord, Plan, Status
from bakeoff.worker.session import WorkerSession

Array = NDArray[np.generic]

UNOPTIMISED = {"graph_optimization": "none"}
"""ONNX Runtime's knob, at the value under which every operator runs as the model says."""


def unoptimised(runnable: Runnable | tuple[Status, str]) -> Runnable:
    """ONNX Runtime, `runnable`, unoptimised. Raises `WorkerError` where it is not there, as the reason says."""
    if not isinstance(runnable, Runnable):
        raise WorkerError(runnable[1])
    return runnable.having(**UNOPTIMISED)


def consensus(
    runnables: Sequence[Runnable], plan: Plan, model: ModelRecord, samples: Sequence[Path]
) -> tuple[list[Array], str]:
    """The middle value of what the engines answer, number by number, and its name, which names them.

    Of an even number the lower middle, so that it is always somebody's answer. Raises `ModelError` where no engine can
    run the model or the outputs differ in shape.
    """
    found: dict[str, list[Array]] = {}
    reasons: list[str] = []
    for runnable in runnables:
        try:
            found[runnable.name] = answers(runnable, plan, model, samples)
        except WorkerError as error:
            reasons.append(f"{runnable.name}: {error}")
    if not found:
        raise ModelError(f"{model.name}: no engine can run it: {'; '.join(reasons)}")
    name = f"the middle of what {', '.join(found)} answer" if len(found) > 1 else f"{next(iter(found))} alone"
    return middle(found), name


def middle(found: Mapping[str, Sequence[Array]]) -> list[Array]:
    """The lower middle of several engines' answers, number by number. Raises `ModelError` if they differ in shape."""
    try:
        stacks = [np.stack(of_all) for of_all in zip(*found.values(), strict=True)]
    except ValueError as error:
        raise ModelError(f"{', '.join(found)} answer in different shapes: nothing to judge them against") from error
    return [np.sort(stack, axis=0)[(len(stack) - 1) // 2] for stack in stacks]


def answers(runnable: Runnable, plan: Plan, model: ModelRecord, samples: Sequence[Path]) -> list[Array]:
    """What an engine answers to each sample by itself: [samples, ...] of each output. Raises `WorkerError`."""
    axes = [spec.batch_axis for spec in model.inputs]
    count = len(np.load(samples[0], mmap_mode="r", allow_pickle=False))
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        sets = enumerate(input_sets(samples, 1, count, axes))
        files = [saved(arrays, Path(folder) / f"set{k}") for k, (arrays, _) in sets]
        rows = answers_to(runnable, plan, model, files, model.fixed_batch or 1)
    try:
        return [np.concatenate(of_output) for of_output in zip(*rows, strict=True)]
    except ValueError as error:
        raise WorkerError(f"it answers in a shape of its own to each sample: {error}") from error


def answers_to(
    runnable: Runnable, plan: Plan, model: ModelRecord, sets: Sequence[Sequence[str]], batch_size: int
) -> list[list[Array]]:
    """What an engine answers to each of the input `sets`, samples first. Raises `WorkerError`.

    It may use as much memory as a model worker: some of its models are those which that was too little for.
    """
    command = tuple(fenced.command(runnable.installed.command, memory_mb=sandbox.Limits().memory_mb))
    bounded = replace(runnable, installed=msgspec.structs.replace(runnable.installed, command=command))
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as name:
        folder = Path(name)
        with bounded.session(folder / "log", plan.timeout_s, folder) as session:
            session.hello()
            runnable.load(session, model, batch_size)
            session.prepare(sets)
            return [_answer(session, k, folder, model, batch_size) for k in range(len(sets))]


def _answer(session: WorkerSession, k: int, folder: Path, model: ModelRecord, batch_size: int) -> list[Array]:
    """The outputs for one set, samples first. Raises `WorkerError` if they are too few, too many or no numbers."""
    outputs = answers_in(session.outputs(k, folder), model, batch_size)
    if len(outputs) != len(model.outputs):
        raise WorkerError(f"{len(outputs)} outputs instead of {len(model.outputs)}")
    odd = [str(output.dtype) for output in outputs if output.dtype.kind not in "biuf"]
    if odd:
        raise WorkerError(f"its outputs are {', '.join(odd)}, and not numbers")
    return outputs
