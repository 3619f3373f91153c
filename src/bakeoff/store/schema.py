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
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

REVISIONS = ("0001", "0002", "0003")
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
    Column("tags", Text, nullable=False),
    Column("machine_digest", String(64), nullable=False),
    Index("ix_runs_started_at", "started_at", "id"),
    Index("ix_runs_machine_digest", "machine_digest"),
)

RUN_LABELS = Table(
    "run_labels",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Index("ix_run_labels_run_id", "run_id"),
)
"""What runs are asked for by: kind is "engine", "model" or "tag". The JSON of `runs` says the same; this finds it."""

TRIALS = Table(
    "trials",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("contender", Text, nullable=False, server_default=""),
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
    Column("model_digest", String(64), nullable=False),
    Column("environment_digest", String(64), nullable=False),
    # `rows.key_of`: the same trial delivered twice is one row. Trials of before revision 0002 have none.
    Column("key", String(32), nullable=True),
    # MessagePack: the whole `Trial`, and its latencies apart from it so that a listing can leave them unread.
    Column("record", LargeBinary, nullable=False),
    Column("samples", LargeBinary, nullable=True),
    Index("ix_trials_run_id", "run_id", "id"),
    Index("uq_trials_run_id_key", "run_id", "key", unique=True),
)

RUN_NAMES = Table(
    "run_names",
    METADATA,
    Column("day", String(10), primary_key=True),
    Column("last", Integer, nullable=False),
)
"""The last number given out on each day: a name is taken the moment it is asked for."""

ENGINE_SNAPSHOTS = Table(
    "engine_snapshots",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""What an engine was when it raced, each once: its adapter, settings and lock, to race it again as it was."""

ALEMBIC_VERSION = Table(
    "alembic_version",
    METADATA,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""As Alembic makes it, which then takes a new store, made of these tables at once, for one that it led to `HEAD`."""
