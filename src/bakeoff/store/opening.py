"""Opening a store: finding it, making it, bringing an old one up to date."""

import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError

from bakeoff.errors import StoreError
from bakeoff.store.failures import BUSY_TIMEOUT_S, plainly
from bakeoff.store.schema import HEAD, REVISIONS

FILE_NAME = "bakeoff.sqlite"
MIGRATIONS = Path(__file__).parent / "migrations"


def locate(target: str | Path) -> Path:
    """The SQLite file of an output folder or of a ``sqlite:///`` URL; a file stands for itself.

    Raises `StoreError` for any other kind of database.
    """
    if "://" not in str(target):
        path = Path(target).expanduser()
        return path if path.is_file() else path / FILE_NAME
    try:
        url = make_url(str(target))
    except ArgumentError as error:
        raise StoreError(f"{target!r} is no database URL", "Give a folder, or sqlite:///PATH.") from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        # No repr of the URL: it may hold a password.
        kind = url.get_backend_name()
        raise StoreError(f"a store cannot be a {kind} database of that form", "Give a folder, or sqlite:///PATH.")
    return Path(url.database).expanduser()


def connect(path: Path, *, create: bool) -> Engine:
    """An engine on the store at `path`, its schema at head.

    With `create`, folder and file are made where missing. Without, a store that may not be written is opened
    all the same, read-only. Raises `StoreError`.
    """
    if create:
        _make_folder(path.parent)
    elif not path.is_file():
        raise StoreError(f"no results at {path}", "Race first (`bakeoff run`), or point --output at its folder.")
    read_only = not create and not _writable(path)
    engine = _engine(path, read_only=read_only)
    try:
        with plainly(str(path)):
            _bring_to_head(engine, path, create=create, read_only=read_only)
    except StoreError:
        engine.dispose()
        raise
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the output folder {folder} cannot be made: {error.strerror}"
        raise StoreError(message, "Choose another --output folder.") from error


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
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGINs come too late for DDL and for IMMEDIATE
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    """Writers take the write lock first thing: one that upgrades a read lock may be refused without waiting."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_to_head(engine: Engine, path: Path, *, create: bool, read_only: bool) -> None:
    with engine.connect() as connection:
        if _revision(connection, path, may_be_empty=create) == HEAD:
            return
    if read_only:
        message = f"the store {path} has an older schema and may not be written"
        raise StoreError(message, "Copy it to a folder of yours and show it from there.")
    _use_write_ahead_log(engine)
    with engine.execution_options(writes=True).begin() as connection:
        # Asked again under the write lock: another process may have come first.
        if _revision(connection, path, may_be_empty=create) != HEAD:
            _migrate(connection)


def _revision(connection: Connection, path: Path, *, may_be_empty: bool) -> str | None:
    """The schema revision of a store, None of an empty database.

    Raises `StoreError` if it is newer than this bakeoff, or no store at all.
    """
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables or "runs" not in tables:
        if tables or not may_be_empty:
            what = f"a database of something else (its tables: {', '.join(tables)})" if tables else "empty"
            raise StoreError(f"{path} is no bakeoff store: it is {what}", "Choose another --output folder.")
        return None
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision not in REVISIONS:
        message = f"the store {path} was written by a newer bakeoff (its schema is {revision}, this one's {HEAD})"
        raise StoreError(message, "Upgrade bakeoff, or choose another --output folder.")
    return str(revision)


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


def _migrate(connection: Connection) -> None:
    from alembic.command import upgrade  # noqa: PLC0415 - slow to import, and needed once in a store's life
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    upgrade(config, HEAD)
