"""An engine on its own: its real environment, the real worker, a tiny network, and no clock but the worker's."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from bakeoff.engines.knobs import variables
from bakeoff.models.inputs import input_sets, saved
from bakeoff.models.library import ModelLibrary
from bakeoff.models.samples import Samples
from bakeoff.race.ready.conversion import in_form
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Contender, EngineSpec, Installed, ModelRecord, Scalar
from bakeoff.worker.replies import Hello
from bakeoff.worker.session import WorkerSession

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
    def worker(
        self, threads: int, *, spin: bool = True, settings: Mapping[str, Scalar] | None = None
    ) -> Iterator["WorkerUnderTest"]:
        """A fresh worker that has said hello, its engine's knobs as in `settings`. Raises `WorkerError`."""
        turned = settings or {}
        contender = Contender(name=self.engine.name, engine=self.engine.name, precision=self.engine.league)
        installed = self.standing[self.engine.environment.name]
        runnable = Runnable(contender.having(threads=threads), self.engine, installed, self.model_path)
        runnable = runnable.having(variables(self.engine.knobs, turned), **turned)
        runnable = runnable if spin else runnable.without_spinning()
        with runnable.session(self.log, TIMEOUT_S, self.folder) as session:
            yield WorkerUnderTest(self, runnable, session, session.hello())

    @property
    def samples(self) -> Samples:
        """What the network is asked, and the answers expected."""
        return self.library.samples(self.model, SEED, SAMPLES)

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
    runnable: Runnable
    session: WorkerSession
    hello: Hello

    @property
    def threads(self) -> int:
        """How many it was asked to use."""
        return self.runnable.contender.threads or 0

    def having(self, settings: Mapping[str, Scalar]) -> "WorkerUnderTest":
        """The same worker, whose loads ask for these settings besides."""
        return replace(self, runnable=self.runnable.having(**settings))

    def load(self, batch_size: int, *, path: Path | None = None, precision: str | None = None) -> Mapping[str, Any]:
        """Load the network; returns what took effect."""
        contender = self.runnable.contender
        asked = msgspec.structs.replace(contender, precision=precision or contender.precision)
        runnable = replace(self.runnable, contender=asked, model_path=path or self.runnable.model_path)
        return runnable.load(self.session, self.subject.model, batch_size).effective

    def prepare(self, batch_size: int) -> list[list[int]]:
        """Give it the input sets; returns which sample each row of each set is."""
        files, rows_of_sets = [], []
        samples = self.subject.samples.files
        for k, (arrays, rows) in enumerate(input_sets(samples, batch_size, SETS)):
            files.append(saved(arrays, self.subject.folder / f"set-{k}"))
            rows_of_sets.append(rows)
        self.session.prepare(files)
        return rows_of_sets

    def outputs(self, k: int) -> Arrays:
        """What it answers to set `k`."""
        reply = self.session.outputs(k, self.subject.folder)
        return reply.arrays()
