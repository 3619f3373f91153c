"""One engine under load: the process that runs LoadGen, and the instances that it feeds."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bakeoff.errors import WorkerDiedError, WorkerError
from bakeoff.machine.others import Watch
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Disturbance
from bakeoff.worker.replies import Hello, Nothing, OfEach, Outputs, UnderLoad
from bakeoff.worker.session import DRIVER, PROTOCOL, WorkerSession, spawn_environment, temporary

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """What one run of LoadGen found, and what went on meanwhile. Times in seconds."""

    found: UnderLoad
    wall_s: float
    cpu_s: float
    """of the instances"""
    disturbance: Disturbance | None


class LoadDriver(HeatWorker):
    """The driver's session, and its requests with their replies as types. Each raises `WorkerError`."""

    def __init__(self, runnable: Runnable, context: HeatContext, overlay: Path) -> None:
        super().__init__(runnable, context)
        self.overlay = overlay

    def start(self) -> None:
        """Spawn the driver and let it import LoadGen. It has no instances yet."""
        engine, installed = self.runnable.engine, self.runnable.installed
        env = spawn_environment(self.runnable.contender.threads, installed.env, temporary(self.scratch))
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
            self.session = WorkerSession(
                installed.command, engine.adapter, env, self.log, self.context.plan.timeout_s, program=DRIVER
            )
            self._call("hello", Nothing, protocol=PROTOCOL, overlay=str(self.overlay))
        except OSError as error:
            raise WorkerDiedError(f"no room for its outputs: {error}") from error
        except WorkerError:
            self.abandon()
            raise

    def field(self, instances: int, runnable: Runnable) -> None:
        """So many fresh instances of `runnable`, instead of any before."""
        if self.session is None:
            self.start()
        command, env = list(runnable.installed.command), runnable.env | temporary(self.scratch)
        started = self._call("start", OfEach[Hello], instances=instances, command=command, env=env)
        self.hello = started.replies[0]

    def each(self, op: str, reply: type[T], **arguments: Any) -> list[T]:
        """A worker's request to all instances at once, and their replies."""
        return self._call("each", OfEach[reply], request={"op": op, **arguments}).replies  # type: ignore[valid-type]

    def outputs(self, instance: int, k: int | None) -> Outputs:
        """What one instance answers to input set `k`; None: to its last one."""
        request = {"op": "outputs", "k": k, "directory": str(self.scratch)}
        return self._call("ask", Outputs, instance=instance, request=request)

    def test(self, scenario: str, expected_s: float, **arguments: Any) -> Result:
        """Let LoadGen test the instances, which should take about `expected_s`."""
        session = self._session()
        watch = Watch(self.pid)
        before, begin = session.usage(), time.perf_counter()
        found = self._call(scenario, UnderLoad, expected_s, **arguments)
        wall, after = time.perf_counter() - begin, session.usage()
        return Result(
            found=found,
            wall_s=wall,
            cpu_s=after.helpers_cpu_s - before.helpers_cpu_s,
            disturbance=watch.seen(),
        )

    def _call(self, op: str, reply: type[T], expected_s: float = 0.0, **arguments: Any) -> T:
        return self._session().call(op, reply, timeout_s=self.context.plan.timeout_s + expected_s, **arguments)

    def _session(self) -> WorkerSession:
        assert self.session is not None  # noqa: S101 - a driver is asked once it has started
        return self.session
