"""The store that a command works on, with what waits for it delivered first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bakeoff.errors import StoreError
from bakeoff.store import Spool, Store


@contextmanager
def opened(output: Path, url: str | None, *, create: bool = True) -> Iterator[Store]:
    """The store at `url`, or else that of the output folder, open for the block."""
    with Store.open(url or output, create=create) as store:
        deliver(Spool(output), store)
        yield store


def deliver(spool: Spool, store: Store) -> None:
    """Bring spooled trials in, and say so; if the store still cannot take them, they go on waiting."""
    try:
        delivery = spool.deliver(store)
    except StoreError as error:
        click.echo(f"trials still wait in {spool.path}: {error}", err=True)
        return
    if delivery.trials:
        click.echo(f"{delivery.trials} trials that waited in {spool.path} are now in {store.where}", err=True)
    if delivery.torn:
        click.echo(f"{delivery.torn} lines of {spool.path} were cut short: they are kept beside it, in .torn", err=True)
