"""A command that may take only so much memory: of its address space, where the platform has such a limit.

Run as a program, ``python limited.py MEGABYTES COMMAND...`` becomes COMMAND, which keeps its process id, its files and
its streams. Standard library only, and of that no more than it takes, as in offline.py.
"""

import contextlib
import os
import sys
from collections.abc import Sequence


def command(words: Sequence[str], memory_mb: int) -> list[str]:
    """`words` such that the process they start has at most `memory_mb`; as they are on Windows.

    What is no command stays as it is, too: it fails in the caller's hands.
    """
    import shutil  # noqa: PLC0415 - as the module says

    if os.name != "posix" or not shutil.which(words[0]):
        return [*words]
    return [sys.executable, "-I", "-S", __file__, str(memory_mb), *words]


def main(memory_mb: str, words: Sequence[str]) -> None:
    """Limit this process and become the command."""
    import resource  # noqa: PLC0415 - POSIX only

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = int(memory_mb) * 2**20
    with contextlib.suppress(ValueError, OSError):  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    os.execvp(words[0], [*words])  # noqa: S606 - the caller's own command, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
