"""No network for a process that opens a model file: on Linux, a network namespace of its own.

Run as a program, ``python offline.py COMMAND...`` leaves the network and becomes COMMAND, which keeps its process id,
its files and its streams, and finds a loopback interface and nothing else. Standard library only, and of that no more
than it takes: the program runs before every worker, and its imports took as long as all the rest of it.
"""

import ctypes
import functools
import os
import socket
import struct
import sys
from collections.abc import Sequence

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""unshare(2)"""
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
"""netdevice(7)"""
PROBE_S = 10.0


def command(words: Sequence[str]) -> list[str]:
    """`words` such that the process they start is without network; as they are where `why_not` has a reason.

    What is no command stays as it is, too: it fails in the caller's hands.
    """
    import shutil  # noqa: PLC0415 - as the module says

    return [*words] if why_not() or not shutil.which(words[0]) else [*_launcher(), *words]


@functools.cache
def why_not() -> str:
    """Why this machine gives no process a network namespace of its own; "" where it does. Tried once, in a child."""
    if not sys.platform.startswith("linux"):
        return "only Linux has network namespaces"
    import subprocess  # noqa: PLC0415 - as the module says

    try:
        tried = subprocess.run(_launcher(), capture_output=True, text=True, timeout=PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    last = tried.stderr.strip().splitlines()[-1:] or [f"exit code {tried.returncode}"]
    return last[0] if tried.returncode else ""


def _launcher() -> list[str]:
    return [sys.executable, "-I", "-S", __file__]


def leave_the_network() -> None:
    """Move this process, which has one thread, into a network namespace of its own. Raises `OSError` if it may not.

    Root needs nothing else. Anybody else must make a user namespace too, and is nobody in it, unable to create files,
    until told who they are: themselves.
    """
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER):
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    if user != 0:
        for file, text in ("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1"):
            with open(f"/proc/self/{file}", "w", encoding="ascii") as of_kernel:  # noqa: PTH123 - as the module says
                of_kernel.write(text)
    raise_loopback()


def raise_loopback() -> None:
    """Bring up the new namespace's own loopback, over which some frameworks talk to helper processes."""
    import fcntl  # noqa: PLC0415 - POSIX only

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def main(words: Sequence[str]) -> None:
    """Leave the network and become the command; without one, only try."""
    try:
        leave_the_network()
    except OSError as error:
        sys.exit(f"no network namespace: {error.strerror or error}")
    if words:
        os.execvp(words[0], [*words])  # noqa: S606 - the caller's own command, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
