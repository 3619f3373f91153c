"""The store that a command works on."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bakeoff import store
from bakeoff.store import Store


@contextmanager
def opened(output: Path, url: str | None, *, create: bool = True) -> Iterator[Store]:
    """The store at `url`, or else that of the output folder, open for the block; what was delivered is said."""
    with store.opened(output, url, functools.partial(click.echo, err=True), create=create) as found:
        yield found
