"""uv as a program: where it is, and how it is called with the user's own word on the network."""

import functools
import os
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from bakeoff import paths
from bakeoff.environments import programs
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.errors import EnvironmentUnavailableError

HTTP_TIMEOUT_S = "120"
HTTP_RETRIES = "5"
_KEPT = re.compile(
    "UV_(CACHE_DIR|CONCURRENT_|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_|INDEX|INSECURE_HOST|KEYRING_PROVIDER|"
    "NATIVE_TLS|NO_INDEX|OFFLINE|PYTHON_DOWNLOADS|PYTHON_INSTALL_MIRROR|SYSTEM_CERTS)"
)
"""The user's own word on the network. Any other UV_ variable could lead an installation elsewhere."""
_DAMAGED = re.compile(r"Failed to install: \S+ \((?P<name>[A-Za-z0-9._-]+)==")
_looking = threading.Lock()


def path() -> str:
    """The path of the uv binary: the one that came as a dependency, else the one on PATH.

    It is looked for once, by one thread at a time: `find_uv_bin` asks sysconfig, whose first use is not thread-safe.
    """
    with _looking:
        return _find()


@functools.cache
def _find() -> str:
    import uv  # noqa: PLC0415 - a catalogue is read without it

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError:
        found = shutil.which("uv")
        if found is None:
            raise EnvironmentUnavailableError("uv is missing", "install it with: pip install uv") from None
        return found


def environment(settings: PackageSettings) -> dict[str, str]:
    """The environment variables for uv: the caller's network settings, pip's, and our cache."""
    defaults = {
        "UV_CACHE_DIR": str(paths.cache_dir() / "uv"),
        "UV_HTTP_TIMEOUT": HTTP_TIMEOUT_S,
        "UV_HTTP_RETRIES": HTTP_RETRIES,
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "manual",
    }
    users = {name: value for name, value in os.environ.items() if _KEPT.match(name.upper())}
    return programs.clean_environment() | defaults | settings.uv_variables() | users


def run(
    *arguments: str | Path,
    settings: PackageSettings,
    cwd: Path,
    log: Path,
    stdin: str = "",
    timeout_s: float | None = None,
    retries: str | None = None,
) -> str:
    """Run uv as `programs.run` does; `retries` instead of `HTTP_RETRIES`. Raises what that raises."""
    env = environment(settings) | ({"UV_HTTP_RETRIES": retries} if retries else {})
    return programs.run([path(), *arguments], env=env, cwd=cwd, log=log, stdin=stdin, timeout_s=timeout_s)


def fill(folder: Path, install: Callable[[], None], settings: PackageSettings, log: Path) -> None:
    """Have `install` fill `folder` by uv; from an empty one again where uv's cache holds a package that is not whole.

    That package is fetched anew. Raises what `install` raises.
    """
    fetched: set[str] = set()
    while True:
        try:
            return install()
        except programs.ProgramFailedError as error:
            damaged = damaged_package(error)
            if not damaged or damaged in fetched:
                raise
            fetched.add(damaged)
        run("cache", "clean", "--force", damaged, settings=settings, cwd=folder, log=log)
        shutil.rmtree(folder)
        folder.mkdir()


def damaged_package(error: programs.ProgramFailedError) -> str:
    """The package that uv failed over since its cache holds it unpacked and not whole; "" for other failures."""
    found = _DAMAGED.match(str(error))
    return found["name"] if found else ""
