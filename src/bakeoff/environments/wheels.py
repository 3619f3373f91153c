"""What an environment was filled with: of each package the file it came from, with its hash, and its licences."""

import itertools
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
    hashes: Mapping[str, str]
    """``name==version`` -> the SHA-256 of its file"""
    terms: Mapping[str, str]
    """``name==version`` -> its licence in one line, as it says itself; no entry where it does not"""
    files: tuple[str, ...]
    """where each file is to be had, as an address that ends in ``#sha256=...``; with passwords, where it has one"""


def installed_in(site: Path, spec: EnvironmentSpec, installed: Installed) -> Wheels:
    """What the folder of packages `site` of the environment `installed` was filled with.

    Where packages come from is asked once more, since an installation does not keep its files' hashes. Raises
    `EnvironmentUnavailableError` where they are not to be had there, or not as the lock has them.
    """
    packages = sorted(metadata.distributions(path=[str(site)]), key=lambda each: each.name.lower())
    located = _locate([f"{each.name}=={each.version}" for each in packages], installed)
    files = files_of(located, {torch_build.normal(each.name): each.read_text("WHEEL") or "" for each in packages})
    hashes = {pin: file["hashes"]["sha256"] for pin, file in files.items()}
    locked = _locked(folders.read_lock(spec))
    for pin, digest in hashes.items():
        if locked.get(pin) and digest not in locked[pin]:
            message = f"{pin} of environment {spec.name} is another file where packages come from than its lock has"
            raise EnvironmentUnavailableError(message)
    return Wheels(
        pylock=without_this_machine(_with_only(located, set(hashes.values()))),
        requirements="".join(f"{pin} --hash=sha256:{digest}\n" for pin, digest in hashes.items()),
        licences={path: file for each in packages for path, file in licences(each).items()},
        hashes=hashes,
        terms={f"{torch_build.normal(each.name)}=={each.version}": line for each in packages if (line := _terms(each))},
        files=tuple(f"{file['url']}#sha256={hashes[pin]}" for pin, file in files.items()),
    )


def download(found: Wheels, installed: Installed, folder: Path) -> str:
    """The pylock.toml of the same files in `folder`, called `WHEELS`, where pip puts them now and checks their hashes.

    Raises `EnvironmentUnavailableError` where one is not to be had.
    """
    pip, log = pip_settings.pip_command(), folders.log_of(installed.path)
    if pip is None:
        raise EnvironmentUnavailableError("pip is missing, which downloads wheels", "python -m ensurepip")
    words = (*pip, "--python", installed.command[0], "download", "--no-deps", "--ignore-requires-python")
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


def files_of(pylock: str, wheels: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """``name==version`` -> the file that a pylock.toml has of it, with ``url`` and ``hashes``.

    Of several wheels that would do, the one that was installed: `wheels` has the text of each package's own WHEEL.
    """
    found = {}
    for package in tomllib.loads(pylock)["packages"]:
        files = package.get("wheels") or [package["sdist"]]
        tags = set(re.findall(r"^Tag: (\S+)", wheels.get(package["name"], ""), re.MULTILINE))
        same = [file for file in files if tags & _tags(PurePosixPath(urlsplit(file["url"]).path).stem)]
        found[f"{package['name']}=={package['version']}"] = (same or files)[0]
    return found


def _with_only(pylock: str, hashes: set[str]) -> str:
    """The pylock.toml without the lines of other files; where there are several of a package, uv gives each its own."""
    digest = re.compile(r'sha256 = "([0-9a-f]{64})"')
    return "".join(
        line for line in pylock.splitlines(keepends=True) if not (found := digest.search(line)) or found[1] in hashes
    )


def _tags(stem: str) -> set[str]:
    """Those that the name of a wheel says: "x-1-py2.py3-none-any" -> {"py2-none-any", "py3-none-any"}."""
    parts = [part.split(".") for part in stem.split("-")[-3:]]
    return {"-".join(tag) for tag in itertools.product(*parts)}


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
        f"{torch_build.normal(name)}=={version}": set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        for (name, version), line in lines
    }


def _terms(package: metadata.Distribution) -> str:
    """The licence that a package's metadata name, "" where they name none or hold its whole text."""
    said = package.metadata["License-Expression"] or package.metadata["License"] or ""
    return said if len(said.splitlines()) == 1 else ""


def licences(package: metadata.Distribution) -> dict[str, Path]:
    """The files of an installed package that are licences, by "name-version/place"."""
    named = [file for file in package.files or [] if _LICENCE.search(file.as_posix()) and file.suffix not in _CODE]
    return {
        f"{package.name}-{package.version}/{file.as_posix()}": Path(str(file.locate()))
        for file in named
        if ".." not in file.parts
    }
