"""What an environment was filled with: of each package the file it came from, with its hash, and its licences."""

import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
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


def installed_in(site: Path, spec: EnvironmentSpec, installed: Installed) -> Wheels:
    """What the folder of packages `site` of the environment `installed` was filled with.

    Where packages come from is asked once more, since an installation does not keep its files' hashes. Raises
    `EnvironmentUnavailableError` where they are not to be had there, or not as the lock has them.
    """
    packages = sorted(metadata.distributions(path=[str(site)]), key=lambda each: each.name.lower())
    pylock = without_this_machine(_locate([f"{each.name}=={each.version}" for each in packages], installed))
    hashes = hashes_of(pylock)
    locked = _locked(folders.read_lock(spec))
    for pin, found in hashes.items():
        if locked.get(pin) and not locked[pin].issuperset(found):
            message = f"{pin} of environment {spec.name} is another file where packages come from than its lock has"
            raise EnvironmentUnavailableError(message)
    lines = [f"{pin} {' '.join(f'--hash=sha256:{digest}' for digest in found)}" for pin, found in hashes.items()]
    return Wheels(
        pylock=pylock,
        requirements="".join(f"{line}\n" for line in lines),
        licences={path: file for each in packages for path, file in licences(each).items()},
    )


def without_this_machine(pylock: str) -> str:
    """A pylock.toml whose files are on servers, without anybody's password, or else expected in `WHEELS`."""

    def placed(found: re.Match[str]) -> str:
        url = urlsplit(found[1])
        if url.scheme in {"http", "https"}:
            return f'url = "{urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))}"'
        return f'path = "{WHEELS}/{unquote(PurePosixPath(url.path).name)}"'

    return _PLACE.sub(placed, pylock)


def hashes_of(pylock: str) -> dict[str, list[str]]:
    """``name==version`` -> the SHA-256 of each file that a pylock.toml has of it."""
    found = {}
    for package in tomllib.loads(pylock)["packages"]:
        files = package.get("wheels") or [package["sdist"]]
        found[f"{package['name']}=={package['version']}"] = [file["hashes"]["sha256"] for file in files]
    return found


def _locate(pins: Sequence[str], installed: Installed) -> str:
    """The pylock.toml of exactly `pins`, for the environment's own Python."""
    settings, log = pip_settings.read_pip_settings(), folders.log_of(installed.path)

    def ask(*flags: str) -> str:
        words = ("pip", "compile", "-", "--quiet", "--no-config", "--no-deps", "--no-header", "--format", "pylock.toml")
        where = ("--python", installed.command[0], *settings.uv_flags(), *flags)
        with tempfile.TemporaryDirectory() as work:
            return uv_program.run(*words, *where, settings=settings, cwd=Path(work), log=log, stdin="\n".join(pins))

    try:
        try:
            return ask()
        except programs.ProgramFailedError:
            if not any(pin.endswith("+cpu") for pin in pins):
                raise
            return ask("--torch-backend", "cpu")
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
