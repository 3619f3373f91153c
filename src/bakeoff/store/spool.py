"""Trials that a database could not take: on disk, in the output folder, until it can.

One file, a line of JSON for each attempt that failed. Delivering a line twice does no harm: a trial that a run has
already is not added again. So lines are removed only after the database has said that it has them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from filelock import FileLock

from bakeoff.errors import StoreError
from bakeoff.records import Record, Trial
from bakeoff.store.database import Store

FILE_NAME = "spool.jsonl"


class Entry(Record, frozen=True):
    """What one attempt would have stored."""

    store: str
    """`Store.where` of the database that is to have it: no other gets it"""
    run: str
    trials: tuple[Trial, ...]
    state: str
    elapsed_s: float


class Delivery(NamedTuple):
    """What became of a spool."""

    trials: int
    """delivered"""
    torn: int
    """lines that a process was killed over while it wrote them: they are kept aside"""


class Spool:
    """The spool of an output folder; of several processes, one at a time uses it."""

    def __init__(self, output: Path) -> None:
        self.path = output / FILE_NAME

    def keep(self, store: Store, run: str, trials: Sequence[Trial], state: str, elapsed_s: float) -> None:
        """Append to the file, and see it on the disk. Raises `StoreError` if that cannot be done either."""
        entry = Entry(store=store.where, run=run, trials=tuple(trials), state=state, elapsed_s=elapsed_s)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(), self.path.open("ab") as file:
                # A line that somebody was killed over must not take this one with it.
                file.write((b"" if self._ends_well() else b"\n") + msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"the spool {self.path} could not be written: {error.strerror}") from error

    def deliver(self, store: Store) -> Delivery:
        """Bring what waits for `store` into it, and keep what waits for another. Raises `StoreError`."""
        if not self.path.exists():
            return Delivery(0, 0)
        try:
            with self._alone():
                return self._deliver(store)
        except OSError as error:
            raise StoreError(f"the spool {self.path} cannot be read or removed: {error.strerror}") from error

    def _deliver(self, store: Store) -> Delivery:
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        others, torn, delivered = [], [], 0
        for line in lines:
            entry = _read(line)
            if entry is None:
                torn += [line] if line.strip() else []
            elif entry.store != store.where:
                others.append(line)
            else:
                store.add_trials(entry.run, entry.trials)
                store.update_run(entry.run, state=entry.state, elapsed_s=entry.elapsed_s)
                delivered += len(entry.trials)
        if torn:
            with self.path.with_suffix(".torn").open("ab") as file:
                file.writelines(torn)
        if others:
            beside = self.path.with_suffix(".tmp")
            beside.write_bytes(b"".join(others))
            beside.replace(self.path)
        else:
            self.path.unlink(missing_ok=True)
        return Delivery(delivered, len(torn))

    def _alone(self) -> FileLock:
        return FileLock(f"{self.path}.lock")

    def _ends_well(self) -> bool:
        if not self.path.stat().st_size:
            return True
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _read(line: bytes) -> Entry | None:
    """The entry of a line; None if it is not whole."""
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.DecodeError:
        return None
