"""What a process of ours must not do: outlive us, reach the network, take too much memory, write where it need not.

Run as a program, ``python fenced.py [FENCE[=VALUE]]... -- COMMAND...`` puts up the fences and becomes COMMAND, which
keeps its process id, its files and its streams. Standard library only, and of that no more than it takes: the program
runs before every worker, and its imports took as long as all the rest of it.

============== =================================================================================
``parent=PID`` the kernel kills the process when PID ends (Linux)
``offline``    a network namespace of its own: a loopback interface and nothing else (Linux, where it may)
``memory=MB``  of address space (POSIX; macOS refuses it)
``write=PATH`` files are made, changed and removed beneath such paths alone (Linux with Landlock)
============== =================================================================================
"""

import contextlib
import ctypes
import functools
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""unshare(2)"""
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
"""netdevice(7)"""
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SIGKILL = 1, 38, 9
"""prctl(2)"""
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Landlock's system calls, the same on all architectures"""
ABI_ONLY, PATH_BENEATH = 1, 1
WRITE_FILE = 1 << 1
WRITES = WRITE_FILE | sum(1 << bit for bit in range(4, 13))
"""landlock(7): write to files, remove and make files and folders of all kinds"""
REFER, TRUNCATE = (2, 1 << 13), (3, 1 << 14)
"""rights that came later: in which version of Landlock"""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/random", "/dev/urandom")
PROBE_S = 10.0


def command(
    words: Sequence[str],
    *,
    offline: bool = False,
    memory_mb: int | None = None,
    writable: "Iterable[str | os.PathLike[str]] | None" = None,
) -> list[str]:
    """`words` such that the process they start ends with this one, and stays within what is asked for.

    A fence that this machine has not is left out: see `open_sides`. What is no command stays as it is: it fails in the
    caller's hands. On Windows all commands stay as they are.
    """
    import shutil  # noqa: PLC0415 - as the module says

    fences = [f"parent={os.getpid()}"] if sys.platform.startswith("linux") else []
    if offline and not no_namespace():
        fences.append("offline")
    if memory_mb is not None and os.name == "posix":
        fences.append(f"memory={memory_mb}")
    if writable is not None and landlock_version():
        fences += [f"write={os.path.realpath(path)}" for path in writable if os.path.exists(path)]  # noqa: PTH110
    return [*_launcher(), *fences, "--", *words] if fences and shutil.which(words[0]) else [*words]


def open_sides() -> str:
    """What whoever opens a model file can do here for want of a fence, in words; "" if there is nothing."""
    can = [f"reach the network ({why})"] if (why := no_namespace()) else []
    can += [] if landlock_version() else ["change any file of yours (no Landlock)"]
    return " and ".join(can)


@functools.cache
def no_namespace() -> str:
    """Why this machine gives no process a network namespace of its own; "" where it does. Tried once, in a child."""
    if not sys.platform.startswith("linux"):
        return "only Linux has network namespaces"
    import subprocess  # noqa: PLC0415 - as the module says

    try:
        tried = subprocess.run([*_launcher(), "offline"], capture_output=True, text=True, timeout=PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    last = tried.stderr.strip().splitlines()[-1:] or [f"exit code {tried.returncode}"]
    return last[0] if tried.returncode else ""


def landlock_version() -> int:
    """The version of the kernel's Landlock; 0 where it has none, or has it switched off."""
    if not sys.platform.startswith("linux"):
        return 0
    version: int = _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ABI_ONLY))
    return max(0, version)


def _launcher() -> list[str]:
    return [sys.executable, "-I", "-S", __file__]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    """The result of a system call. Raises `OSError` if it failed."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def end_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` ends; at once if it has ended already."""
    _checked(_libc().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        sys.exit("who started this has ended")


def leave_the_network() -> None:
    """Move this process, which has one thread, into a network namespace of its own. Raises `OSError` if it may not.

    Root needs nothing else. Anybody else must make a user namespace too, and is nobody in it, unable to create files,
    until told who they are: themselves.
    """
    user, group = os.geteuid(), os.getegid()
    _checked(_libc().unshare(CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER), "unshare")
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


def limit_memory(megabytes: int) -> None:
    """Let this process have no more address space than that, where there is such a limit."""
    import resource  # noqa: PLC0415 - POSIX only

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes * 2**20
    with contextlib.suppress(ValueError, OSError):  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def write_only_beneath(paths: Iterable[str]) -> None:
    """Let this process, and what it starts, make, change and remove files beneath `paths` alone."""
    libc, version = _libc(), landlock_version()
    writes = WRITES | sum(right for since, right in (REFER, TRUNCATE) if version >= since)
    attributes = struct.pack("=Q", writes)
    ruleset = _checked(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock")
    rights = dict.fromkeys(paths, writes) | {path: WRITE_FILE for path in DEVICES if os.path.exists(path)}  # noqa: PTH110
    for path, right in rights.items():
        with _opened(path) as descriptor:
            rule = struct.pack("=Qi", right, descriptor)
            _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0), "landlock")
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def main(words: Sequence[str]) -> None:
    """Put up the fences and become the command; without one, only try."""
    end = words.index("--") if "--" in words else len(words)
    fences = [word.partition("=")[::2] for word in words[:end]]
    try:
        if ("offline", "") in fences:
            leave_the_network()
        for name, value in fences:
            if name == "parent":  # after the namespace: a change of credentials takes it back
                end_with(int(value))
            if name == "memory":
                limit_memory(int(value))
        if paths := [value for name, value in fences if name == "write"]:
            write_only_beneath(paths)
    except OSError as error:
        sys.exit(f"no fence: {error.strerror or error}")
    if words[end + 1 :]:
        os.execvp(words[end + 1], [*words[end + 1 :]])  # noqa: S606 - the caller's own command, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
