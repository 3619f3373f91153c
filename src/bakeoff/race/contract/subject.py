"""An engine on its own: its real environment, the real worker, a tiny network, and no clock but the worker's."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.models.inputs import input_sets
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready.conversion import in_form
from bakeoff.race.ready.runnable import Runnable, worker_model
from bakeoff.records import EngineSpec, Installed, ModelRecord
from bakeoff.worker.session import WITHOUT_SPINNING, WorkerSession, spawn_environment

MODEL = "resnet-tiny"
SEED, SAMPLES, SETS = 7, 9, 3
TIMEOUT_S = 300.0

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class EngineUnderTest:
    """An engine, its environments, and the tiny network, in the form that it takes."""

    engine: EngineSpec
    standing: Mapping[str, Installed]
    library: ModelLibrary
    model: ModelRecord
    folder: Path
    """for inputs, outputs and the workers' log"""
    note: Callable[[str], None]

    @contextmanager
    def worker(self, threads: int, *, spin: bool = True) -> Iterator["WorkerUnderTest"]:
        """A fresh worker that has said hello. Raises `WorkerError` where it cannot."""
        installed = self.standing[self.engine.environment.name]
        env = spawn_environment(threads, installed.env, self.engine.env, {} if spin else WITHOUT_SPINNING)
        with WorkerSession(installed.command, self.engine.adapter, env, self.log, TIMEOUT_S) as session:
            yield WorkerUnderTest(self, session, session.hello(), threads, spin)

    @property
    def log(self) -> Path:
        """What its workers wrote, tracebacks included."""
        return self.folder / "worker.log"

    @property
    def model_path(self) -> Path:
        """The network in the engine's form, made if need be. Raises as `in_form` does."""
        return in_form(self.model, self.engine.model, self.standing, self.library, self.note)


@dataclass(frozen=True)
class WorkerUnderTest:
    """A worker under test. What it answers badly to raises `WorkerError`."""

    subject: EngineUnderTest
    session: WorkerSession
    hello: Mapping[str, Any]
    threads: int
    spin: bool

    def settings(self, batch_size: int, precision: str | None = None) -> dict[str, Any]:
        """As a race asks for them, by default in the engine's own league."""
        engine = self.subject.engine
        asked = {"threads": self.threads, "precision": precision or engine.league, "batch_size": batch_size}
        return {**engine.options, **asked, **({} if self.spin else {"spin": False})}

    def load(self, batch_size: int, *, path: Path | None = None, precision: str | None = None) -> dict[str, Any]:
        """Load the network; returns what took effect."""
        subject = self.subject
        installed = subject.standing[subject.engine.environment.name]
        runnable = Runnable(subject.engine, installed, path or subject.model_path)
        model = worker_model(runnable, subject.model, batch_size)
        loaded = self.session.call("load", model=model, settings=self.settings(batch_size, precision))
        return dict(loaded["effective"])

    def prepare(self, batch_size: int) -> list[list[int]]:
        """Give it the input sets; returns which sample each row of each set is."""
        files, rows_of_sets = [], []
        samples = self.subject.library.samples(self.subject.model, SEED, SAMPLES)
        for k, (arrays, rows) in enumerate(input_sets(samples, batch_size, SETS)):
            paths_of_set = [self.subject.folder / f"input-{k}-{i}.npy" for i in range(len(arrays))]
            for path, array in zip(paths_of_set, arrays, strict=True):
                np.save(path, array)
            files.append([str(path) for path in paths_of_set])
            rows_of_sets.append(rows)
        self.session.call("prepare", input_sets=files)
        return rows_of_sets

    def outputs(self, k: int) -> Arrays:
        """What it answers to set `k`."""
        reply = self.session.call("outputs", k=k, directory=str(self.subject.folder))
        return [np.load(path) for path in reply["paths"]]
