"""Which build of PyTorch to take: on Linux the public one brings gigabytes of CUDA, so a CPU build comes first."""

import platform
import re
import sys
from collections.abc import Mapping

FAMILY = ("torch", "torchvision", "torchaudio")
"""Packages that PyTorch's own index has CPU builds of. Locks leave them without hashes, since builds differ."""
FIRST_WITH_CUDA_APART = 2
"""Older wheels bundle all they need and are taken as pinned: the index of CPU builds never had most of them."""
PUBLIC_BUILD_GB = 5
"""What torch 2.13's public Linux build and its CUDA libraries take on disk."""

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
_CUDA_ONLY = re.compile(r"^(nvidia|cuda|triton|pytorch-triton)(-|$)")
_CPU_MACHINES = ("x86_64", "amd64", "aarch64", "arm64")


def logical_lines(lock: str) -> list[str]:
    """The requirements of a lock, one each, with their hashes on the same line; comments left out."""
    joined = re.sub(r"\\\s*\n", " ", lock)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def normal(name: str) -> str:
    """A package's name as PyPA's specification normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_and_version(requirement: str) -> tuple[str, str]:
    """("torch", "2.13.0") of "torch==2.13.0 ; marker --hash=..."; two empty strings if it is no exact pin."""
    match = _PIN.match(requirement)
    return (match["name"].lower().replace("_", "-"), match["version"]) if match else ("", "")


def pins(lock: str) -> tuple[str, ...]:
    """The lock's lines that are of PyTorch's family and new enough to come with CUDA, without hashes."""
    named = [(name_and_version(line), line) for line in logical_lines(lock)]
    versions = dict(pin for pin, _ in named)
    torch_version = versions.get("torch", "0")
    if int(re.match(r"\d*", torch_version)[0] or 0) < FIRST_WITH_CUDA_APART:  # type: ignore[index]
        return ()
    return tuple(re.split(r"\s+--hash", line)[0].strip() for (name, _), line in named if name in FAMILY)


def without(lock: str) -> str:
    """The lock less PyTorch's family."""
    return "".join(f"{line}\n" for line in logical_lines(lock) if name_and_version(line)[0] not in FAMILY)


def without_hashes_of_torch(lock: str) -> str:
    """The lock with the hashes of PyTorch's family left out, where that is new enough to come with CUDA."""
    if not pins(lock):
        return lock
    kept = []
    in_family = False
    for line in lock.splitlines():
        if not line.startswith((" ", "#")):
            in_family = name_and_version(line)[0] in FAMILY
            kept.append(line.removesuffix("\\").rstrip() if in_family else line)
        elif not in_family or "--hash" not in line:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def is_cuda_only(package: str) -> bool:
    """Whether `package` serves PyTorch's CUDA build alone."""
    return _CUDA_ONLY.match(package.lower()) is not None


def from_cpu_index(
    wanted: tuple[str, ...],
    picked: Mapping[str, str],
    system: str = sys.platform,
    machine: str = platform.machine(),
) -> bool:
    """Whether the pins `wanted` should come from PyTorch's index of CPU builds, given what uv would pick by itself.

    Else as the lock says. `picked` maps names to versions; a wheel folder or an index of the user's own that holds
    "2.13.0+cpu" wins over the public "2.13.0" there, since a local version sorts higher. Only builds for Linux have
    CUDA in them.
    """
    has_cuda_builds = system.startswith("linux") and machine.lower() in _CPU_MACHINES
    if not wanted or not has_cuda_builds or "cpu" in picked.get("torch", "").partition("+")[2]:
        return False
    return "+" not in dict(map(name_and_version, wanted)).get("torch", "")


def fallback_note(environment: str, reason: str) -> str:
    """The line that is shown before gigabytes are taken."""
    return (
        f"{environment}: PyTorch's index of CPU builds cannot be used ({reason}); taking the public build with its "
        f"CUDA libraries, about {PUBLIC_BUILD_GB} GB on disk. A CPU wheel in a pip find-links folder avoids that"
    )
