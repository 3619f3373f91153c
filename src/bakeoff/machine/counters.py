"""The machine's own counters: what its CPUs did since it started, and what processes of ours used of them."""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from bakeoff.machine.files import ROOT, text

TICK_S = 0.01 if os.name == "posix" else 1 / 64
"""the grain of the counters: USER_HZ is 100 on all that Linux runs on today; Windows counts its clock's interrupts"""


class CpuTimes(NamedTuple):
    """Seconds that one CPU has spent so far."""

    idle: float
    """waiting for a disk included"""
    stolen: float
    """ready to run, while the hypervisor ran something else"""
    total: float
    """busy or not"""


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment."""

    at: float
    """seconds of `time.perf_counter`"""
    cpus: Mapping[int, CpuTimes]
    """by the CPU's number; empty where the platform does not tell"""
    own: Mapping[int, float]
    """CPU seconds by process id: this process, and those of the worker"""


def snapshot(worker: int | None = None, root: Path = ROOT) -> Snapshot:
    """The counters now; `worker` is the process id of a worker, whose whole session is ours."""
    own = {os.getpid(): time.process_time()} | ({} if worker is None else session_times(worker))
    return Snapshot(at=time.perf_counter(), cpus=cpu_times(root), own=own)


def cpu_times(root: Path = ROOT) -> dict[int, CpuTimes]:
    """What each CPU did so far: Linux's /proc/stat under `root`, or what psutil knows of this machine."""
    stat = text(root / "proc/stat")
    if stat or root != ROOT:
        return parse_stat(stat)
    return {
        number: CpuTimes(idle=times.idle, stolen=0.0, total=sum(getattr(times, name, 0.0) for name in _ELSEWHERE))
        for number, times in enumerate(psutil.cpu_times(percpu=True))
    }


def parse_stat(stat: str) -> dict[int, CpuTimes]:
    """The CPUs of a /proc/stat (proc(5)). A guest's time is in `user` and `nice` already."""
    found = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        number = name.removeprefix("cpu")
        if name == f"cpu{number}" and number.isdigit() and len(fields) >= len(_FIELDS):
            times = dict(zip(_FIELDS, (int(field) * TICK_S for field in fields), strict=False))
            idle = times["idle"] + times["iowait"]
            found[int(number)] = CpuTimes(idle=idle, stolen=times["steal"], total=sum(times.values()))
    return found


_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_ELSEWHERE = ("user", "nice", "system", "idle")
"""of psutil's; Windows tells interrupts apart and counts them in `system` as well"""


def session_times(worker: int) -> dict[int, float]:
    """CPU seconds of each process of a worker's session, so far; children that have ended count in their parent.

    Where there are no sessions, of the worker and its descendants.
    """
    found = {}
    for pid in _members(worker):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found[pid] = float(sum(psutil.Process(pid).cpu_times()[:4]))  # user, system, and the same of its children
    return found


def _members(worker: int) -> list[int]:
    if os.name == "posix":
        return [pid for pid in psutil.pids() if _session(pid) == worker]
    with contextlib.suppress(psutil.NoSuchProcess):
        return [worker, *(child.pid for child in psutil.Process(worker).children(recursive=True))]
    return []


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):  # it has just ended, or is a process that we may not ask about
        return None
