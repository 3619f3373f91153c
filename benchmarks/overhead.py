"""What bakeoff itself costs: an inference, a query under load, controller CPU while a worker measures, the start-up.

    .venv/bin/python benchmarks/overhead.py

The first figure is the time between two readings of the clock around an engine that does nothing, and the loop's
whole cost per inference; then what passes between LoadGen's driver and an instance that does nothing; the CPU that the
controller uses while it waits ten seconds for a worker; and a command that only helps.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bakeoff.worker.scenarios import Instance
from bakeoff.worker.session import PROTOCOL, WORKER, WorkerSession, spawn_environment

NOTHING = """
import time
import numpy as np

class Engine:
    def describe(self): return {"version": "0"}
    def load(self, model, settings): self.nap = settings["nap"]
    def prepare(self, input_sets): pass
    def run(self, k):
        if self.nap: time.sleep(self.nap)
    def outputs(self): return []
    def close(self): pass
"""
MODEL = {"path": "", "format": "onnx", "inputs": [], "outputs": []}
CALLS = 20_000
QUERIES = 5_000
WAIT_S = 10.0


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        adapter = Path(folder) / "nothing.py"
        adapter.write_text(NOTHING, encoding="utf-8")
        np.save(Path(folder) / "x.npy", np.zeros((1, 3), np.float32))
        command = (sys.executable, "-I")
        with WorkerSession(command, adapter, spawn_environment(1), Path(folder) / "log", 60.0) as session:
            session.hello()
            per_inference(session, Path(folder))
            controller_cpu(session, Path(folder))
        per_query(command, adapter)
    start_up()


def load(session: WorkerSession, nap: float) -> None:
    """Load an engine that sleeps for `nap` seconds, or does nothing."""
    session.load(MODEL, {"nap": nap})
    session.prepare([])


def per_inference(session: WorkerSession, folder: Path) -> None:
    """The loop's cost with an engine that does nothing."""
    load(session, 0.0)
    burst = session.measure([0] * CALLS, [0] * 1000, folder)
    timed = statistics.median(burst.latencies) * 1e6
    loop = burst.seconds / CALLS * 1e6
    print(f"an inference that does nothing: {timed:.2f} us timed (median), {loop:.2f} us of loop   (limit 20 us)")


def controller_cpu(session: WorkerSession, folder: Path) -> None:
    """The controller's CPU time while it waits for one long reply."""
    load(session, WAIT_S)
    me = psutil.Process()
    before = sum(me.cpu_times()[:2])
    session.measure([0], [], folder)
    used = sum(me.cpu_times()[:2]) - before
    print(f"controller CPU while a worker measures: {used / WAIT_S:.3%} of a core   (limit 0.1%)")


def per_query(command: Sequence[str], adapter: Path) -> None:
    """A query that takes no time, and its answer, between the driver and an instance."""
    start: Any = Instance  # it has no annotations, since old Pythons run it
    instance = start("instance", [*command, str(WORKER), str(adapter)], spawn_environment(1))
    for op, arguments in (
        ("hello", {"protocol": PROTOCOL}),
        ("load", {"model": MODEL, "settings": {"nap": 0.0}}),
        ("prepare", {"input_sets": []}),
    ):
        instance.ask({"op": op, **arguments})
    seconds = []
    for _ in range(QUERIES):
        begin = time.perf_counter()
        instance.answer(0)
        seconds.append(time.perf_counter() - begin)
    instance.say_goodbye()
    instance.end()
    print(f"a query handed to an instance and answered: {statistics.median(seconds) * 1e6:.0f} us (median)")


def start_up() -> None:
    """`bakeoff --help`, whole process."""
    seconds = []
    for _ in range(7):
        begin = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("bakeoff"), "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
    print(f"bakeoff --help: {statistics.median(seconds):.3f} s (median of {len(seconds)})   (limit 0.3 s)")


if __name__ == "__main__":
    main()
