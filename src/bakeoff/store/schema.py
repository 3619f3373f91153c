"""The tables, and the revisions they went through.

Written for SQLite and PostgreSQL alike: no type or default that only one of them has.
"""

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

REVISIONS = ("0001",)
"""Every schema revision, oldest first. Kept here too so that a store at head opens without Alembic, which is
slow to import; a test holds this against the migrations."""

HEAD = REVISIONS[-1]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("elapsed_s", Double, nullable=False),
    Column("bakeoff_version", String(32), nullable=False),
    # JSON, as text: read whole, never searched, and legible in any database browser.
    Column("plan", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("engines", Text, nullable=False),
)

TRIALS = Table(
    "trials",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("engine", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("precision", String(16), nullable=False),
    Column("device", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("framework_version", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    # MessagePack: `rows.Details`, and the latencies apart from it so that a listing can leave them unread.
    Column("details", LargeBinary, nullable=False),
    Column("samples", LargeBinary, nullable=True),
    Index("ix_trials_run_id", "run_id", "id"),
)

RUN_NAMES = Table(
    "run_names",
    METADATA,
    Column("day", String(10), primary_key=True),
    Column("last", Integer, nullable=False),
)
"""The last number given out on each day: a name is taken the moment it is asked for."""
