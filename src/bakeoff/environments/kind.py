"""A kind of environments: all that depends on how an environment comes to be."""

import abc
import dataclasses
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from bakeoff.environments import folders, programs
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.environments.wheels import Wheels
from bakeoff.errors import EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec, Installed

_SMOKE_TEST_S = 120.0


class Report(Protocol):
    """Receives the progress of installations. Calls come from several threads."""

    def started(self, spec: EnvironmentSpec) -> None:
        """`spec` is being built; environments that already stand are never announced."""

    def note(self, text: str) -> None:
        """One line that the user should see, and that stops nothing."""

    def finished(self, installed: Installed, seconds: float) -> None:
        """It stands, and took `seconds` to build."""

    def failed(self, name: str, reason: str) -> None:
        """It cannot be had: one line."""


@dataclasses.dataclass(frozen=True)
class Build:
    """One build under way: its folder, its settings, and where it reports to."""

    folder: Path
    log: Path
    settings: PackageSettings
    report: Report

    def run(self, *command: str | Path, env: Mapping[str, str], timeout_s: float | None = None) -> str:
        """`programs.run` in the build's folder, into its log."""
        return programs.run(command, env=env, cwd=self.folder, log=self.log, timeout_s=timeout_s)


class Kind(abc.ABC):
    """The interface of all kinds of environments.

    What is answered here holds for kinds that bakeoff builds from a lock, into a folder of the cache that is keyed by
    the lock. An object has no state: there is one of each kind, in `kinds`.
    """

    name: ClassVar[str]
    """what an engine.toml calls it"""

    # As it is declared

    @abc.abstractmethod
    def check(self, spec: EnvironmentSpec) -> None:
        """Raise `EngineFolderError`, which names the field, if one is missing that this kind needs."""

    @abc.abstractmethod
    def python(self, spec: EnvironmentSpec) -> str:
        """Which Python it has, for people: "3.11"."""

    # On this machine

    def find(self, spec: EnvironmentSpec) -> Installed | None:
        """The environment as it stands ready, None if it does not: its record and its interpreter are looked at.

        Starts no process, and costs so little that a race may ask before each heat.
        """
        folder = _folder(spec)
        record = folders.read_record(folder)
        if record is None or not self.runs(folder):
            return None
        command, env = self.command(folder), self.variables(folder)
        digest, size_mb = record.digest, record.size_mb
        return Installed(name=spec.name, digest=digest, path=folder, command=command, env=env, size_mb=size_mb)

    def damage(self, spec: EnvironmentSpec) -> str:
        """What an environment that stands has lost since it was built, "" if nothing. Every file is counted."""
        record = folders.read_record(_folder(spec))
        lost = 0 if record is None else record.files - folders.count_files(record.path)
        return f"{lost:,} of its {record.files:,} files are gone" if record and lost > 0 else ""

    @abc.abstractmethod
    def missing(self, spec: EnvironmentSpec) -> str:
        """What stands in the way of building it here, as far as that shows without the network; "" if nothing."""

    @abc.abstractmethod
    def command(self, folder: Path) -> tuple[str, ...]:
        """How to run the Python of the environment in `folder`, isolated from the caller's environment."""

    def variables(self, folder: Path) -> dict[str, str]:  # noqa: ARG002 - for kinds that need some
        """The environment variables which that command needs."""
        return {}

    def runs(self, folder: Path) -> bool:
        """Whether what the command starts is there: the Python that it was built on may have been removed since."""
        return shutil.which(self.command(folder)[0]) is not None

    def install(self, spec: EnvironmentSpec, settings: PackageSettings, report: Report) -> Installed:
        """Build it aside, try it, put it in place, unless it stands whole by now.

        Raises `EnvironmentUnavailableError` with one clear line.
        """
        folder = _folder(spec)
        log = folders.log_of(folder)
        try:
            with folders.locked(folder):
                standing, damage = self.find(spec), self.damage(spec)
                if standing and not damage:  # another process was quicker
                    return standing
                if damage:
                    report.note(f"{spec.name}: {damage}, so it is built anew")
                report.started(spec)
                started = time.monotonic()
                log.unlink(missing_ok=True)
                with folders.building(folder) as aside:
                    _check_room(spec)
                    build = Build(aside, log, settings, report)
                    self.build(spec, build)
                    env = programs.clean_environment() | self.variables(aside)
                    # Every worker needs numpy.
                    build.run(*self.command(aside), "-c", "import numpy", env=env, timeout_s=_SMOKE_TEST_S)
                    record = folders.put_in_place(aside, folder, spec, started)
        except programs.ProgramFailedError as error:
            raise programs.unavailable(str(error), log) from error
        except OSError as error:
            raise programs.unavailable(f"it cannot be written: {error}", log) from error
        installed = self.find(spec)
        if installed is None:
            raise programs.unavailable("it was built and is gone again: is something clearing the cache?", log)
        report.finished(installed, record.built_s)
        return installed

    @abc.abstractmethod
    def build(self, spec: EnvironmentSpec, build: Build) -> None:
        """Fill the build's folder, which may be renamed afterwards.

        Raises `EnvironmentUnavailableError` where this machine cannot do it, `ProgramFailedError` where a step fails.
        """

    @abc.abstractmethod
    def wheels(self, spec: EnvironmentSpec, installed: Installed) -> Wheels:
        """What it was filled with. Raises `UsageError` for kinds that are not filled with wheels.

        Raises `EnvironmentUnavailableError` where the files are no longer to be had.
        """

    # Its lock

    @abc.abstractmethod
    def freeze(self, spec: EnvironmentSpec, pins: str | None = None) -> str:
        """The text of its lock, made from its requirements, or from complete `pins` where this kind takes them.

        Raises `UsageError` where that cannot be done.
        """

    def unlocked(self, spec: EnvironmentSpec) -> list[str]:  # noqa: ARG002 - for kinds whose requirements are exact
        """Those of its requirements that its lock lacks."""
        return []

    @abc.abstractmethod
    def pins(self, spec: EnvironmentSpec) -> list[str]:
        """What its lock pins, each as who installs by hand has to write it."""

    @abc.abstractmethod
    def installation(self, spec: EnvironmentSpec) -> list[str]:
        """The commands that make one like it without bakeoff, from requirements.txt with its `pins`."""


def _folder(spec: EnvironmentSpec) -> Path:
    return folders.folder_of(spec.name, folders.digest_of(spec))


def _check_room(spec: EnvironmentSpec) -> None:
    """Refuse at once what the disk cannot hold: packages are kept in uv's cache and hard-linked from there."""
    free_mb = shutil.disk_usage(folders.home()).free / 1e6
    needed_mb = spec.disk_mb + spec.download_mb
    if free_mb < needed_mb:
        raise EnvironmentUnavailableError(
            f"needs {needed_mb:,} MB of disk, and {folders.home()} has {free_mb:,.0f} MB left",
            "free some, or set BAKEOFF_CACHE to a folder on another disk",
        )
