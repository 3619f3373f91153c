"""What goes wrong with a database, in one line with advice."""

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from bakeoff.errors import RefusedError, StoreError

DAMAGED = (msgspec.MsgspecError, struct.error, zlib.error, UnicodeDecodeError)
"""what reading a row raises whose content is none"""
BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another. Transactions here take milliseconds."""

# SQLite's result codes (sqlite.org/rescode.html) by the start of their names, most specific first.
_SQLITE = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        "is locked by another process",
        "Close whatever else holds it open (a database browser, a second bakeoff), then try again.",
    ),
    (("SQLITE_READONLY", "SQLITE_PERM"), "is read-only", "Choose another --output folder, or make this one writable."),
    (
        ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE"),
        "could not be written: no space left on its disk, or over a quota",
        "Make room or choose another --output folder. What was stored before is intact.",
    ),
    (("SQLITE_NOTADB",), "is not a database", "Move that file away, or choose another --output folder."),
    (
        ("SQLITE_CORRUPT", "SQLITE_IOERR_SHORT_READ"),
        "is damaged",
        "Restore it from a copy, or move it away to start afresh; `sqlite3 FILE .recover` may save what is left.",
    ),
    (
        ("SQLITE_CANTOPEN",),
        "cannot be opened",
        "See that its folder exists, is a folder, and may be read and written by you.",
    ),
)

# PostgreSQL's (postgresql.org/docs/current/errcodes-appendix.html), most specific first.
_POSTGRES = (
    (("08", "57P"), "went away", "Start it again, or see that the network holds."),
    (("55P03", "40P01"), "is locked by another session", "See who holds it (pg_stat_activity), then try again."),
    (("25006",), "is read-only", "Connect to the primary server, not to a standby."),
    (
        ("42501",),
        "does not let this user do that",
        "Ask its owner to GRANT what is missing, or connect as another user.",
    ),
    (
        ("53100", "53200"),
        "could not be written: its server has no space or memory left",
        "Make room there. What was stored before is intact.",
    ),
    (("53300",), "has no connection left to give", "Try again later, or raise max_connections."),
)


def said_plainly(where: str, error: SQLAlchemyError) -> StoreError:
    """The `StoreError` for what the database or its driver raised."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlite_code = getattr(cause, "sqlite_errorname", "") if isinstance(cause, sqlite3.Error) else ""
    codes = ((sqlite_code, _SQLITE), (getattr(cause, "sqlstate", None) or "", _POSTGRES))
    for code, known in codes:
        for starts, what, advice in known:
            if code.startswith(starts):
                return StoreError(f"the store {where} {what}", advice)
    first_line = str(cause).partition("\n")[0]
    if isinstance(error, OperationalError) and not isinstance(cause, sqlite3.Error):
        return StoreError(f"the store {where} cannot be reached: {first_line}", "See that it runs, and the address.")
    kind = RefusedError if isinstance(error, DataError | IntegrityError) else StoreError
    return kind(f"the store {where} failed: {first_line}")


@contextmanager
def plainly(where: str) -> Iterator[None]:
    """Turn what the database raises inside into a `StoreError` that names the store."""
    try:
        yield
    except SQLAlchemyError as error:
        raise said_plainly(where, error) from error
    except DAMAGED as error:
        raise unreadable("a row", where, error) from error


def unreadable(what: str, where: str, error: Exception) -> RefusedError:
    """That `what` is damaged, since reading it raised `error`, one of `DAMAGED`."""
    message = f"{what} of the store {where} is damaged and cannot be read ({error})"
    return RefusedError(message, "Restore it from a copy; the rest is as it was.")
