"""One race at a time: a race holds the lock of the machine, since a second race would make both wrong."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bakeoff import paths, processes
from bakeoff.locks import Lock

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""what all containers of one kernel have in common, and no other machine has"""


def places() -> list[Path]:
    """The files that a race locks: one for all accounts of this machine, whatever their TMPDIR, and one in the cache.

    The second is for those that have a /tmp of their own, in a container, and share the cache. It is named after the
    machine: others with the same cache need not wait for this one.
    """
    everybody = os.environ.get("PROGRAMDATA", r"C:\ProgramData") if os.name == "nt" else "/tmp"  # noqa: S108 - shared
    machine = BOOT.read_text() if BOOT.exists() else platform.node()
    name = hashlib.sha256(machine.encode()).hexdigest()[:12]
    return [Path(everybody) / "bakeoff-race.lock", paths.cache_dir() / f"race-{name}.lock"]


@contextmanager
def held(who: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the machine; while another run has it, say who that is and wait.

    `who` names this run for others who wait. A place that cannot be locked is said, and the race goes on without.
    Raises nothing of its own: Ctrl-C ends the waiting.
    """
    with ExitStack() as stack:
        for place in places():
            lock = Lock(place)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                if not lock.acquire(wait=False):
                    say(f"waiting: {holder(lock)} is measuring on this machine (Ctrl-C gives up)")
                    lock.acquire(wait=True)
            except OSError as error:
                say(f"{place} cannot be locked ({error.strerror}): another race may run beside this one")
            stack.callback(_let_go, lock)
            _sign(lock, who)
        if ended := processes.end_left_behind():
            say(f"ended {ended} processes that an earlier bakeoff had left behind")
        yield


@contextmanager
def held_if_free(who: str) -> Iterator[str]:
    """Hold the machine through the block if nobody else does: then it is given "", else who has the machine."""
    with ExitStack() as stack:
        for lock in map(Lock, places()):
            try:
                free = lock.acquire(wait=False)
            except OSError:  # as in `held`, where nothing can be locked nobody is waited for
                continue
            if not free:
                yield holder(lock)
                return
            stack.callback(_let_go, lock)
            _sign(lock, who)
        yield ""


def _sign(lock: Lock, who: str) -> None:
    lock.write(json.dumps({"who": who, "pid": os.getpid(), "since": time.time()}))


def _let_go(lock: Lock) -> None:
    lock.write("")  # in a sticky folder nobody but who made the file can remove it
    lock.release(remove=True)


def holder(lock: Lock) -> str:
    """Who holds the machine, in words; what stands in the file may be anybody's, and is not told unless it is text."""
    try:
        card = json.loads(lock.read())
        minutes = (time.time() - card["since"]) / 60
        words = f"{card['who']} (process {card['pid']:d}, for {minutes:.0f} min)"
    except (ValueError, KeyError, TypeError):
        words = ""
    return words if words and words.isprintable() else "another bakeoff run"
