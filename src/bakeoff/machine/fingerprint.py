"""What this machine is, as far as it decides how fast a network runs."""

import hashlib
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

import bakeoff
from bakeoff.machine import cgroups, cpu
from bakeoff.machine.files import ROOT

# What may differ between two runs that are still of one machine.
_NOT_IN_DIGEST = {"bakeoff", "python"}


def fingerprint(root: Path = ROOT) -> dict[str, Any]:
    """Everything known of this machine, ready for JSON; what the platform does not tell is None.

    ``digest`` names it in short: equal digests are the same hardware, limits and operating system.
    """
    facts = {
        "cpu": cpu.name(root),
        "architecture": platform.machine(),
        "physical_cores": psutil.cpu_count(logical=False),
        "logical_cpus": psutil.cpu_count(),
        "usable_cpus": usable_cpus(root),
        "affinity": affinity(),
        "cpu_quota": cgroups.cpu_quota(root),
        "instruction_sets": cpu.instruction_sets(root),
        "caches": cpu.caches(root),
        "governor": cpu.governor(root),
        "turbo": cpu.turbo(root),
        "memory_bytes": psutil.virtual_memory().total,
        "memory_limit_bytes": cgroups.memory_limit(root),
        "virtualization": cpu.virtualization(root),
        "os": operating_system(root),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "bakeoff": bakeoff.__version__,
    }
    return {**facts, "digest": digest(facts)}


def digest(facts: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a machine."""
    lasting = {key: value for key, value in facts.items() if key not in _NOT_IN_DIGEST | {"digest"}}
    return hashlib.sha256(msgspec.json.encode(lasting, order="sorted")).hexdigest()[:12]


def usable_cpus(root: Path = ROOT) -> int:
    """How many CPUs this process may use: within its affinity and its cgroup's quota, rounded down, at least one."""
    allowed = affinity()
    return cgroups.within_quota(len(allowed) if allowed else psutil.cpu_count() or 1, root)


def affinity() -> list[int] | None:
    """The CPUs this process may run on; None where the platform has no such thing."""
    get = getattr(psutil.Process(), "cpu_affinity", None)
    return sorted(get()) if get else None


def available_memory(root: Path = ROOT) -> int:
    """Bytes that new processes can take without swapping, within the cgroup's limit."""
    free = psutil.virtual_memory().available
    headroom = cgroups.memory_headroom(root)
    return free if headroom is None else min(free, headroom)


def operating_system(root: Path = ROOT) -> str:
    """Name and version: "Debian GNU/Linux 12", "macOS 15.1", "Windows 11"."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    if sys.platform == "win32":
        return f"Windows {platform.release()}"
    return os_release_name(root) or platform.system()


def os_release_name(root: Path = ROOT) -> str:
    """PRETTY_NAME of os-release(5), "" without one."""
    for file in ("etc/os-release", "usr/lib/os-release"):
        try:
            lines = (root / file).read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                return value.strip().strip("\"'")
    return ""
