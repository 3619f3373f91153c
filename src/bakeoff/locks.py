"""Locks on files that several accounts of a machine share.

A lock ends with its process, however that ends. `filelock` has the native call, but refuses a file of another account
in a sticky folder such as /tmp, since its owner could remove it while it is locked. Here the accounts trust each other.
"""

import contextlib
import errno
import os
from pathlib import Path

from filelock import lock_descriptor

_POLL_S = 0.5
"""between two tries to get what another process holds: it must not be disturbed by them"""
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""no link that somebody left there is followed, and no pipe waited for"""
_MOST_BYTES = 1000
"""of a note"""


class Lock:
    """An exclusive lock on the file `path`, which every account may lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool) -> bool:
        """Whether the lock is ours now; with `wait` it is, as soon as its holder lets go or ends.

        Raises `OSError` where the file can be neither read nor made, or its file system has no locks.
        """
        while True:
            descriptor = _open(self.path)
            try:
                taken = lock_descriptor(descriptor, blocking=wait, poll_interval=_POLL_S)
                if taken and _is_at(descriptor, self.path):
                    self._descriptor, descriptor = descriptor, -1
                    return True
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            if not taken:
                return False

    def release(self, *, remove: bool = False) -> None:
        """Let go of the lock, and of its file too if it is not to be used again; does nothing without the lock."""
        if self._descriptor is None:
            return
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None

    def write(self, note: str) -> None:
        """Leave a note for who finds the lock taken, in place of the last one. It is lost where we may only read."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                os.write(self._descriptor, b" " + note.encode())  # Windows lets nobody read the byte that is locked

    def read(self) -> str:
        """What whoever had the lock last has written; anybody may have. "" without anything that can be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _FLAGS)
            try:
                os.lseek(descriptor, 1, os.SEEK_SET)
                return os.read(descriptor, _MOST_BYTES).decode(errors="replace")
            finally:
                os.close(descriptor)
        except OSError:
            return ""


def taken_if_free(path: Path) -> Lock | None:
    """The lock on the file, if nobody has it and there can be one."""
    lock = Lock(path)
    try:
        return lock if lock.acquire(wait=False) else None
    except OSError:
        return None


def _open(path: Path) -> int:
    """A descriptor of the file, made where it is missing.

    A file that is there is opened without O_CREAT: in sticky folders Linux refuses that on another account's file
    (`fs.protected_regular`). Reading is enough to lock it.
    """
    while True:
        for mode in (os.O_RDWR, os.O_RDONLY):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                return os.open(path, mode | _FLAGS)
        mask = os.umask(0)  # so that no other account ever sees a file that it may not open
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
        except FileExistsError:
            if not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, "this account may not read it", str(path)) from None
        finally:
            os.umask(mask)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`: who had it may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
