"""Where environments stand on disk, and how one comes to stand there: built aside, then renamed, under a lock."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import msgspec

from bakeoff import paths
from bakeoff.errors import EngineFolderError
from bakeoff.records import EnvironmentSpec, Record

RECORD = "installed.json"
_BUILDING = ".building-"
_REMOVING = ".removing-"
_DIGEST_LENGTH = 12
_DIGITS = "[0-9a-f]" * _DIGEST_LENGTH


class OnDisk(Record, frozen=True):
    """What ``installed.json`` says of an environment; it is written last, so a folder without it is none."""

    name: str
    digest: str
    """sha256 of the lock, hex"""
    size_mb: float
    built_s: float
    """seconds that the build took"""
    installed_at: float
    """seconds since the epoch"""
    files: int = 0
    """how many it had when it was built, see `count_files`; 0 in records that are older than this field"""

    @property
    def path(self) -> Path:
        """The environment's folder."""
        return folder_of(self.name, self.digest)


def home() -> Path:
    """The folder of all environments."""
    return paths.cache_dir() / "environments"


def read_lock(spec: EnvironmentSpec) -> str:
    """The text of the lock, line ends as they are. Raises `EngineFolderError` where it cannot be read."""
    try:
        return spec.lock.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineFolderError(f"environment {spec.name}: its lock cannot be read: {error}") from error


def digest_of(spec: EnvironmentSpec) -> str:
    """sha256 of the lock, hex. Raises `EngineFolderError` where it cannot be read."""
    return hashlib.sha256(read_lock(spec).encode()).hexdigest()


def folder_of(name: str, digest: str) -> Path:
    """The folder of the environment `name` whose lock has this `digest`."""
    return home() / f"{name}-{digest[:_DIGEST_LENGTH]}"


def log_of(folder: Path) -> Path:
    """The log of the last attempt to build `folder`."""
    return home() / "logs" / f"{folder.name}.log"


def read_record(folder: Path) -> OnDisk | None:
    """What stands in `folder`, None if nothing usable does."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=OnDisk)
    except (OSError, msgspec.DecodeError):
        return None


def everything() -> list[OnDisk]:
    """Every environment on disk, by name; of one whose record is lost, what its folder's name says."""
    return [read_record(folder) or _without_record(folder) for folder in sorted(home().glob("[!.]*-" + _DIGITS))]


def _without_record(folder: Path) -> OnDisk:
    name, _, digest = folder.name.rpartition("-")
    return OnDisk(name=name, digest=digest, size_mb=size_mb(folder), built_s=0, installed_at=0)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """No other process builds or removes `folder` meanwhile: waits for one that does. A killed one's lock is free."""
    locks = home() / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / f"{folder.name}.lock"):
        yield


@contextlib.contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to build in, gone again if the block raises. Call it within `locked`.

    The name is new each time: the uv of a killed build may live on for a moment and must not write into ours.
    """
    clear_leftovers(folder)
    aside = Path(tempfile.mkdtemp(prefix=f"{_BUILDING}{folder.name}-", dir=home()))
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def put_in_place(aside: Path, folder: Path, spec: EnvironmentSpec, started: float) -> OnDisk:
    """Write the record and rename `aside` to `folder`: from this moment on others see the environment whole."""
    record = OnDisk(
        name=spec.name,
        digest=digest_of(spec),
        size_mb=round(size_mb(aside), 3),
        files=count_files(aside) + 1,  # and this record
        built_s=round(time.monotonic() - started, 2),
        installed_at=time.time(),
    )
    (aside / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    discard(folder)
    aside.chmod(0o755)  # mkdtemp made it the owner's alone
    aside.replace(folder)
    return record


def discard(folder: Path) -> None:
    """Remove `folder`, if it is there: out of sight at once, then file by file. Call it within `locked`."""
    if not folder.exists():
        return
    doomed = Path(tempfile.mkdtemp(prefix=f"{_REMOVING}{folder.name}-", dir=home()))
    folder.replace(doomed / folder.name)
    shutil.rmtree(doomed, ignore_errors=True)


def clear_leftovers(folder: Path) -> None:
    """Remove what killed builds and removals of `folder` left behind. Call it within `locked`."""
    for prefix in (_BUILDING, _REMOVING):
        for stale in home().glob(f"{prefix}{folder.name}-*"):
            shutil.rmtree(stale, ignore_errors=True)


def count_files(folder: Path) -> int:
    """The number of files under `folder`, bytecode aside, which comes and goes."""
    return sum(not entry.name.endswith(".pyc") for entry in _files(folder))


def size_mb(folder: Path) -> float:
    """Megabytes (10^6 bytes) of all files under `folder`, links not followed."""
    total = 0
    for entry in _files(folder):
        with contextlib.suppress(FileNotFoundError):
            total += entry.stat(follow_symlinks=False).st_size
    return total / 1e6


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield entry
