"""The store."""

import datetime as dt
import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bakeoff.errors import StoreError
from bakeoff.records import EngineInfo, Finding, ModelRecord, RunRecord, Trial
from bakeoff.store.failures import plainly
from bakeoff.store.opening import FILE_NAME, connect, locate
from bakeoff.store.rows import machine_json, machine_record, run_record, run_row, to_json, trial_record, trial_row
from bakeoff.store.schema import RUN_NAMES, RUNS, TRIALS

__all__ = ["FILE_NAME", "Store"]

LATEST = "latest"
_NAMES_SHOWN = 5


class Store:
    """Runs and their trials. Every method raises `StoreError`, with one line that says what is the matter.

    Several processes may use one store at the same time; each write is one transaction.
    """

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self.where = where
        """the database, for people"""

    @classmethod
    def open(cls, target: str | Path, *, create: bool = True) -> Self:
        """Open the store of an output folder (or at a ``sqlite:///`` URL), its schema brought up to date.

        With `create` it is made where there is none; without, that is an error, and a store on a read-only
        disk can still be read.
        """
        path = locate(target)
        return cls(connect(path, create=create), str(path))

    def close(self) -> None:
        """Let go of the database; the store cannot be used after."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # Runs

    def new_run_name(self, date: dt.date) -> str:
        """The day's next name: "2026-11-23-1", then "-2" ... No two callers ever get the same."""
        day = date.isoformat()[:10]
        with self._writing() as connection:
            number = 1 + (connection.scalar(select(RUN_NAMES.c.last).where(RUN_NAMES.c.day == day)) or 0)
            taken = set(connection.scalars(select(RUNS.c.name).where(RUNS.c.name.startswith(f"{day}-"))))
            while f"{day}-{number}" in taken:
                number += 1
            changed = connection.execute(update(RUN_NAMES).where(RUN_NAMES.c.day == day).values(last=number))
            if not changed.rowcount:
                connection.execute(insert(RUN_NAMES).values(day=day, last=number))
        return f"{day}-{number}"

    def create_run(self, run: RunRecord) -> None:
        """Store a run as it starts. Its name must be new."""
        if not run.name or run.name == LATEST:
            raise StoreError(f"a run cannot be named {run.name!r}")
        try:
            with self._writing() as connection:
                connection.execute(insert(RUNS).values(run_row(run)))
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StoreError(f"the store {self.where} already has a run {run.name}") from error
            raise

    def update_run(
        self,
        name: str,
        *,
        state: str | None = None,
        elapsed_s: float | None = None,
        models: Sequence[ModelRecord] | None = None,
        engines: Sequence[EngineInfo] | None = None,
        audit: Sequence[Finding] | None = None,
    ) -> None:
        """Change what is given of a run, and leave the rest."""
        given = {
            "state": state,
            "elapsed_s": elapsed_s,
            "models": None if models is None else to_json(models),
            "engines": None if engines is None else to_json(engines),
        }
        changes = {column: value for column, value in given.items() if value is not None}
        with self._writing() as connection:
            row = self._run_row(connection, name)
            if audit is not None:
                changes["machine"] = machine_json(machine_record(row.machine)[0], audit)
            if changes:
                connection.execute(update(RUNS).where(RUNS.c.id == row.id).values(changes))

    def runs(self) -> list[RunRecord]:
        """Every run, the oldest first."""
        with self._reading() as connection:
            return [run_record(row) for row in connection.execute(select(RUNS).order_by(RUNS.c.id))]

    def run(self, name: str = LATEST) -> RunRecord:
        """The run of that name, or the one begun last."""
        with self._reading() as connection:
            return run_record(self._run_row(connection, name))

    # Trials

    def add_trials(self, run: str, trials: Sequence[Trial]) -> None:
        """Add trials to a run: all of them or, should anything go wrong, none."""
        with self._writing() as connection:
            run_id = self._run_row(connection, run).id
            if trials:
                connection.execute(insert(TRIALS), [trial_row(run_id, trial) for trial in trials])

    def trials(self, run: str = LATEST, *, latencies: bool = True) -> list[Trial]:
        """A run's trials in the order they were added.

        Without `latencies`, each measurement's `latencies` and `warm_up` are empty, and less is read.
        """
        columns = [column for column in TRIALS.c if latencies or column is not TRIALS.c.samples]
        with self._reading() as connection:
            run_id = self._run_row(connection, run).id
            rows = connection.execute(select(*columns).where(TRIALS.c.run_id == run_id).order_by(TRIALS.c.id))
            return [trial_record(row) for row in rows]

    # Within

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with plainly(self.where), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with plainly(self.where), self._writer.begin() as connection:
            yield connection

    def _run_row(self, connection: Connection, name: str) -> Any:
        query = select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id.desc()).limit(1)
        row = connection.execute(query if name == LATEST else query.where(RUNS.c.name == name)).first()
        if row is None:
            raise self._unknown_run(connection, name)
        return row

    def _unknown_run(self, connection: Connection, name: str) -> StoreError:
        names = list(connection.scalars(select(RUNS.c.name).order_by(RUNS.c.id.desc()).limit(1000)))
        if not names:
            return StoreError(f"the store {self.where} holds no run yet", "Race first: `bakeoff run`.")
        close = difflib.get_close_matches(name, names, n=_NAMES_SHOWN) or names[:_NAMES_SHOWN]
        count = connection.scalar(select(func.count()).select_from(RUNS))
        message = f"the store {self.where} has no run {name!r}; it holds {count}: {', '.join(close)}"
        return StoreError(message + (" ..." if count and count > len(close) else ""))
