"""A store in PostgreSQL: what a team shares. The driver, psycopg 3, is an optional extra."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, text

from bakeoff.errors import StoreError
from bakeoff.store.backend import Backend
from bakeoff.store.failures import BUSY_TIMEOUT_S

SCHEMES = ("postgresql", "postgresql+psycopg", "postgres")
CONNECT_TIMEOUT_S = 10
"""How long to wait for a server that does not answer: a race goes on without it, and spools its trials."""
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
    )


def _connect_args(query: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of libpq, but for those that the URL makes itself."""
    waits = f"-c lock_timeout={int(BUSY_TIMEOUT_S * 1000)}"
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


def _take_migration_lock(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
