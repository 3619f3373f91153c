"""One engine under load: the process that runs LoadGen, and the instances that it feeds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.errors import WorkerDiedError, WorkerError
from bakeoff.machine.others import Watch
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Disturbance
from bakeoff.worker.session import DRIVER, HELLO_TIMEOUT_S, WorkerSession, spawn_environment


@dataclass(frozen=True)
class Result:
    """What one run of LoadGen gave. Times in seconds."""

    rate: float
    """queries per second"""
    queries: int
    latencies: tuple[tuple[float, ...], ...]
    """instance by instance, of its answers alone"""
    last: tuple[int | None, ...]
    """the input set that each instance answered last"""
    wall_s: float
    cpu_s: float
    """of the instances"""
    disturbance: Disturbance | None
    p99_s: float | None = None
    held: bool = True


class LoadDriver(HeatWorker):
    """The driver's session, and its requests with their replies as types. Each raises `WorkerError`."""

    def __init__(self, runnable: Runnable, context: HeatContext, overlay: Path) -> None:
        super().__init__(runnable, context)
        self.overlay = overlay

    def start(self) -> None:
        """Spawn the driver and let it import LoadGen. It has no instances yet."""
        engine, installed = self.runnable.engine, self.runnable.installed
        env = spawn_environment(self.runnable.contender.threads, installed.env)
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
            self.session = WorkerSession(
                installed.command, engine.adapter, env, self.log, self.context.plan.timeout_s, program=DRIVER
            )
            self.session.hello(overlay=str(self.overlay))
        except OSError as error:
            raise WorkerDiedError(f"no room for its outputs: {error}") from error
        except WorkerError:
            self.abandon()
            raise

    def field(self, instances: int, runnable: Runnable) -> None:
        """So many fresh instances of `runnable`, instead of any before."""
        if self.session is None:
            self.start()
        command, env = list(runnable.installed.command), runnable.env
        self.hello = self._call("start", HELLO_TIMEOUT_S, instances=instances, command=command, env=env)["replies"][0]

    def each(self, op: str, **arguments: Any) -> list[dict[str, Any]]:
        """A worker's request to all instances at once, and their replies."""
        replies: list[dict[str, Any]] = self._call("each", request={"op": op, **arguments})["replies"]
        return replies

    def ask(self, instance: int, op: str, **arguments: Any) -> dict[str, Any]:
        """A worker's request to one instance, and its reply."""
        return self._call("ask", instance=instance, request={"op": op, **arguments})

    def test(self, scenario: str, expected_s: float, **arguments: Any) -> Result:
        """Let LoadGen test the instances, which should take about `expected_s`."""
        session = self._session()
        watch = Watch(self.pid)
        before, begin = session.usage(), time.perf_counter()
        reply = self._call(scenario, expected_s, **arguments)
        wall, after = time.perf_counter() - begin, session.usage()
        return Result(
            rate=reply["rate"],
            queries=reply["queries"],
            latencies=tuple(map(tuple, reply["latencies"])),
            last=tuple(reply["last"]),
            wall_s=wall,
            cpu_s=after.helpers_cpu_s - before.helpers_cpu_s,
            disturbance=watch.seen(),
            **_of_a_server(reply),
        )

    def _call(self, op: str, expected_s: float = 0.0, **arguments: Any) -> dict[str, Any]:
        return self._session().call(op, timeout_s=self.context.plan.timeout_s + expected_s, **arguments)

    def _session(self) -> WorkerSession:
        assert self.session is not None  # noqa: S101 - a driver is asked once it has started
        return self.session


def _of_a_server(reply: Mapping[str, Any]) -> dict[str, Any]:
    return {"p99_s": reply["p99_seconds"], "held": reply["held"]} if "held" in reply else {}
