"""Builds environments of the kind `uv`: a virtual environment filled from a lock, hashes checked."""

import functools
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import uv as uv_package

from bakeoff import paths
from bakeoff.environments import torch_build
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.environments.programs import Build, ProgramFailedError
from bakeoff.errors import EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec

HTTP_TIMEOUT_S = "120"
HTTP_RETRIES = "5"
FEW_RETRIES = "1"
"""For a question whose answer may well be no: PyTorch's own index is out of many people's reach."""

COMPILE = """
import compileall, sysconfig
if __name__ == "__main__":
    compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
"""
"""Compiles all bytecode, so that no import time in a race has compiling in it: for TensorFlow, 4,400 files, 9 s
on two cores. uv's own ``--compile-bytecode`` gives up on Python 3.6 where a package carries files of newer syntax."""

_DROPPED = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "PIP_", "UV_", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "LD_LIBRARY_PATH")
_KEPT_OF_UV = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_",
    "UV_INDEX",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_NO_INDEX",
    "UV_OFFLINE",
    "UV_PYTHON_DOWNLOADS",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_SYSTEM_CERTS",
)
"""The user's own word on the network. Any other UV_ variable could lead an installation elsewhere."""


_looking = threading.Lock()


def program() -> str:
    """The path of the uv binary: the one that came as a dependency, else the one on PATH.

    It is looked for once, by one thread at a time: `find_uv_bin` asks sysconfig, whose first use is not thread-safe.
    """
    with _looking:
        return _find()


@functools.cache
def _find() -> str:
    try:
        return str(uv_package.find_uv_bin())
    except FileNotFoundError:
        found = shutil.which("uv")
        if found is None:
            raise EnvironmentUnavailableError("uv is missing", "install it with: pip install uv") from None
        return found


def clean_environment() -> dict[str, str]:
    """The caller's environment variables without those that redirect a Python, a linker or uv."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(_DROPPED)}


def environment(settings: PackageSettings) -> dict[str, str]:
    """The environment variables for uv: the caller's network settings, pip's, and our cache."""
    defaults = {
        "UV_CACHE_DIR": str(paths.cache_dir() / "uv"),
        "UV_HTTP_TIMEOUT": HTTP_TIMEOUT_S,
        "UV_HTTP_RETRIES": HTTP_RETRIES,
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "manual",
    }
    users = {name: value for name, value in os.environ.items() if name.upper().startswith(_KEPT_OF_UV)}
    return clean_environment() | defaults | settings.uv_variables() | users


def command(folder: Path) -> tuple[str, ...]:
    """How to run the Python of the environment in `folder`, isolated from the caller's environment."""
    venv = folder / "venv"
    python = venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"
    return str(python), "-I"


def build(spec: EnvironmentSpec, interpreter: Path, build: Build) -> None:
    """Make the virtual environment ``venv`` on `interpreter` in the build's folder, filled from the lock of `spec`.

    It is relocatable, so the folder may be renamed. Raises `ProgramFailedError`.
    """
    _make(spec, interpreter, build)
    build.run(*command(build.folder), "-c", COMPILE, env=environment(build.settings))


def _make(spec: EnvironmentSpec, interpreter: Path, build: Build) -> None:
    variables = environment(build.settings)
    venv = build.folder / "venv"
    build.run(program(), "venv", "--no-project", "--relocatable", "--python", interpreter, venv, env=variables)
    lock = spec.lock.read_text(encoding="utf-8")
    pins = torch_build.pins(lock)
    if not pins or torch_build.source(pins, _would_pick(pins, build)) is torch_build.Source.AS_LOCKED:
        _install(build, "--no-deps", "--requirements", spec.lock)
        return
    rest = build.folder / "without-torch.txt"
    rest.write_text(torch_build.without(lock), encoding="utf-8")
    _install(build, "--no-deps", "--requirements", rest)
    try:
        _install(build, "--no-deps", "--torch-backend", "cpu", *pins, retries=FEW_RETRIES)
    except ProgramFailedError as error:
        build.report.note(torch_build.fallback_note(spec.name, str(error)))
        _install(build, *pins)


def _install(build: Build, *arguments: str | Path, retries: str | None = None) -> None:
    """Install exactly what `arguments` list. A lock is complete and exact, so it goes with ``--no-deps``.

    uv checks each line of a lock that has hashes against them, and takes those without as they are.
    """
    python = command(build.folder)[0]
    install = [program(), "pip", "install", "--python", python, *build.settings.uv_flags()]
    fewer = {"UV_HTTP_RETRIES": retries} if retries else {}
    build.run(*install, *arguments, env=environment(build.settings) | fewer)


def _would_pick(pins: Sequence[str], build: Build) -> dict[str, str]:
    """Which versions uv would take for `pins` from where packages come from here: ``{"torch": "2.13.0+cpu"}``."""
    ask = [program(), "pip", "compile", "-", "--quiet", "--no-deps", "--no-header", "--no-annotate"]
    python = command(build.folder)[0]
    try:
        answer = build.run(
            *ask, "--python", python, *build.settings.uv_flags(), env=environment(build.settings), stdin="\n".join(pins)
        )
    except ProgramFailedError:
        return {}
    return dict(torch_build.name_and_version(line) for line in answer.splitlines() if "==" in line)
