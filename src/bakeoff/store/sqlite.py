"""A store in a SQLite file: what a single machine needs."""

import functools
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from bakeoff.errors import StoreError
from bakeoff.locks import Lock
from bakeoff.store.backend import Backend
from bakeoff.store.failures import BUSY_TIMEOUT_S

FILE_NAME = "bakeoff.sqlite"
ELSEWHERE = "Choose another --output folder."


def backend(path: Path, *, create: bool) -> Backend:
    """The database in the file `path`.

    With `create`, folder and file are made where missing. Without, a file that may not be written is opened all the
    same, read-only. Raises `StoreError`.
    """
    if create:
        _make_folder(path.parent)
    elif not path.is_file():
        raise StoreError(f"no results at {path}", "Race first (`bakeoff run`), or point --output at its folder.")
    return _backend(path, read_only=not create and not _writable(path))


def _backend(path: Path, *, read_only: bool) -> Backend:
    return Backend(
        engine=_engine(path, read_only=read_only),
        where=str(path),
        elsewhere=ELSEWHERE,
        before_migrating=_use_write_ahead_log,
        shut_out_others=_already_exclusive,
        claimed=functools.partial(_claimed, path),
        read_only=read_only,
        as_it_is=functools.partial(_backend, path, read_only=True),
    )


@contextmanager
def _claimed(path: Path, run: str) -> Iterator[bool]:
    """By a lock on a file beside the database, named after the run; where there are no locks, by nothing."""
    lock = Lock(path.with_name(f"{path.name}-{run}.lock"))
    try:
        ours = lock.acquire(wait=False)
    except OSError:
        ours = True
    try:
        yield ours
    finally:
        lock.release(remove=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the output folder {folder} cannot be made: {error.strerror}", ELSEWHERE) from error


def _writable(path: Path) -> bool:
    """A reader of a WAL database writes too, to its shared-memory file beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _engine(path: Path, *, read_only: bool) -> Engine:
    url = URL.create("sqlite", database=str(path))
    if read_only:
        # `immutable` needs no files beside it, but would not see what still stands in a write-ahead log.
        log = path.with_name(f"{path.name}-wal")
        mode = {"mode": "ro"} if log.exists() and log.stat().st_size else {"immutable": "1"}
        url = URL.create("sqlite", database=path.absolute().as_uri(), query={**mode, "uri": "true"})
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up)
    if not read_only:
        event.listen(engine, "checkout", functools.partial(_put_back, path))
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGINs come too late for DDL and for IMMEDIATE
    connection.execute("PRAGMA foreign_keys = ON")


def _put_back(path: Path, connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
    """Write the store anew where somebody removed its file: all of it is there as long as it is open."""
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute("VACUUM INTO ?", (str(path),))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the store {path} was removed, and cannot be put back: {error}") from error
    raise DisconnectionError(f"{path} has been removed")  # the pool opens what has just been written


def _begin(connection: Connection) -> None:
    """Writers take the write lock first thing: one that upgrades a read lock may be refused without waiting."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _already_exclusive(_connection: Connection) -> None:
    """A transaction that writes has SQLite's only write lock from its first statement on."""


def _use_write_ahead_log(engine: Engine) -> None:
    """Let readers and one writer go on side by side; SQLite remembers it in the file.

    Where the file system cannot (a network drive), SQLite stays with its rollback journal, which is right too.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            # SQLite does not wait here by itself when two processes make one store at once.
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise OperationalError("PRAGMA journal_mode", None, error) from error
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
