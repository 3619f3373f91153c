"""Where the inputs of a race and its workers' outputs lie: in the cache, a folder for each race."""

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from bakeoff import paths
from bakeoff.errors import StoreError
from bakeoff.locks import Lock, taken_if_free


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder of this race's own; what killed races have left beside it is removed.

    A race holds a lock beside its folder, so that no other takes it for abandoned, whatever machine or container that
    runs in. Raises `StoreError` if the cache cannot be written.
    """
    parent = paths.cache_dir() / "scratch"
    folder = parent / uuid4().hex
    lock = Lock(_lock_of(folder))
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for other in filter(Path.is_dir, [*parent.iterdir()]):
            if abandoned := taken_if_free(_lock_of(other)):
                shutil.rmtree(other, ignore_errors=True)
                abandoned.release(remove=True)
        with contextlib.suppress(OSError):  # where there are no locks, nobody removes what is not his
            lock.acquire(wait=False)
        folder.mkdir()
    except OSError as error:
        message = f"the cache cannot be written to {parent}: {error.strerror}"
        raise StoreError(message, "Set BAKEOFF_CACHE to a folder of yours.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release(remove=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
