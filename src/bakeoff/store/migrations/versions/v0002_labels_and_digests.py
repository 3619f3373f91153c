"""What history and comparisons look for: tags, machines, models and environments by digest; engines kept for a rerace.

The new columns of rows that are there already are filled from the JSON and MessagePack that those rows hold.
"""

import json
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

RUNS = sa.table("runs", *map(sa.column, ("id", "plan", "machine", "models", "machine_digest")))
LABELS = sa.table("run_labels", *map(sa.column, ("kind", "value", "run_id")))
TRIALS = sa.table("trials", *map(sa.column, ("id", "run_id", "model", "details", "model_digest", "environment_digest")))
DAMAGED = (ValueError, AttributeError, KeyError, TypeError)
"""what content that is none raises: such a row stays as it is, and is left out whenever it is read"""
AT_ONCE = 1000
"""trials read, then written, so that a large store does not have to fit into memory"""


def upgrade() -> None:
    op.add_column("runs", sa.Column("tags", sa.Text, nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("machine_digest", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_runs_started_at", "runs", ["started_at", "id"])
    op.create_index("ix_runs_machine_digest", "runs", ["machine_digest"])
    op.create_table(
        "run_labels",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "run_id", name="pk_run_labels"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_labels_run_id_runs"),
    )
    op.create_index("ix_run_labels_run_id", "run_labels", ["run_id"])
    op.add_column("trials", sa.Column("model_digest", sa.String(64), nullable=False, server_default=""))
    op.add_column("trials", sa.Column("environment_digest", sa.String(64), nullable=False, server_default=""))
    op.add_column("trials", sa.Column("key", sa.String(32), nullable=True))
    op.create_index("uq_trials_run_id_key", "trials", ["run_id", "key"], unique=True)
    op.create_table(
        "engine_kits",
        sa.Column("digest", sa.String(64)),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_engine_kits"),
    )
    _fill_runs()


def _fill_runs() -> None:
    connection = op.get_bind()
    for run in connection.execute(sa.select(RUNS)).all():
        try:
            plan, machine, models = (json.loads(text) for text in (run.plan, run.machine, run.models))
            digest = str(machine.get("digest") or "")
            labels = {("engine", name) for name in plan["engines"]} | {("model", name) for name in plan["models"]}
            models_by_name = {model["name"]: model["digest"] for model in models}
        except DAMAGED:
            continue
        connection.execute(sa.update(RUNS).where(RUNS.c.id == run.id).values(machine_digest=digest))
        rows = [{"kind": kind, "value": value, "run_id": run.id} for kind, value in sorted(labels)]
        if rows:
            connection.execute(sa.insert(LABELS), rows)
        _fill_trials(connection, run.id, models_by_name)


def _fill_trials(connection: sa.Connection, run_id: int, models: dict[str, str]) -> None:
    last = 0
    while True:
        some = sa.select(TRIALS).where(TRIALS.c.run_id == run_id, TRIALS.c.id > last).order_by(TRIALS.c.id)
        rows = connection.execute(some.limit(AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1].id
        connection.execute(
            sa.update(TRIALS)
            .where(TRIALS.c.id == sa.bindparam("of"))
            .values(model_digest=sa.bindparam("its_model"), environment_digest=sa.bindparam("its_environment")),
            [
                {"of": row.id, "its_model": models.get(row.model, ""), "its_environment": _environment_of(row)}
                for row in rows
            ],
        )


def _environment_of(trial: sa.Row[Any]) -> str:
    try:
        return str(msgspec.msgpack.decode(trial.details)["environment_digest"])
    except DAMAGED:
        return ""


def downgrade() -> None:
    op.drop_table("engine_kits")
    op.drop_index("uq_trials_run_id_key", "trials")
    op.drop_index("ix_run_labels_run_id", "run_labels")
    op.drop_table("run_labels")
    op.drop_index("ix_runs_machine_digest", "runs")
    op.drop_index("ix_runs_started_at", "runs")
    for table, column in (("trials", "key"), ("trials", "environment_digest"), ("trials", "model_digest")):
        op.drop_column(table, column)
    for column in ("machine_digest", "tags"):
        op.drop_column("runs", column)
