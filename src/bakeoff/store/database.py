"""The store."""

import datetime as dt
import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from bakeoff.errors import StoreError
from bakeoff.records import EngineInfo, Finding, ModelRecord, Plan, RunRecord, Trial
from bakeoff.scorecards import EngineSnapshot
from bakeoff.store import lookup
from bakeoff.store.backend import Backend
from bakeoff.store.failures import DAMAGED, plainly, unreadable
from bakeoff.store.lookup import LATEST
from bakeoff.store.opening import connect
from bakeoff.store.rows import (
    label_rows,
    machine_json,
    machine_record,
    model_digests,
    run_record,
    run_row,
    snapshot_record,
    snapshot_row,
    to_json,
    trial_record,
    trial_row,
)
from bakeoff.store.schema import ENGINE_SNAPSHOTS, RUN_LABELS, RUN_NAMES, RUNS, TRIALS

__all__ = ["Store"]

T = TypeVar("T")


class Store:
    """Runs and their trials. Every method raises `StoreError`, with one line that says what is the matter.

    Several processes may use one store at the same time; each write is one transaction. Wherever a run is asked for,
    its name will do, ``latest``, ``latest~1`` (the one before it), a tag or a date: see `bakeoff.store.lookup`.
    """

    def __init__(self, backend: Backend, say: Callable[[str], None]) -> None:
        self._engine = backend.engine
        self._say = say
        self._writer = backend.engine.execution_options(writes=True)
        self._claimed = backend.claimed
        self.where = backend.where
        """the database, for people: it holds no password"""

    @classmethod
    def open(cls, target: str | Path, *, create: bool = True, say: Callable[[str], None] = warnings.warn) -> Self:
        """Open the store of an output folder, or at a ``sqlite:///`` or ``postgresql://`` URL, its schema up to date.

        With `create` it is made where there is none; without, that is an error, and a store on a read-only
        disk can still be read. `say` gets a line for each row that is left out because it cannot be read.
        """
        return cls(connect(target, create=create), say)

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
            _insert_new(connection, RUN_NAMES, [{"day": day, "last": 0}])
            last = select(RUN_NAMES.c.last).where(RUN_NAMES.c.day == day)
            number = 1 + (connection.scalar(last.with_for_update()) or 0)
            taken = set(connection.scalars(select(RUNS.c.name).where(RUNS.c.name.startswith(f"{day}-"))))
            while f"{day}-{number}" in taken:
                number += 1
            connection.execute(update(RUN_NAMES).where(RUN_NAMES.c.day == day).values(last=number))
        return f"{day}-{number}"

    def create_run(self, run: RunRecord) -> None:
        """Store a run as it starts. Its name must be new."""
        if not run.name or run.name.partition("~")[0] == LATEST:
            raise StoreError(f"a run cannot be named {run.name!r}")
        try:
            with self._writing() as connection:
                created = connection.execute(insert(RUNS).values(run_row(run))).inserted_primary_key
                labels = label_rows(created[0], run) if created else []
                if labels:
                    connection.execute(insert(RUN_LABELS), labels)
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
        plan: Plan | None = None,
    ) -> None:
        """Change what is given of a run, and leave the rest."""
        given = {
            "state": state,
            "elapsed_s": elapsed_s,
            "models": None if models is None else to_json(models),
            "engines": None if engines is None else to_json(engines),
            "plan": None if plan is None else to_json(plan),
        }
        changes = {column: value for column, value in given.items() if value is not None}
        with self._writing() as connection:
            row = lookup.run_row(connection, self.where, name)
            if audit is not None:
                changes["machine"] = machine_json(machine_record(row.machine)[0], audit)
            if changes:
                connection.execute(update(RUNS).where(RUNS.c.id == row.id).values(changes))

    @contextmanager
    def racing(self, name: str) -> Iterator[None]:
        """Claim a run: nobody else can through the block, or until this process ends, however it does."""
        with ExitStack() as stack:
            with plainly(self.where):
                ours = stack.enter_context(self._claimed(name))
            if not ours:
                raise StoreError(f"run {name} is still being raced", "Wait for its end, or end it there with Ctrl-C.")
            yield

    def runs(self) -> list[RunRecord]:
        """Every run that can be read, the oldest first."""
        with self._reading() as connection:
            return list(self._readable(connection.execute(select(RUNS).order_by(RUNS.c.id)), run_record, _run_of))

    def run(self, name: str = LATEST) -> RunRecord:
        """The run of that name, or the one begun last."""
        with self._reading() as connection:
            row = lookup.run_row(connection, self.where, name)
            try:
                return run_record(row)
            except DAMAGED as error:
                raise unreadable(_run_of(row), self.where, error) from error

    def history(
        self,
        *,
        engine: str | None = None,
        model: str | None = None,
        machine: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """The runs that raced `engine` and `model`, on the machine whose digest so begins, of `tag`: latest first."""
        query = lookup.history(machine=machine, limit=limit, engine=engine, model=model, tag=tag)
        with self._reading() as connection:
            return list(self._readable(connection.execute(query), run_record, _run_of))

    # Trials

    def add_trials(self, run: str, trials: Sequence[Trial]) -> None:
        """Add trials to a run: all of them or, should anything go wrong, none.

        A trial that the run has already is not added again.
        """
        with self._writing() as connection:
            row = lookup.run_row(connection, self.where, run)
            models = model_digests(row)
            rows = [trial_row(row.id, trial, models.get(trial.case.model, "")) for trial in trials]
            _insert_new(connection, TRIALS, rows)

    def trials(self, run: str = LATEST, *, latencies: bool = True) -> list[Trial]:
        """A run's trials in the order they were added, but for those that cannot be read.

        Without `latencies`, each measurement's `latencies` and `warm_up` are empty, and less is read.
        """
        columns = [column for column in TRIALS.c if latencies or column is not TRIALS.c.samples]
        with self._reading() as connection:
            run_id = lookup.run_row(connection, self.where, run).id
            rows = connection.execute(select(*columns).where(TRIALS.c.run_id == run_id).order_by(TRIALS.c.id))
            return list(self._readable(rows, trial_record, _trial_of))

    # Engines as they were

    def keep_snapshots(self, snapshots: Sequence[EngineSnapshot]) -> dict[str, str]:
        """Store what engines are made of, each content once; returns its digest by the engine's name."""
        rows = [snapshot_row(snapshot) for snapshot in snapshots]
        with self._writing() as connection:
            _insert_new(connection, ENGINE_SNAPSHOTS, rows)
        return {kept.spec.name: row["digest"] for kept, row in zip(snapshots, rows, strict=True)}

    def snapshot(self, digest: str) -> EngineSnapshot | None:
        """The engine of that digest, as it was; None if the store does not have it."""
        with self._reading() as connection:
            content = connection.scalar(select(ENGINE_SNAPSHOTS.c.content).where(ENGINE_SNAPSHOTS.c.digest == digest))
            return None if content is None else snapshot_record(content)

    # Within

    def _readable(self, rows: Iterable[Any], read: Callable[[Any], T], name: Callable[[Any], str]) -> Iterator[T]:
        for row in rows:
            try:
                yield read(row)
            except DAMAGED as error:
                self._say(f"{unreadable(name(row), self.where, error)}: it is left out")

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with plainly(self.where), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with plainly(self.where), self._writer.begin() as connection:
            yield connection


def _run_of(row: Any) -> str:
    return f"run {row.name}"


def _trial_of(row: Any) -> str:
    return f"trial {row.id} ({row.contender}, {row.model}, batch {row.batch_size}, round {row.round})"


def _insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows but for those whose key is there already, from whichever writer."""
    if not rows:
        return
    dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # loading both takes a while
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)
