"""Contenders: an engine run in one way has a name of its own; a trial is one packed record beside its columns."""

import hashlib
import json
from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa
from alembic import op

from bakeoff.records import older

revision = "0003"
down_revision = "0002"

RUNS = sa.table("runs", *map(sa.column, ("id", "plan")))
OF_CASE = ("engine", "model", "batch_size", "threads", "precision", "device")
OF_TRIAL = ("round", "status", "reason", "framework_version", "started_at")
TRIALS = sa.table(
    "trials", *map(sa.column, ("id", "run_id", "contender", "key", "details", "record", *OF_CASE, *OF_TRIAL))
)
DAMAGED = (ValueError, AttributeError, KeyError, TypeError)
"""what content that is none raises: such a row stays as it is, and is left out whenever it is read"""
AT_ONCE = 1000
"""trials read, then written, so that a large store does not have to fit into memory"""


def upgrade() -> None:
    op.rename_table("engine_kits", "engine_snapshots")
    op.add_column("trials", sa.Column("contender", sa.Text, nullable=False, server_default=""))
    op.add_column("trials", sa.Column("record", sa.LargeBinary, nullable=True))
    connection = op.get_bind()
    for run in connection.execute(sa.select(RUNS)).all():
        try:
            plan = json.dumps(older.plan(json.loads(run.plan)))
        except DAMAGED:
            continue
        connection.execute(sa.update(RUNS).where(RUNS.c.id == run.id).values(plan=plan))
    _fill_trials(connection)
    with op.batch_alter_table("trials") as table:
        table.drop_column("details")
        table.alter_column("record", existing_type=sa.LargeBinary, nullable=False)


def _fill_trials(connection: sa.Connection) -> None:
    changed: dict[str, object] = {
        "contender": sa.bindparam("called"),
        "key": sa.bindparam("known_by"),
        "record": sa.bindparam("whole"),
    }
    for rows in _trials(connection):
        connection.execute(
            sa.update(TRIALS).where(TRIALS.c.id == sa.bindparam("of")).values(changed), [*map(_filled, rows)]
        )


def _trials(connection: sa.Connection) -> Iterator[Sequence[sa.RowMapping]]:
    last = 0
    some = sa.select(TRIALS).order_by(TRIALS.c.id).limit(AT_ONCE)
    while rows := connection.execute(some.where(TRIALS.c.id > last)).mappings().all():
        last = rows[-1]["id"]
        yield rows


def _filled(row: sa.RowMapping) -> dict[str, object]:
    """The new columns of a trial, and its id."""
    case = older.case({name: row[name] for name in OF_CASE})
    try:
        trial = {**{name: row[name] for name in OF_TRIAL}, "case": case, **msgspec.msgpack.decode(row["details"])}
        whole = msgspec.msgpack.encode(trial)
    except DAMAGED:
        whole = row["details"]
    name = (row["round"], row["engine"], row["model"], row["batch_size"], row["started_at"])
    return {
        "of": row["id"],
        "called": row["engine"],
        "known_by": row["key"] and hashlib.sha256(msgspec.msgpack.encode(name)).hexdigest()[:32],
        "whole": whole,
    }


def downgrade() -> None:
    """Contenders become engines again, each by its name."""
    op.rename_table("engine_snapshots", "engine_kits")
    op.add_column("trials", sa.Column("details", sa.LargeBinary, nullable=True))
    connection = op.get_bind()
    for run in connection.execute(sa.select(RUNS)).all():
        plan = json.loads(run.plan)
        contenders = plan.pop("contenders")
        of_all = {"engines": [each["name"] for each in contenders], "precision": "fp32", "device": "cpu"}
        connection.execute(sa.update(RUNS).where(RUNS.c.id == run.id).values(plan=json.dumps({**plan, **of_all})))
    changed: dict[str, object] = {"engine": sa.bindparam("called"), "details": sa.bindparam("rest"), "key": None}
    for rows in _trials(connection):
        connection.execute(
            sa.update(TRIALS).where(TRIALS.c.id == sa.bindparam("of")).values(changed), [*map(_emptied, rows)]
        )
    with op.batch_alter_table("trials") as table:
        table.drop_column("record")
        table.drop_column("contender")
        table.alter_column("details", existing_type=sa.LargeBinary, nullable=False)


def _emptied(row: sa.RowMapping) -> dict[str, object]:
    trial = msgspec.msgpack.decode(row["record"])
    rest = {key: value for key, value in trial.items() if key not in {"case", *OF_TRIAL}}
    return {"of": row["id"], "called": row["contender"], "rest": msgspec.msgpack.encode(rest)}
