"""One contender in one heat: its worker, from start to end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bakeoff.environments import kinds
from bakeoff.errors import EngineFolderError, WorkerDiedError, WorkerError, WorkerTimedOutError
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Case, file_name
from bakeoff.worker.replies import Hello, Loaded
from bakeoff.worker.session import WorkerSession


class HeatWorker:
    """A contender's worker for one model: suspended, but for what happens inside `awake`."""

    def __init__(self, runnable: Runnable, context: HeatContext, what_for: str = "") -> None:
        """`what_for` tells its log from that of the contender's other worker in the heat, if it has two."""
        self.runnable = runnable
        self.context = context.with_task_of(runnable)
        self.session: WorkerSession | None = None
        self.hello: Hello | None = None
        self.fresh = True
        self.loaded: Loaded | None = None
        """what it said when it loaded the model, where that serves all batch sizes"""
        name = f"{file_name(runnable.name)}-{context.model.name}-round{context.round}{what_for}"
        self.log = context.logs / f"{name}.log"
        self.scratch = context.scratch / name
        self._cannot_start: WorkerError | None = None

    @property
    def name(self) -> str:
        """The contender's name."""
        return self.runnable.name

    @property
    def stillborn(self) -> bool:
        """Whether its worker never came as far as a first request."""
        return self._cannot_start is not None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None without one."""
        return self.session.pid if self.session else None

    def case(self, batch_size: int) -> Case:
        """The cell of the table that this worker fills at `batch_size`."""
        return Case(contender=self.runnable.contender, model=self.context.model.name, batch_size=batch_size)

    def start(self) -> None:
        """Spawn the worker and let it import its framework. A start that fails is final for this heat."""
        if self._cannot_start is not None:
            raise self._cannot_start
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
            timeout_s = self.context.plan.timeout_s
            self.session = self.runnable.session(self.log, timeout_s, self.scratch, self.context.host.start_worker)
            self.hello = self.session.hello()
        except OSError as error:
            raise WorkerDiedError(f"no room for its outputs: {error}") from error
        except WorkerError as error:
            self.abandon()
            self._cannot_start = error
            raise
        self.fresh, self.loaded = True, None
        self.session.suspend()

    @contextmanager
    def awake(self) -> Iterator[WorkerSession]:
        """The worker running, all through the block and not after it; started first if there is none."""
        if self.session is None:
            self.start()
        session = self.session
        assert session is not None  # noqa: S101 - start() either sets it or raises
        session.resume()
        try:
            yield session
        except (WorkerDiedError, WorkerTimedOutError):
            self.session = None
            raise
        finally:
            session.suspend()

    def load(self, session: WorkerSession, batch_size: int) -> Loaded:
        """Load the model for `batch_size`, unless what is loaded serves it; the worker's reply."""
        if self.loaded:
            return msgspec.structs.replace(self.loaded, seconds=0.0)
        reply = self.runnable.load(session, self.context.model, batch_size)
        if self.runnable.loads_once:
            self.loaded = reply
        return reply

    def lost_files(self) -> str:
        """What it cannot do without, is no engine's to give, and is gone or full by now; "" if nothing is."""
        runnable, sets = self.runnable, [*self.context.inputs.values()]
        needed = [path for each in sets for paths in each.paths for path in paths]
        files: list[str | Path] = [runnable.model_path, runnable.engine.adapter, self.scratch, *needed]
        for path in files:
            if not Path(path).exists():
                return f"{path} is gone"
        if shutil.which(runnable.installed.command[0]) is None:
            return f"{runnable.installed.command[0]} is gone"
        environment = runnable.engine.environment
        try:
            damage = kinds.of(environment).damage(environment)
        except EngineFolderError as error:
            damage = str(error)
        if damage:
            return f"environment {environment.name}: {damage}"
        outputs = max(sum(output.nbytes for output in of_set) for each in sets for of_set in each.expected)
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.scratch) as file:
                file.write(bytes(outputs))
        except OSError as error:
            return f"{error.filename or self.scratch} cannot be written: {error.strerror}"
        return ""

    def abandon(self) -> None:
        """Kill the worker, if any."""
        if self.session is not None:
            self.session.kill()
            self.session = None

    def close(self) -> None:
        """Let the worker end by itself."""
        if self.session is not None:
            self.session.resume()
            self.session.close()
            self.session = None
