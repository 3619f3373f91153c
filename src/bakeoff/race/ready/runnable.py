"""What stands ready for a heat: contenders that can start, and the inputs that they are shown."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff.engines.knobs import WITHOUT_SPINNING
from bakeoff.models.inputs import unstack
from bakeoff.records import THREADS, Contender, EngineSpec, Installed, ModelRecord, Scalar, TensorSpec
from bakeoff.worker.replies import Loaded, Outputs
from bakeoff.worker.session import WorkerSession, spawn_environment, temporary


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
    """Work of a runnable's own, done in place of the heat's model whatever the batch size: the canary's."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sets: InputSets
    tolerance: float


@dataclass(frozen=True)
class Runnable:
    """A contender that can start: its environment stands, and the model lies ready in the form it takes."""

    contender: Contender
    engine: EngineSpec
    installed: Installed
    model_path: Path
    task: Task | None = None
    overlay: Path | None = None
    """where its environment's Python imports LoadGen from, in a race under load"""

    @property
    def name(self) -> str:
        """The contender's."""
        return self.contender.name

    def settings(self, batch_size: int) -> dict[str, Any]:
        """As its adapter gets them: the engine's options, every knob's value, threads, and the case at hand."""
        contender = self.contender
        case = {THREADS: contender.threads, "precision": contender.precision, "batch_size": batch_size}
        return {**self.engine.usual, **dict(contender.settings), **case}

    @property
    def loads_once(self) -> bool:
        """Whether what it loads serves all batch sizes, as fast as if it were loaded for each."""
        settings = self.settings(1)
        fixed = any(settings[name] in knob.fixes_batch for name, knob in self.engine.knobs.items())
        return self.engine.loads_once and not fixed

    def load(self, session: WorkerSession, model: ModelRecord, batch_size: int) -> Loaded:
        """Load `model` in its worker; what took effect. Raises `WorkerError`."""
        reply = session.load(worker_model(self, model, batch_size), self.settings(batch_size))
        return msgspec.structs.replace(reply, effective=self.in_effect(reply))

    def in_effect(self, reply: Loaded) -> dict[str, Any]:
        """What a worker says took effect; knobs that environment variables turn, of which it need not know, as None."""
        turned = [name for name, knob in self.engine.knobs.items() if knob.env]
        return dict.fromkeys(turned) | dict(reply.effective)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that its workers need of their own; ``{threads}`` stands for how many."""
        return {**self.installed.env, **self.engine.env, **dict(self.contender.env)}

    @property
    def env(self) -> dict[str, str]:
        """All environment variables of its workers."""
        return spawn_environment(self.contender.threads, self.variables)

    def session(
        self, log: Path, timeout_s: float, scratch: Path, start: Callable[..., WorkerSession] = WorkerSession
    ) -> WorkerSession:
        """A fresh worker, which `start` starts; its outputs go to `scratch`. Raises `WorkerError` as that does."""
        return start(self.installed.command, self.engine.adapter, self.env | temporary(scratch), log, timeout_s)

    def having(self, env: Mapping[str, str] | None = None, /, **settings: Scalar) -> Self:
        """The same with these environment variables and settings over its own."""
        contender = self.contender.having(**settings)
        variables = tuple(sorted((dict(contender.env) | dict(env or {})).items()))
        return replace(self, contender=msgspec.structs.replace(contender, env=variables))

    def without_spinning(self) -> Self:
        """The same with threads that sleep while they wait, whatever its framework does by itself."""
        return self.having(WITHOUT_SPINNING, spin=False)


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


def answers_in(reply: Outputs, model: ModelRecord, batch_size: int) -> list[NDArray[np.generic]]:
    """The outputs that a reply tells of, samples first; as they are if they are not as many as the model's.

    Raises `WrongReplyError` where they cannot be read.
    """
    outputs = reply.arrays(sum(8 * math.prod(spec.at(batch_size)) for spec in model.outputs))
    if len(outputs) != len(model.outputs):
        return outputs
    return [unstack(output, spec.batch_axis) for output, spec in zip(outputs, model.outputs, strict=True)]
