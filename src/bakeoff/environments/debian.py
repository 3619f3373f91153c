"""Environments of the kind `debian`: packages of a Debian release, unpacked into a private root.

apt resolves and fetches them with a configuration, state and cache of its own, and verifies their signatures with
the machine's keyring; `dpkg-deb` unpacks them. The Python inside runs under the private root's own loader, beside
any distribution. It needs no root rights and changes nothing on the system.
"""

import os
import platform
import re
import shutil
import sys
import urllib.parse
from pathlib import Path

from bakeoff.environments import programs
from bakeoff.environments.apt_sources import find_mirror, read_sources
from bakeoff.environments.folders import read_lock
from bakeoff.environments.kind import Build, Kind
from bakeoff.environments.wheels import Wheels
from bakeoff.errors import EngineFolderError, EnvironmentUnavailableError, UsageError
from bakeoff.records import EnvironmentSpec, Installed

ETC_APT = Path("/etc/apt")
VERSIONS = "versions.txt"
_TOOLS = ("apt-get", "apt-config", "dpkg-deb")
_SHOWN_DIFFERENCES = 3


_ARCHITECTURES = {"x86_64": ("amd64", "ld-linux-x86-64.so.2"), "aarch64": ("arm64", "ld-linux-aarch64.so.1")}
"""processor -> what Debian calls it, and the name of its loader"""


class Debian(Kind):
    """Of a Debian release's packages, with that release's own Python."""

    name = "debian"

    def check(self, spec: EnvironmentSpec) -> None:
        if not (spec.suite and spec.requirements):
            raise EngineFolderError(f"environments.{spec.name}: a debian environment needs `suite` and `requirements`")

    def python(self, spec: EnvironmentSpec) -> str:
        return f"{spec.suite}'s own"

    def missing(self, spec: EnvironmentSpec) -> str:  # noqa: ARG002 - the same for all of this kind
        if not sys.platform.startswith("linux"):
            return "its packages come from Debian and run on Linux only"
        if platform.machine() not in _ARCHITECTURES:
            return f"its packages exist for x86-64 and arm64, this processor is {platform.machine()}"
        missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
        if missing:
            return f"its packages are fetched by apt, and this machine has no {' and no '.join(missing)}"
        if find_mirror(read_sources(ETC_APT), machine_codename()) is None:
            return f"this machine's apt sources ({ETC_APT}) name no mirror of Debian"
        return ""

    def command(self, folder: Path) -> tuple[str, ...]:
        """By its own loader, with its own libraries; without ``-I``, which would ignore `variables`."""
        _, loader = _ARCHITECTURES[platform.machine()]
        libraries = folder / "root" / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        search = ":".join(str(path) for path in (libraries, libraries / "blas", libraries / "lapack"))
        return str(libraries / loader), "--library-path", search, str(_python_in(folder)), "-s"

    def variables(self, folder: Path) -> dict[str, str]:
        return {"PYTHONHOME": str(folder / "root" / "usr")}

    def runs(self, folder: Path) -> bool:
        return platform.machine() in _ARCHITECTURES and super().runs(folder) and _python_in(folder).is_file()

    def build(self, spec: EnvironmentSpec, build: Build) -> None:
        """Fetch and unpack the packages of `spec` and all they depend on into the build's ``root``.

        The versions that came are written to ``versions.txt``; where they differ from the lock, which is what was last
        seen to work, a note says so: Debian drops superseded versions, so an old one cannot be insisted on.
        """
        if reason := self.missing(spec):
            raise EnvironmentUnavailableError(reason)
        locked = parse_lock(spec)
        apt, root = build.folder / "apt", build.folder / "root"
        archives = _fetch(spec, apt, build)
        root.mkdir()
        for archive in archives:
            build.run("dpkg-deb", "--extract", archive, root, env=programs.clean_environment())
        shutil.rmtree(apt)
        versions = dict(package_of(archive.name) for archive in archives)
        lines = [f"{name}={version}\n" for name, version in sorted(versions.items())]
        (build.folder / VERSIONS).write_text("".join(lines), encoding="utf-8")
        if difference := describe_difference(locked, versions):
            build.report.note(f"{spec.name}: {difference}")
        sources = sorted((root / "usr" / "lib").glob("python3*"))
        # In one process: compileall's helpers would be started without the private loader.
        compile_all = (*self.command(build.folder), "-m", "compileall", "-q")
        build.run(*compile_all, *sources, env=programs.clean_environment() | self.variables(build.folder))

    def wheels(self, spec: EnvironmentSpec, installed: Installed) -> Wheels:  # noqa: ARG002 - the same for all
        raise UsageError(
            f"environment {spec.name} is unpacked from Debian's packages, of which no wheels can be listed"
        )

    def freeze(self, spec: EnvironmentSpec, pins: str | None = None) -> str:  # noqa: ARG002 - what Debian serves, is
        installed = self.find(spec)
        if installed is None:
            raise UsageError(
                f"environment {spec.name} is not installed, so it is not known which versions Debian serves",
                "run `bakeoff engines install` for an engine that uses it, then try again",
            )
        return (installed.path / VERSIONS).read_text(encoding="utf-8")

    def pins(self, spec: EnvironmentSpec) -> list[str]:
        return [f"{name}={version}" for name, version in parse_lock(spec).items()]

    def installation(self, spec: EnvironmentSpec) -> list[str]:
        return [f"apt-get install --no-install-recommends $(cat requirements.txt)  # Debian {spec.suite}"]


def machine_codename() -> str:
    """The codename of the Debian release that this machine runs, "" if it runs something else."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    return release.get("VERSION_CODENAME", "") if release.get("ID") == "debian" else ""


def _python_in(folder: Path) -> Path:
    return (folder / "root" / "usr" / "bin" / "python3").resolve()


def _fetch(spec: EnvironmentSpec, apt: Path, build: Build) -> list[Path]:
    """Download the packages of `spec` and their dependencies with a private apt under `apt`."""
    for part in ("state/lists/partial", "cache/archives/partial", "sources"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    machine = build.run("apt-config", "dump", env=programs.clean_environment())
    mirror = find_mirror(read_sources(ETC_APT), machine_codename())
    assert mirror is not None and spec.suite is not None  # noqa: S101, PT018 - `missing` and `check` saw to it
    (apt / "sources" / "debian.sources").write_text(mirror.sources_for(spec.suite), encoding="utf-8")
    (apt / "apt.conf").write_text(network_settings(machine) + _own_settings(apt), encoding="utf-8")
    env = programs.clean_environment() | {"LC_ALL": "C", "APT_CONFIG": str(apt / "apt.conf")}
    build.run("apt-get", "update", "--error-on=any", env=env)
    build.run("apt-get", "install", "--download-only", *spec.requirements, env=env)
    return sorted((apt / "cache" / "archives").glob("*.deb"))


def _own_settings(apt: Path) -> str:
    """The configuration of an apt whose every file lies under `apt`, with nothing installed.

    The machine's own configuration is not read, since its hooks act on the system; what it says of how to reach
    mirrors is carried over (`network_settings`).
    """
    settings = {
        "APT::Architecture": _ARCHITECTURES[platform.machine()][0],
        "APT::Get::Assume-Yes": "true",
        "APT::Install-Recommends": "false",
        "APT::Install-Suggests": "false",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Debug::NoLocking": "true",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::main": os.devnull,
        "Dir::Etc::parts": os.devnull,
        "Dir::Etc::preferences": os.devnull,
        "Dir::Etc::preferencesparts": os.devnull,
        "Dir::Etc::sourcelist": os.devnull,
        "Dir::Etc::sourceparts": apt / "sources",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
    }
    return "".join(f'{name} "{value}";\n' for name, value in settings.items())


def network_settings(dump: str) -> str:
    """The lines of an `apt-config dump` that say how to reach mirrors."""
    kept = [
        line
        for line in dump.splitlines()
        if line.startswith("Acquire::") and not line.startswith(("Acquire::IndexTargets", "Acquire::Changelogs"))
    ]
    return "".join(f"{line}\n" for line in kept)


def package_of(file_name: str) -> tuple[str, str]:
    """("python3-numpy", "1:2.2.4+ds-1") of "python3-numpy_1%3a2.2.4+ds-1_amd64.deb"."""
    name, version = file_name.removesuffix(".deb").split("_")[:2]
    return name, urllib.parse.unquote(version)


def parse_lock(spec: EnvironmentSpec) -> dict[str, str]:
    """The packages of the lock: a line each, ``name=version`` or a package file's name; ``#`` is a comment.

    Raises `EngineFolderError` for a line that is neither.
    """
    packages = {}
    for number, line in enumerate(read_lock(spec).splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        if re.match(r"[^=]+_", entry):
            entry = "=".join(package_of(entry))
        name, equals, version = entry.partition("=")
        if not equals:
            raise EngineFolderError(f"{spec.lock}, line {number}: neither name=version nor a package's file: {entry}")
        packages[name.strip()] = version.strip()
    return packages


def describe_difference(locked: dict[str, str], came: dict[str, str]) -> str:
    """One line on how the versions that came differ from the locked ones, "" where they do not."""
    changed = [
        f"{name} {version} -> {came[name]}"
        for name, version in sorted(locked.items())
        if name in came and came[name] != version
    ]
    gone = [f"without {name}" for name in sorted(locked) if name not in came]
    new = [f"with {name} {came[name]}" for name in sorted(came) if name not in locked]
    differences = changed + gone + new
    if not differences:
        return ""
    shown = ", ".join(differences[:_SHOWN_DIFFERENCES])
    more = f" and {len(differences) - _SHOWN_DIFFERENCES} more" if len(differences) > _SHOWN_DIFFERENCES else ""
    return f"{len(differences)} of {len(came)} packages differ from those last seen to work: {shown}{more}"
