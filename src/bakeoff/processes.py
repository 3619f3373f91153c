"""The processes that bakeoff starts, and all that these start: found by a mark in their environment variables.

A process can leave its group and its session, and loses its parent; what it was started with stays with it.
"""

import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

MARK = "BAKEOFF_STARTED_BY"
_CLOCK_S = 60.0
"""by which two looks at when a process began may differ: the machine's clock may have been set meanwhile"""
PATIENCE_S = 5.0
_PAUSE_S = 0.01


def marked(env: Mapping[str, str]) -> dict[str, str]:
    """`env` with a mark of its own: who starts the process, since when that runs, and which of its processes it is."""
    return {**env, MARK: f"{os.getpid()}/{psutil.Process().create_time():.0f}/{uuid.uuid4().hex}"}


def end_family(env: Mapping[str, str]) -> None:
    """End every process that was started with the mark of `env`, or by one that was."""
    deadline = time.monotonic() + PATIENCE_S
    while family := [process for process, mark in _all_marked() if mark == env[MARK]]:
        if sum(map(_kill, family)) == 0 or time.monotonic() > deadline:
            return
        time.sleep(_PAUSE_S)  # the kernel ends them in its own time; what they started just before is found then


def end_left_behind() -> int:
    """End what bakeoffs have started that have ended themselves, killed say; how many processes that were."""
    left = [process for process, mark in _all_marked() if not _is_alive(mark) and _is_of_our_container(process)]
    return sum(map(_kill, left))


def _all_marked() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
        except (psutil.Error, OSError):  # somebody else's, or gone by now
            continue
        if mark and process.pid != os.getpid():
            yield process, mark


def _is_alive(mark: str) -> bool:
    """Whether the bakeoff that made the mark still runs; one that is no mark of ours is left alone."""
    try:
        pid, began, _ = mark.split("/")
        return abs(psutil.Process(int(pid)).create_time() - float(began)) < _CLOCK_S
    except psutil.NoSuchProcess:
        return False
    except ValueError:
        return True


def _is_of_our_container(process: psutil.Process) -> bool:
    """Whether process ids mean the same to it as to us: a container's bakeoff is seen from outside, too."""
    if not sys.platform.startswith("linux"):
        return True
    try:
        return Path(f"/proc/{process.pid}/ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.Error:
        return False
    return True
