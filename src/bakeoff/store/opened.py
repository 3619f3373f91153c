"""A store with what waited for it delivered first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bakeoff.errors import StoreError
from bakeoff.store.database import Store
from bakeoff.store.spool import Spool


@contextmanager
def opened(output: Path, url: str | None, say: Callable[[str], None], *, create: bool = True) -> Iterator[Store]:
    """The store at `url`, or else that of the output folder, open for the block.

    `say` gets lines on trials that waited in the folder's spool, and on rows that cannot be read. Raises
    `StoreError`.
    """
    with Store.open(url or output, create=create, say=say) as store:
        try:
            Spool(output).deliver(store, say)
        except StoreError as error:
            say(f"trials still wait in {Spool(output).path}: {error}")
        yield store
