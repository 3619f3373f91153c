"""What a container or a service may use: Linux control groups, version 1 and 2.

Every function takes the root of the file system, so that recorded files can stand in for a machine's own. A
limit may be set at any level of the tree, so the least of all levels counts. What cannot be read limits nothing.
Packs carry this file along, see `bakeoff.ship`: Python 3.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bakeoff.machine.files import ROOT, number, text

_UNLIMITED = 2**60
"""version 1 writes "no limit" as the largest multiple of the page size in 63 bits"""


def cpu_quota(root: Path = ROOT) -> float | None:
    """How many CPUs' worth of time this process may use; None without a quota."""
    quotas = [
        quota
        for folder in _levels(root, "cpu")
        for quota in (_quota_v2(folder), _quota_v1(folder))
        if quota is not None
    ]
    return min(quotas, default=None)


def within_quota(cpus: int, root: Path = ROOT) -> int:
    """How many of `cpus` this process may keep busy: within the quota, rounded down, at least one."""
    quota = cpu_quota(root)
    return max(1, cpus if quota is None else min(cpus, int(quota)))


def memory_limit(root: Path = ROOT) -> int | None:
    """The most memory this process may use, in bytes; None without a limit."""
    return min((limit for limit, _ in _memory_levels(root)), default=None)


def memory_headroom(root: Path = ROOT) -> int | None:
    """How many bytes are left to the nearest limit, page cache that can be dropped not counted; None without one."""
    return min((max(0, limit - used) for limit, used in _memory_levels(root)), default=None)


def _memory_levels(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use in bytes of each level that has a limit."""
    for folder in _levels(root, "memory"):
        for limit_file, use_file in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = number(folder / limit_file)
            if limit is None or limit >= _UNLIMITED:
                continue
            used = (number(folder / use_file) or 0) - _droppable_cache(folder)
            yield limit, max(0, used)


def _droppable_cache(folder: Path) -> int:
    for line in text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.strip().isdigit():
            return int(value)
    return 0


def _quota_v2(folder: Path) -> float | None:
    """cpu.max: "200000 100000", or "max 100000"."""
    parts = text(folder / "cpu.max").split()
    return _share(*parts) if len(parts) == 2 else None  # noqa: PLR2004 - quota and period


def _quota_v1(folder: Path) -> float | None:
    """cpu.cfs_quota_us is -1 where there is none."""
    return _share(text(folder / "cpu.cfs_quota_us").strip(), text(folder / "cpu.cfs_period_us").strip())


def _share(quota: str, period: str) -> float | None:
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def _levels(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group for a controller, and of every group above it."""
    for line in text(root / "proc/self/cgroup").splitlines():
        if line.count(":") < 2:  # noqa: PLR2004 - id, controllers and path
            continue
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        yield from _up(_mount(root, controllers, controller), path)


def _mount(root: Path, controllers: str, controller: str) -> Path:
    base = root / "sys/fs/cgroup"
    if controllers:
        together = base / controllers
        return together if together.is_dir() else base / controller
    return base / "unified" if (base / "unified").is_dir() else base


def _up(mount: Path, path: str) -> Iterator[Path]:
    """The group and those above it. Inside a container its own group is often mounted as the root itself."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for depth in range(len(parts), -1, -1):
        folder = mount.joinpath(*parts[:depth])
        if folder.is_dir():
            yield folder
