"""Files of the cache: each made once, whole or not at all, and made anew where it is damaged."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray


@contextlib.contextmanager
def making(target: Path, sound: Callable[[Path], bool] = Path.exists) -> Iterator[Path | None]:
    """A place to make `target` in, which gets its name when the block ends well; None if `sound` finds it there."""
    if sound(target):
        yield None
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if sound(target):
            yield None
            return
        with scratch_in(target.parent) as scratch:
            yield scratch / target.name
            if target.is_dir():  # damaged; a file is replaced as it is
                target.rename(scratch / "damaged")
            (scratch / target.name).replace(target)


@contextlib.contextmanager
def scratch_in(parent: Path) -> Iterator[Path]:
    """A folder beside what will be renamed out of it; gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".making-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load_arrays(path: Path) -> list[NDArray[np.generic]]:
    """The arrays of a reference file; none if there is no sound one, and a damaged one is removed."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return [file[f"arr_{index}"] for index in range(len(file.files))]
    except Exception:  # noqa: BLE001 - of a damaged file zipfile, zlib and numpy raise nearly anything
        path.unlink(missing_ok=True)
        return []


def holds_an_array(path: Path) -> bool:
    """Whether the .npy file is there as long as its head says. Its numbers are not read."""
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return True
