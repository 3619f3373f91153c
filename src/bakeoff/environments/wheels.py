"""What an environment was filled with: of each package the file it came from, with its hash, and its licences."""

import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from bakeoff.environments import folders, pip_settings, programs, torch_build, uv_program
from bakeoff.errors import EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec, Installed, Record

WHEELS = "wheels"
"""the folder that a lock names for files that came from no server"""
_LICENCE = re.compile(
    r"(^|/)(licen[cs]es?|copying|notice|third.?party\w*)([-_.][^/]*)?$|\.dist-info/licenses/", re.IGNORECASE
)
_CODE = {".py", ".pyc", ".pyi", ".so"}
_PLACE = re.compile(r'\b(?:url|path) = "([^"]+)"')


class Wheels(Record, frozen=True):
    """What was installed into an environment."""

    pylock: str
    """the text of a pylock.toml (PEP 751)"""
    requirements: str
    """the same for ``pip install --require-hashes``"""
    licences: Mapping[str, Path]
    """"numpy-2.4.6/LICENSE.txt" -> the file"""
    files: tuple[str, ...]
    """where each file is to be had, as an address that ends in ``#sha256=...``; with passwords, where it has one"""


def installed_in(site: Path, spec: EnvironmentSpec, installed: Installed) -> Wheels:
    """What the folder of packages `site` of the environment `installed` was filled with.

    Where packages come from is asked once more, since an installation does not keep its files' hashes. Raises
    `EnvironmentUnavailableError` where they are not to be had there, or not as the lock has them.
    """
    packages = sorted(metadata.distributions(path=[str(site)]), key=lambda each: each.name.lower())
    located = _locate([f"{each.name}=={each.version}" for each in packages], installed)
    files = files_of(located)
    hashes = {pin: [file["hashes"]["sha256"] for file in found] for pin, found in files.items()}
    locked = _locked(folders.read_lock(spec))
    for pin, found in hashes.items():
        if locked.get(pin) and not locked[pin].issuperset(found):
            message = f"{pin} of environment {spec.name} is another file where packages come from than its lock has"
            raise EnvironmentUnavailableError(message)
    lines = [f"{pin} {' '.join(f'--hash=sha256:{digest}' for digest in found)}" for pin, found in hashes.items()]
    return Wheels(
        pylock=without_this_machine(located),
        requirements="".join(f"{line}\n" for line in lines),
        licences={path: file for each in packages for path, file in licences(each).items()},
        files=tuple(f"{file['url']}#sha256={file['hashes']['sha256']}" for found in files.values() for file in found),
    )


def download(found: Wheels, installed: Installed, folder: Path) -> str:
    """The pylock.toml of the same files in `folder`, called `WHEELS`, where pip puts them now and checks their hashes.

    Raises `EnvironmentUnavailableError` where one is not to be had.
    """
    pip, log = pip_settings.pip_command(), folders.log_of(installed.path)
    if pip is None:
        raise EnvironmentUnavailableError("pip is missing, which downloads wheels", "python -m ensurepip")
    words = (*pip, "--python", installed.command[0], "download", "--no-deps", "--disable-pip-version-check")
    env = {**os.environ, "PIP_CONSTRAINT": os.devnull}  # whose files these are has been decided
    try:
        programs.run([*words, "--dest", folder, *found.files], env=env, cwd=folder, log=log)
    except programs.ProgramFailedError as error:
        raise programs.unavailable(f"the wheels of {installed.name} cannot be downloaded: {error}", log) from error
    return without_this_machine(found.pylock, local=True)


def without_this_machine(pylock: str, *, local: bool = False) -> str:
    """A pylock.toml of files on servers, without anybody's password; others, or with `local` all, are in `WHEELS`."""

    def placed(found: re.Match[str]) -> str:
        url = urlsplit(found[1])
        if url.scheme in {"http", "https"} and not local:
            return f'url = "{urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))}"'
        return f'path = "{WHEELS}/{unquote(PurePosixPath(url.path).name)}"'

    return _PLACE.sub(placed, pylock)


def files_of(pylock: str) -> dict[str, list[dict[str, Any]]]:
    """``name==version`` -> each file that a pylock.toml has of it, with ``url`` and ``hashes``."""
    return {
        f"{package['name']}=={package['version']}": package.get("wheels") or [package["sdist"]]
        for package in tomllib.loads(pylock)["packages"]
    }


def with_cpu_builds(ask: Callable[..., str], pins: str) -> str:
    """What uv answers to `ask`; if it fails and `pins` have CPU builds of PyTorch, when it asks PyTorch's index, too.

    Raises `ProgramFailedError` as uv does.
    """
    try:
        return ask()
    except programs.ProgramFailedError:
        if "+cpu" not in pins:
            raise
        return ask("--torch-backend", "cpu")


def _locate(pins: Sequence[str], installed: Installed) -> str:
    """The pylock.toml of exactly `pins`, for the environment's own Python."""
    settings, log = pip_settings.read_pip_settings(), folders.log_of(installed.path)

    def ask(*flags: str) -> str:
        words = ("pip", "compile", "-", "--quiet", "--no-config", "--no-deps", "--no-header", "--format", "pylock.toml")
        where = ("--python", installed.command[0], *settings.uv_flags(), *flags)
        with tempfile.TemporaryDirectory() as work:
            return uv_program.run(*words, *where, settings=settings, cwd=Path(work), log=log, stdin="\n".join(pins))

    try:
        return with_cpu_builds(ask, " ".join(pins))
    except programs.ProgramFailedError as error:
        raise programs.unavailable(f"the files of {installed.name} cannot be located: {error}", log) from error


def _locked(lock: str) -> dict[str, set[str]]:
    """``name==version`` -> the SHA-256 that a lock allows; none where it leaves them open."""
    lines = [(torch_build.name_and_version(line), line) for line in torch_build.logical_lines(lock)]
    return {
        f"{re.sub(r'[-_.]+', '-', name)}=={version}": set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        for (name, version), line in lines
    }


def licences(package: metadata.Distribution) -> dict[str, Path]:
    """The files of an installed package that are licences, by "name-version/place"."""
    named = [file for file in package.files or [] if _LICENCE.search(file.as_posix()) and file.suffix not in _CODE]
    return {
        f"{package.name}-{package.version}/{file.as_posix()}": Path(str(file.locate()))
        for file in named
        if ".." not in file.parts
    }
