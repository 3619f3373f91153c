"""The machine that a race runs on, as heats see it: the clock, the workers and the counters of its CPUs.

Heats ask nothing else of the machine. So a race can run on another host: the virtual one of
`benchmarks/virtual_host.py` has a clock and workers of its own, and a race of half an hour takes it a second.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bakeoff.machine.fingerprint import available_memory
from bakeoff.machine.others import Watch
from bakeoff.records import Disturbance
from bakeoff.worker.session import WorkerSession


class Host:
    """The machine that this process runs on."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def start_worker(
        self, command: Sequence[str], adapter: Path, env: Mapping[str, str], log: Path, timeout_s: float
    ) -> WorkerSession:
        """A worker that has just been started. Raises `WorkerDiedError` if it cannot be."""
        return WorkerSession(command, adapter, env, log, timeout_s)

    def watch(self, worker: int | None) -> Callable[[], Disturbance | None]:
        """What tells, whenever it is asked, what others than `worker`, by process id, took of the CPUs since now."""
        return Watch(worker).seen

    def available_memory(self) -> int:
        """Bytes that workers may use."""
        return available_memory()


THIS = Host()
