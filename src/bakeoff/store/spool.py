"""Trials that a database could not take: on disk, in the output folder, until it can.

One file, a line of JSON for each attempt that failed. Delivering a line twice does no harm: a trial that a run has
already is not added again. So lines are removed only after the database has said that it has them. A line that no
later attempt could deliver either goes into a file beside, with the reason, and the others go on.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock

from bakeoff.errors import RefusedError, StoreError
from bakeoff.records import Record, RunRecord, Trial, older
from bakeoff.store.database import Store

FILE_NAME = "spool.jsonl"
UNDELIVERABLE = ".undeliverable.jsonl"
"""the suffix of the file beside"""


class SpooledTrials(Record, frozen=True):
    """What one attempt would have stored."""

    store: str
    """`Store.where` of the database that is to have it: no other gets it"""
    run: str
    trials: tuple[Trial, ...]
    state: str
    elapsed_s: float
    started_at: float | None = None
    """of the run: another may have its name in a store that was begun afresh; None in lines of an older bakeoff"""


class SetAside(Record, frozen=True):
    """A line that cannot be delivered, as it is kept."""

    reason: str
    line: str
    """bytes that are no UTF-8 are escaped"""


class Spool:
    """The spool of an output folder; of several processes, one at a time uses it."""

    def __init__(self, output: Path) -> None:
        self.path = output / FILE_NAME

    def keep(self, store: Store, run: RunRecord, trials: Sequence[Trial]) -> None:
        """Append what is new of `run` to the file, and see it on the disk. Raises `StoreError` if that fails too."""
        entry = SpooledTrials(
            store=store.where,
            run=run.name,
            trials=tuple(trials),
            state=run.state,
            elapsed_s=run.elapsed_s,
            started_at=run.started_at,
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                # A line that a killed process left half must not take this one with it.
                _append(self.path, (b"" if self._ends_well() else b"\n") + msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            raise StoreError(f"the spool {self.path} could not be written: {error.strerror}") from error

    def waiting(self, store: Store) -> int:
        """How many trials wait for `store`, as far as can be read."""
        count = 0
        with contextlib.suppress(OSError):
            for line in self.path.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):
                    entry = _read(line)
                    count += len(entry.trials) if entry.store == store.where else 0
        return count

    def deliver(self, store: Store, say: Callable[[str], None]) -> None:
        """Bring what waits for `store` into it, and keep what waits for another.

        `say` gets lines on what was delivered, and on what never can be. Raises `StoreError` if the store still fails.
        """
        if not self.path.exists():
            return
        try:
            with self._alone():
                delivered, set_aside = self._deliver(store)
        except OSError as error:
            raise StoreError(f"the spool {self.path} cannot be read or removed: {error.strerror}") from error
        if delivered:
            say(f"{delivered} trials that waited in {self.path} are now in {store.where}")
        for reason in dict.fromkeys(each.reason for each in set_aside):
            say(f"{reason}: what waited for it is kept in {self._undeliverable}")

    @property
    def _undeliverable(self) -> Path:
        return self.path.with_suffix(UNDELIVERABLE)

    def _deliver(self, store: Store) -> tuple[int, list[SetAside]]:
        """How many trials were delivered, and which lines never can be."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        others, set_aside, delivered = [], [], 0
        for line in filter(bytes.strip, lines):
            try:
                entry = _read(line)
                if entry.store != store.where:
                    others.append(line)
                else:
                    _store(entry, store)
                    delivered += len(entry.trials)
            except msgspec.DecodeError as error:
                set_aside.append(_set_aside(f"a line of {self.path} cannot be read ({error})", line))
            except RefusedError as error:
                set_aside.append(_set_aside(str(error), line))
        if set_aside:
            _append(self._undeliverable, b"".join(msgspec.json.encode(each) + b"\n" for each in set_aside))
        if others:
            beside = self.path.with_suffix(".tmp")
            beside.write_bytes(b"".join(others))
            beside.replace(self.path)
        else:
            self.path.unlink(missing_ok=True)
        return delivered, set_aside

    def _alone(self) -> FileLock:
        return FileLock(f"{self.path}.lock")

    def _ends_well(self) -> bool:
        if not self.path.exists() or not self.path.stat().st_size:
            return True
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _set_aside(reason: str, line: bytes) -> SetAside:
    return SetAside(reason=reason, line=line.strip().decode(errors="backslashreplace"))


def _append(path: Path, content: bytes) -> None:
    """Add `content`, and see it on the disk; on one that is full the file stays as it was."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            while content:
                content = content[file.write(content) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def _read(line: bytes) -> SpooledTrials:
    """The entry of a line, as any bakeoff wrote it. Raises `msgspec.DecodeError` if it is not whole."""
    found = msgspec.json.decode(line, type=dict[str, Any])
    try:
        trials = [{**trial, "case": older.case(trial["case"])} for trial in found["trials"]]
    except (KeyError, TypeError) as error:
        raise msgspec.DecodeError(f"no trial: {error}") from error
    return msgspec.convert({**found, "trials": trials}, SpooledTrials, str_keys=True)


def _store(entry: SpooledTrials, store: Store) -> None:
    """Raises `RefusedError` if the store will never take it, `StoreError` if it cannot now."""
    if entry.started_at not in (None, store.run(entry.run).started_at):
        raise RefusedError(f"the run {entry.run} of the store {store.where} is another one of that name")
    store.add_trials(entry.run, entry.trials)
    store.update_run(entry.run, state=entry.state, elapsed_s=entry.elapsed_s)
