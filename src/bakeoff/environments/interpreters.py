"""Finds the Python an environment asks for: the controller's own, one on the machine, else uv's download.

Every candidate is run and asked what it is, so a pyenv shim or a broken link never counts as an interpreter.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bakeoff import paths
from bakeoff.environments import programs, uv_program
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.errors import EnvironmentUnavailableError

_ASK = """
import json, platform, struct, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "bits": struct.calcsize("P") * 8,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "executable": sys.executable,
}))
"""
_ANSWER_S = 20.0


def find_interpreter(version: str, settings: PackageSettings | None = None) -> Path:
    """The executable of a CPython `version` ("3.11" or "3.11.7"), downloaded by uv if the machine has none.

    Raises `EnvironmentUnavailableError`, with the command that gets it.
    """
    found = locate(version)
    if found is None:
        problem = _download(version, settings or PackageSettings())
        locate.cache_clear()
        found = locate(version)
        if found is None:
            raise EnvironmentUnavailableError(
                f"needs Python {version}, which is not on this machine{problem}", how_to_get(version)
            )
    return found


@functools.cache
def locate(version: str) -> Path | None:
    """The executable of a CPython `version` that is on this machine already, else None."""
    seen: set[Path] = set()
    for candidate in _candidates(version):
        if candidate in seen:
            continue
        seen.add(candidate)
        executable = _verified(candidate, version)
        if executable is not None:
            return executable
    return None


def how_to_get(version: str) -> str:
    """The one command that gets Python `version` on this platform."""
    minor = ".".join(version.split(".")[:2])
    if conda := next((name for name in ("conda", "mamba", "micromamba") if shutil.which(name)), None):
        return f"get it with: {conda} create --name python{minor} python={minor}"
    if os.name == "nt":
        return (
            f"get it with: winget install Anaconda.Miniconda3, then: conda create --name python{minor} python={minor}"
        )
    if shutil.which("pyenv"):
        return f"get it with: pyenv install {minor}"
    if sys.platform == "darwin":
        return f"get it with: brew install pyenv && pyenv install {minor}"
    return f"get it with pyenv (github.com/pyenv/pyenv): pyenv install {minor}"


def _verified(candidate: Path, version: str) -> Path | None:
    """Run `candidate`: its true executable if it is a 64-bit CPython `version` with a GIL, else None."""
    try:
        answer = subprocess.run(
            [candidate, "-I", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            check=True,
            env=programs.clean_environment(),
        )
        about = json.loads(answer.stdout)
        fits = (
            about["implementation"] == "CPython"
            and about["bits"] == 64  # noqa: PLR2004 - no framework here has 32-bit wheels
            and not about["free_threaded"]
            and f"{about['version']}.".startswith(f"{version}.")
        )
        return Path(about["executable"]) if fits else None
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def _candidates(version: str) -> Iterator[Path]:
    """Paths where Python `version` may be, likeliest and cheapest first."""
    minor = ".".join(version.split(".")[:2])
    if f"{sys.version_info.major}.{sys.version_info.minor}" == minor:
        yield Path(getattr(sys, "_base_executable", None) or sys.executable)
    yield from _of_pyenv(version)
    yield from _on_path(minor)
    yield from _of_uv(minor)
    yield from _of_conda()
    if sys.platform == "darwin":
        yield from _of_macos(minor)
    if os.name == "nt":
        yield from _of_py_launcher(minor)


def _executable_in(prefix: Path) -> Path:
    return prefix / "python.exe" if os.name == "nt" else prefix / "bin" / "python"


def _of_pyenv(version: str) -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for versions in (root / "versions", root / "pyenv-win" / "versions"):
        for prefix in sorted(versions.glob(f"{version}*"), reverse=True):
            yield _executable_in(prefix)


def _on_path(minor: str) -> Iterator[Path]:
    """Executables on PATH, shims aside: a shim runs whatever Python the current folder asks for."""
    suffix = ".exe" if os.name == "nt" else ""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for name in (f"python{minor}", "python3", "python"):
        for folder in folders:
            candidate = folder / f"{name}{suffix}"
            if folder.name != "shims" and candidate.is_file():
                yield candidate


def _of_uv(minor: str) -> Iterator[Path]:
    """Interpreters that uv downloaded, for us or for the user."""
    homes = [download_dir(), Path.home() / ".local" / "share" / "uv" / "python"]
    if chosen := os.environ.get("UV_PYTHON_INSTALL_DIR"):
        homes.append(Path(chosen))
    if roaming := os.environ.get("APPDATA"):
        homes.append(Path(roaming) / "uv" / "python")
    for home in homes:
        for prefix in sorted(home.glob(f"cpython-{minor}.*"), reverse=True):
            yield _executable_in(prefix)


def _of_conda() -> Iterator[Path]:
    known = Path.home() / ".conda" / "environments.txt"
    prefixes = os.fsdecode(known.read_bytes()).split("\n") if known.is_file() else []
    for prefix in [os.environ.get("CONDA_PREFIX", ""), *prefixes]:
        if prefix.strip():
            yield _executable_in(Path(prefix.strip()))


def _of_macos(minor: str) -> Iterator[Path]:
    yield Path(f"/Library/Frameworks/Python.framework/Versions/{minor}/bin/python{minor}")
    for homebrew in ("/opt/homebrew", "/usr/local"):
        yield Path(homebrew) / "opt" / f"python@{minor}" / "bin" / f"python{minor}"


def _of_py_launcher(minor: str) -> Iterator[Path]:
    launcher = shutil.which("py")
    if launcher is None:
        return
    try:
        answer = subprocess.run(
            [launcher, f"-{minor}", "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return
    yield Path(answer.stdout.strip())


def download_dir() -> Path:
    """Where uv puts the interpreters that it downloads for bakeoff."""
    return paths.cache_dir() / "python"


def _download(version: str, settings: PackageSettings) -> str:
    """Have uv download Python `version`; returns "" or why not, to go on a sentence."""
    home = download_dir()
    home.mkdir(parents=True, exist_ok=True)
    try:
        words = ("python", "install", "--no-bin", "--install-dir", home, version)
        uv_program.run(*words, settings=settings, cwd=home, log=home / "download.log")
    except programs.ProgramFailedError as error:
        return f", and uv cannot download it: {error}"
    return ""
