"""One race at a time: a race holds the lock of the machine, since a second race would make both wrong."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

EVERYBODY_MAY = 0o666


def lock_path() -> Path:
    """The lock that all users of this machine share."""
    return Path(tempfile.gettempdir()) / "bakeoff-race.lock"


@contextmanager
def held(who: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the machine; while another run has it, say who that is and wait.

    `who` names this run for others who wait. Raises nothing of its own: Ctrl-C ends the waiting.
    """
    lock = FileLock(lock_path(), mode=EVERYBODY_MAY)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting: {holder()} is measuring on this machine (Ctrl-C gives up)")
        lock.acquire()
    with _named(who, lock):
        yield


@contextmanager
def held_if_free(who: str) -> Iterator[bool]:
    """Hold the machine through the block if nobody else does; says whether that is so."""
    lock = FileLock(lock_path(), mode=EVERYBODY_MAY)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    with _named(who, lock):
        yield True


@contextmanager
def _named(who: str, lock: FileLock) -> Iterator[None]:
    """Say in a file who has the lock, and let go of both in the end."""
    try:
        _card().write_text(json.dumps({"who": who, "pid": os.getpid(), "since": time.time()}), encoding="utf-8")
        yield
    finally:
        _card().unlink(missing_ok=True)
        lock.release()


def holder() -> str:
    """Who holds the machine, in words."""
    try:
        card = json.loads(_card().read_text(encoding="utf-8"))
        minutes = (time.time() - card["since"]) / 60
        return f"{card['who']} (process {card['pid']}, for {minutes:.0f} min)"
    except (OSError, ValueError, KeyError, TypeError):
        return "another bakeoff run"


def _card() -> Path:
    return lock_path().with_suffix(".json")
