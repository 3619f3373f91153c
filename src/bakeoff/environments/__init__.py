"""Environments: the locked, isolated installations that engines run in.

`find` says whether one stands, `install` builds what is missing, `remove` and `disk_use` look after the disk. What
depends on how an environment comes to be is answered by its kind, one of `kinds`. An environment is keyed by its lock:
a new lock is a new environment, beside the old one.
"""

import concurrent.futures
import os
from collections.abc import Iterable, Sequence

from bakeoff import processes
from bakeoff.environments import folders, kinds, pip_settings, programs
from bakeoff.environments.folders import OnDisk
from bakeoff.environments.kind import Report
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.errors import EnvironmentUnavailableError
from bakeoff.records import EngineSpec, EnvironmentSpec, Installed

__all__ = ["OnDisk", "Report", "disk_use", "find", "install", "is_installed", "remove", "unused"]

_MOST_JOBS = 4
"""Builds at once: each waits for the network, then for the disk, so a few more than cores keep both busy."""


def find(spec: EnvironmentSpec) -> Installed | None:
    """The environment of `spec` as it stands ready, None if it does not; a cheap look, see `Kind.find`."""
    return kinds.of(spec).find(spec)


def is_installed(engine: EngineSpec) -> bool:
    """Whether `engine` could run without anything being built, its converter's environment included."""
    return all(find(spec) for spec in engine.environments)


def install(
    specs: Iterable[EnvironmentSpec], report: Report, *, jobs: int | None = None
) -> dict[str, Installed | EnvironmentUnavailableError]:
    """Build those of `specs` that do not stand whole, `jobs` at a time; by name, what stands or why it does not.

    Several processes may do so at once: each environment is built by one of them while the others wait for it.
    An interrupt ends the builds under way and leaves nothing half-made.
    """
    wanted = list({spec.name: spec for spec in specs}.values())
    results: dict[str, Installed | EnvironmentUnavailableError] = {}
    to_build = []
    for spec in wanted:
        standing = find(spec)
        if standing is None or kinds.of(spec).damage(spec):
            to_build.append(spec)
        else:
            results[spec.name] = standing
    if not to_build:
        return results
    processes.end_left_behind()
    settings = pip_settings.read_pip_settings()
    for note in settings.notes:
        report.note(note)
    # The largest first: started last, it would be waited for alone.
    to_build.sort(key=lambda spec: spec.download_mb, reverse=True)
    workers = jobs or min(_MOST_JOBS, os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="install") as pool:
        built = {spec.name: pool.submit(_install_one, spec, settings, report) for spec in to_build}
        try:
            results |= {name: future.result() for name, future in built.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            programs.stop_all()
            raise
    return {spec.name: results[spec.name] for spec in wanted}


def _install_one(
    spec: EnvironmentSpec, settings: PackageSettings, report: Report
) -> Installed | EnvironmentUnavailableError:
    try:
        return kinds.of(spec).install(spec, settings, report)
    except EnvironmentUnavailableError as error:
        report.failed(spec.name, " ".join([str(error), *([f"({error.advice})"] if error.advice else [])]))
        return error


def disk_use() -> list[OnDisk]:
    """Every environment on disk, those of locks long gone included."""
    return folders.everything()


def unused(specs: Iterable[EnvironmentSpec]) -> list[OnDisk]:
    """The environments on disk that none of `specs` could run in: those of other locks, and what does not stand."""
    needed = {installed.path for spec in specs if (installed := find(spec))}
    return [entry for entry in disk_use() if entry.path not in needed]


def remove(entries: Sequence[OnDisk]) -> float:
    """Remove these environments; returns the megabytes freed. uv's download cache stays."""
    for entry in entries:
        with folders.locked(entry.path):
            folders.clear_leftovers(entry.path)
            folders.discard(entry.path)
    return sum(entry.size_mb for entry in entries)
