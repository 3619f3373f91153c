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

    `say` hears what became of trials that waited in the folder's spool. Raises `StoreError`.
    """
    with Store.open(url or output, create=create) as store:
        deliver(Spool(output), store, say)
        yield store


def deliver(spool: Spool, store: Store, say: Callable[[str], None]) -> None:
    """Bring spooled trials in, and say so; if the store still cannot take them, they go on waiting."""
    try:
        delivery = spool.deliver(store)
    except StoreError as error:
        say(f"trials still wait in {spool.path}: {error}")
        return
    if delivery.trials:
        say(f"{delivery.trials} trials that waited in {spool.path} are now in {store.where}")
    if delivery.torn:
        say(f"{delivery.torn} lines of {spool.path} were cut short: they are kept beside it, in .torn")
