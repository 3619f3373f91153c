"""The store that a command works on, and the results in it."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bakeoff import store
from bakeoff.judge.results import Results
from bakeoff.store import Store


@contextmanager
def opened(output: Path, url: str | None, *, create: bool = True) -> Iterator[Store]:
    """The store at `url`, or else that of the output folder, open for the block; what was delivered is said."""
    with store.opened(output, url, functools.partial(click.echo, err=True), create=create) as found:
        yield found


def results_of(output: Path, url: str | None, run: str, indifference: float | None = None) -> Results:
    """The results of a stored run, by its name, a tag or a date."""
    with opened(output, url, create=False) as found:
        record = found.run(run)
        return Results(record, found.trials(record.name), indifference)
