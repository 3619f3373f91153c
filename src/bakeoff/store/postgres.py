"""A store in PostgreSQL: what a team shares. The driver, psycopg 3, is an optional extra."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from bakeoff.errors import StoreError
from bakeoff.store.backend import Backend
from bakeoff.store.failures import BUSY_TIMEOUT_S

SCHEMES = ("postgresql", "postgresql+psycopg", "postgres")
CONNECT_TIMEOUT_S = 10
"""How long to wait for a server that does not answer: a race goes on without it, and spools its trials."""
KEEPALIVE = "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=6"
"""After two minutes the server takes a client whose machine has gone for gone, and gives back what it claimed."""
MIGRATION_LOCK = 0x6261_6B65
"""an advisory lock of our own: "bake" in ASCII"""


def backend(url: URL) -> Backend:
    """The database at `url`, not connected to yet. Raises `StoreError` without the driver."""
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,  # a server that was restarted is found again
            connect_args=_connect_args(url.query),
        )
    except ModuleNotFoundError as error:
        message = "a PostgreSQL store needs the driver psycopg, which is not installed"
        raise StoreError(message, "Install it: pip install 'bakeoff[postgres]' (or psycopg[binary]).") from error
    return Backend(
        engine=engine,
        where=url.render_as_string(hide_password=True),
        elsewhere="Give a database, or with ?options=-csearch_path=NAME a schema, that is bakeoff's own.",
        before_migrating=_nothing,
        shut_out_others=_take_migration_lock,
        claimed=functools.partial(_claimed, engine),
    )


def _connect_args(query: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of libpq, but for those that the URL makes itself."""
    waits = f"-c lock_timeout={int(BUSY_TIMEOUT_S * 1000)} {KEEPALIVE}"
    ours = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": CONNECT_TIMEOUT_S * 1000,
        "application_name": "bakeoff",
    }
    return {
        **{name: value for name, value in ours.items() if name not in query},
        "options": f"{waits} {query.get('options', '')}".strip(),
    }


def _nothing(_engine: Engine) -> None:
    """PostgreSQL is ready as it is."""


@contextmanager
def _claimed(engine: Engine, run: str) -> Iterator[bool]:
    """By an advisory lock of a connection of its own, which the server gives back when that breaks off."""
    key = text("SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '/' || :run, 0))")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            yield bool(connection.scalar(key, {"run": run}))
        finally:
            with suppress(SQLAlchemyError):  # the server may have gone, and the lock with it
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.invalidate()  # the pool would keep it, and the lock if that failed


def _take_migration_lock(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
