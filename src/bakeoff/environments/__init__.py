"""Environments: the locked, isolated installations that engines run in.

`find` says whether one stands, `install` builds what is missing, `remove` and `disk_use` look after the disk.
An environment is keyed by its lock: a new lock is a new environment, beside the old one.
"""

import concurrent.futures
import os
import shutil
import time
from collections.abc import Iterable, Sequence

from bakeoff.environments import debian, folders, interpreters, pip_settings, programs, uv
from bakeoff.environments.folders import OnDisk
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.environments.progress import Report
from bakeoff.errors import EnvironmentUnavailableError
from bakeoff.records import EngineSpec, EnvironmentSpec, Installed

__all__ = ["OnDisk", "Report", "disk_use", "find", "install", "is_installed", "missing", "remove", "unused"]

_SMOKE_TEST_S = 120.0
_MOST_JOBS = 4
"""Builds at once: each waits for the network, then for the disk, so a few more than cores keep both busy."""


def find(spec: EnvironmentSpec) -> Installed | None:
    """The environment of `spec` as it stands ready, None if it does not. Starts no process."""
    folder = folders.folder_of(spec.name, folders.digest_of(spec))
    record = folders.read_record(folder)
    if record is None:
        return None
    if spec.kind == "debian":
        command, env = debian.command(folder), debian.variables(folder)
    else:
        command, env = uv.command(folder), {}
    if shutil.which(command[0]) is None:  # such as the Python that it was built on, removed since
        return None
    return Installed(
        name=spec.name, digest=record.digest, path=folder, command=command, env=env, size_mb=record.size_mb
    )


def is_installed(engine: EngineSpec) -> bool:
    """Whether `engine` could run without anything being built, its converter's environment included."""
    return all(find(spec) for spec in engine.environments)


def missing(spec: EnvironmentSpec) -> str:
    """What stands in the way of building `spec` here, as far as that shows without the network; "" if nothing."""
    if spec.kind == "debian":
        return debian.why_not() or ""
    if interpreters.locate(spec.python or "") is None:
        return f"Python {spec.python} is not on this machine; uv will try to download it"
    return ""


def install(
    specs: Iterable[EnvironmentSpec], report: Report, *, jobs: int | None = None
) -> dict[str, Installed | EnvironmentUnavailableError]:
    """Build those of `specs` that do not stand yet, `jobs` at a time; by name, what stands or why it does not.

    Several processes may do so at once: each environment is built by one of them while the others wait for it.
    An interrupt ends the builds under way and leaves nothing half-made.
    """
    wanted = list({spec.name: spec for spec in specs}.values())
    results: dict[str, Installed | EnvironmentUnavailableError] = {}
    to_build = []
    for spec in wanted:
        standing = find(spec)
        if standing is None:
            to_build.append(spec)
        else:
            results[spec.name] = standing
    if not to_build:
        return results
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
        return _build(spec, settings, report)
    except EnvironmentUnavailableError as error:
        report.failed(spec.name, " ".join([str(error), *([f"({error.advice})"] if error.advice else [])]))
        return error


def _build(spec: EnvironmentSpec, settings: PackageSettings, report: Report) -> Installed:
    """Build `spec` aside, try it, put it in place. Raises `EnvironmentUnavailableError` with one clear line."""
    folder = folders.folder_of(spec.name, folders.digest_of(spec))
    log = folders.log_of(folder)
    try:
        with folders.locked(folder):
            if (standing := find(spec)) is not None:  # another process was quicker
                return standing
            report.started(spec)
            started = time.monotonic()
            log.unlink(missing_ok=True)
            with folders.building(folder) as aside:
                _check_room(spec)
                _fill(spec, programs.Build(aside, log, settings, report))
                record = folders.put_in_place(aside, folder, spec, started)
    except programs.ProgramFailedError as error:
        raise programs.unavailable(str(error), log) from error
    except OSError as error:
        raise programs.unavailable(f"it cannot be written: {error}", log) from error
    installed = find(spec)
    if installed is None:
        raise programs.unavailable("it was built and is gone again: is something clearing the cache?", log)
    report.finished(installed, record.built_s)
    return installed


def _fill(spec: EnvironmentSpec, build: programs.Build) -> None:
    """Build by kind, then try it: its Python must run and have numpy, which every worker needs."""
    if spec.kind == "debian":
        debian.build(spec, build)
        command, env = debian.command(build.folder), debian.variables(build.folder)
    else:
        uv.build(spec, interpreters.find_interpreter(spec.python or "", build.settings), build)
        command, env = uv.command(build.folder), {}
    build.run(*command, "-c", "import numpy", env=uv.clean_environment() | env, timeout_s=_SMOKE_TEST_S)


def _check_room(spec: EnvironmentSpec) -> None:
    """Refuse at once what the disk cannot hold: packages are kept in uv's cache and hard-linked from there."""
    free_mb = shutil.disk_usage(folders.home()).free / 1e6
    needed_mb = spec.disk_mb + spec.download_mb
    if free_mb < needed_mb:
        raise EnvironmentUnavailableError(
            f"needs {needed_mb:,} MB of disk, and {folders.home()} has {free_mb:,.0f} MB left",
            "free some, or set BAKEOFF_CACHE to a folder on another disk",
        )


def disk_use() -> list[OnDisk]:
    """Every environment on disk, those of locks long gone included."""
    return folders.everything()


def unused(specs: Iterable[EnvironmentSpec]) -> list[OnDisk]:
    """The environments on disk that none of `specs` needs with its present lock."""
    needed = {folders.folder_of(spec.name, folders.digest_of(spec)) for spec in specs}
    return [entry for entry in disk_use() if entry.path not in needed]


def remove(entries: Sequence[OnDisk]) -> float:
    """Remove these environments; returns the megabytes freed. uv's download cache stays."""
    for entry in entries:
        with folders.locked(entry.path):
            folders.clear_leftovers(entry.path)
            folders.discard(entry.path)
    return sum(entry.size_mb for entry in entries)
