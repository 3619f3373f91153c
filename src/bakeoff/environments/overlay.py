"""MLPerf LoadGen beside an environment: a folder that only the driver's process imports from.

The environment that is raced stays what its lock says, and no instance of the engine ever sees LoadGen. The wheels are
pinned and hashed in ``loadgen.lock``; a folder serves every environment of the same Python.
"""

import hashlib
from pathlib import Path

from bakeoff import paths
from bakeoff.environments import folders, packages, programs
from bakeoff.errors import EnvironmentUnavailableError, UnsupportedError
from bakeoff.records import Installed

LOCK = Path(__file__).with_name("loadgen.lock")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
"""that the lock has wheels for"""
ASK_S = 60.0
FETCH_S = 600.0
_NO_WHEEL = ("no wheels", "no usable wheels")
"""how uv says that the lock has none for this platform"""


def loadgen(installed: Installed) -> Path:
    """The folder that the Python of `installed` can import LoadGen from, filled now if it never was.

    Raises `UnsupportedError` where LoadGen has no wheel for that Python or this platform, and
    `EnvironmentUnavailableError` where it cannot be had.
    """
    log = folders.home() / "logs" / "loadgen.log"
    try:
        python = _python_of(installed, log)
        if python not in PYTHONS:
            raise UnsupportedError(f"MLPerf LoadGen has no wheel for Python {python}")
        return _filled(python, log)
    except programs.ProgramFailedError as error:
        if any(words in str(error) for words in _NO_WHEEL):
            raise UnsupportedError(f"MLPerf LoadGen has no wheel for this platform: {error}") from error
        raise programs.unavailable(f"MLPerf LoadGen cannot be installed: {error}", log) from error
    except OSError as error:
        raise EnvironmentUnavailableError(f"MLPerf LoadGen cannot be written: {error}") from error


def _python_of(installed: Installed, log: Path) -> str:
    """As in "3.11"."""
    ask = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    env = programs.clean_environment() | dict(installed.env)
    return programs.run([*installed.command, "-c", ask], env=env, cwd=installed.path, log=log, timeout_s=ASK_S).strip()


def _filled(python: str, log: Path) -> Path:
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = paths.cache_dir() / "overlays" / f"loadgen-py{python}-{digest}"
    if _stands(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folders.locked(folder):
        if _stands(folder):  # another process was quicker
            return folder
        with folders.building(folder) as aside:
            hashed = ("--python-version", python, "--require-hashes", "--requirements", LOCK)
            packages.unpack_into(aside, *hashed, log=log, timeout_s=FETCH_S)
            folders.discard(folder)
            aside.chmod(0o755)  # mkdtemp made it the owner's alone
            aside.replace(folder)
    return folder


def _stands(folder: Path) -> bool:
    """Whether `folder` has what the driver imports."""
    return any(folder.glob("mlperf_loadgen*"))
