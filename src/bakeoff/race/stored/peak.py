"""The machine's peak, which engines are measured against: a matrix product and a convolution, run once per machine.

Both are the canary's work (`engines/canary/adapter.py`) on larger operands, in its environment and behind the same
worker. The best call counts: a peak is what is possible, not what is usual. What was measured while others used the
CPUs is not kept.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import WorkerError
from bakeoff.judge.case.disturbance import too_much
from bakeoff.machine.fingerprint import fingerprint
from bakeoff.machine.others import Watch
from bakeoff.models.inputs import saved
from bakeoff.race import machine_lock
from bakeoff.race.heats.canary import uniform
from bakeoff.records import CANARY, EngineSpec, Installed, Peak, RunRecord
from bakeoff.worker.session import WorkerSession, spawn_environment

SIDE = 1536
"""of the square matrices: 7.2 GFLOP, so much that the blocked kernel is all there is to it"""
CHANNELS, IMAGE, KERNEL = 256, 58, 3
"""a layer like ResNet's third stage on a larger image: 3.7 GFLOP"""
CALLS = 16
LIMIT_S = 120.0
LOOK_S = 0.3
"""how long to look whether the CPUs are free"""
AGAIN = "make the report again when this machine is quiet"


def of_run(run: RunRecord, catalogue: Catalogue, say: Callable[[str], None]) -> tuple[Peak | None, str]:
    """The peak of the machine that `run` raced on, with as many threads; or None, and why.

    It is measured now, in some seconds, if it never was and this is that machine, unless a race is going on; `say`
    gets a line then.
    """
    machine, threads = str(run.machine.get("digest") or ""), run.plan.threads
    place = paths.cache_dir() / "peaks" / f"{machine}-{threads}.json"
    if known := _read(place):
        return known, ""
    if not machine or fingerprint()["digest"] != machine:
        return None, "it was never measured here, and this is not the machine that raced"
    canary_runnable = catalogue.hidden.get(CANARY)
    installed = environments.find(canary_runnable.environment) if canary_runnable else None
    if canary_runnable is None or installed is None:
        return None, "the canary's environment, in which it is measured, is not installed: any race installs it"
    with machine_lock.held_if_free("a measurement of the peak") as holder:
        if holder:
            return None, f"{holder} is measuring on this machine, and must not be disturbed"
        if _busy():
            return None, f"others use the CPUs just now: {AGAIN}"
        say(f"measuring this machine's peak with {threads} threads, once and for all")
        return _measured(canary_runnable, installed, machine, threads, place)


def _measured(
    canary_runnable: EngineSpec, installed: Installed, machine: str, threads: int, place: Path
) -> tuple[Peak | None, str]:
    place.parent.mkdir(parents=True, exist_ok=True)
    log = place.with_suffix(".log")
    env = spawn_environment(threads, installed.env, canary_runnable.env)
    settings = {"threads": threads, "precision": "fp32", "batch_size": 1}
    try:
        with (
            tempfile.TemporaryDirectory() as scratch,
            WorkerSession(installed.command, canary_runnable.adapter, env, log, LIMIT_S) as session,
        ):
            session.hello()
            session.load({"path": scratch, "format": "plain", "inputs": [], "outputs": []}, settings)
            session.prepare(_operands(Path(scratch)))
            watch = Watch(session.pid)
            product, convolution = (min(session.measure([k] * CALLS, [k], Path(scratch)).latencies) for k in range(2))
            seen = watch.seen()
    except WorkerError as error:
        return None, f"its measurement failed: {error} (log: {log})"
    if seen is not None and too_much(seen):
        return None, f"others took {seen.share:.0%} of the CPU time while it was measured: {AGAIN}"
    found = Peak(
        gemm=2 * SIDE**3 / product,
        convolution=2 * CHANNELS**2 * KERNEL**2 * (IMAGE - KERNEL + 1) ** 2 / convolution,
        threads=threads,
        machine=machine,
        measured_at=time.time(),
    )
    with contextlib.suppress(OSError):  # else it is measured once more, next time
        place.write_bytes(msgspec.json.encode(found))
    return found, ""


def _busy() -> bool:
    watch = Watch()
    time.sleep(LOOK_S)
    seen = watch.seen()
    return seen is not None and too_much(seen)


def _operands(folder: Path) -> list[list[str]]:
    """Two sets of the canary's inputs, a large product with next to no convolution, and the other way round."""
    rng = np.random.default_rng(0)
    sets = [
        (uniform(rng, SIDE, SIDE), uniform(rng, 1, KERNEL, KERNEL), uniform(rng, 1, 1, KERNEL, KERNEL)),
        (uniform(rng, 1, 1), uniform(rng, CHANNELS, IMAGE, IMAGE), uniform(rng, CHANNELS, CHANNELS, KERNEL, KERNEL)),
    ]
    return [saved(arrays, folder / str(k)) for k, arrays in enumerate(sets)]


def _read(place: Path) -> Peak | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Peak)
    except (OSError, msgspec.DecodeError):
        return None
