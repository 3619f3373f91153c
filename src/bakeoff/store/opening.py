"""Opening a store: finding it, making it, bringing an old one up to date."""

from pathlib import Path

from sqlalchemy import Connection, insert, inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from bakeoff.errors import StoreError
from bakeoff.store import postgres, sqlite
from bakeoff.store.backend import Backend
from bakeoff.store.failures import plainly
from bakeoff.store.schema import ALEMBIC_VERSION, HEAD, METADATA, REVISIONS

MIGRATIONS = Path(__file__).parent / "migrations"


def connect(target: str | Path, *, create: bool) -> Backend:
    """The database that `target` names, its schema at head.

    `target` is an output folder, a SQLite file, or a ``sqlite:///`` or ``postgresql://`` URL. With `create` a store
    is made where there is none; without, that is an error, and one that may not or cannot be written, as on a full
    disk, can still be read. Raises `StoreError`.
    """
    backend = locate(target, create=create)
    try:
        return _at_head(backend, create=create)
    except StoreError:
        if create or backend.read_only or backend.as_it_is is None:
            raise
        return _at_head(backend.as_it_is(), create=False)


def _at_head(backend: Backend, *, create: bool) -> Backend:
    """The backend, its schema at head; closed if that fails."""
    try:
        with plainly(backend.where):
            _bring_to_head(backend, create=create)
    except StoreError:
        backend.engine.dispose()
        raise
    return backend


def locate(target: str | Path, *, create: bool) -> Backend:
    """The database that `target` names, as it is. Raises `StoreError` for what cannot hold a store."""
    if "://" not in str(target):
        path = Path(target).expanduser()
        return sqlite.backend(path if path.is_file() else path / sqlite.FILE_NAME, create=create)
    advice = "Give a folder, sqlite:///PATH or postgresql://USER@HOST/DATABASE."
    try:
        url = make_url(str(target))
    except (ArgumentError, ValueError) as error:
        # No repr of what was given, here and below: it may hold a password.
        raise StoreError("the store's address is no database URL", advice) from error
    if url.drivername in postgres.SCHEMES:
        return postgres.backend(url)
    if url.drivername != "sqlite" or not url.database or url.database == ":memory:":
        raise StoreError(f"a store cannot be a {url.get_backend_name()} database of that form", advice)
    return sqlite.backend(Path(url.database).expanduser(), create=create)


def _bring_to_head(backend: Backend, *, create: bool) -> None:
    with backend.engine.connect() as connection:
        if _revision(connection, backend, may_be_empty=create) == HEAD:
            return
    if backend.read_only:
        message = f"the store {backend.where} has an older schema and may not be written"
        raise StoreError(message, "Copy it to a folder of yours and show it from there.")
    backend.before_migrating(backend.engine)
    with backend.engine.execution_options(writes=True).begin() as connection:
        backend.shut_out_others(connection)
        # Asked again with others shut out: another process may have come first.
        revision = _revision(connection, backend, may_be_empty=create)
        if revision is None:
            METADATA.create_all(connection)
            connection.execute(insert(ALEMBIC_VERSION).values(version_num=HEAD))
        elif revision != HEAD:
            _migrate(connection)


def _revision(connection: Connection, backend: Backend, *, may_be_empty: bool) -> str | None:
    """The schema revision of a store, None of an empty database.

    Raises `StoreError` if it is newer than this bakeoff, or no store at all.
    """
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables or "runs" not in tables:
        if tables or not may_be_empty:
            what = f"a database of something else (its tables: {', '.join(tables)})" if tables else "empty"
            raise StoreError(f"{backend.where} is no bakeoff store: it is {what}", backend.elsewhere)
        return None
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision not in REVISIONS:
        message = f"the store {backend.where} was written by a newer bakeoff"
        raise StoreError(
            f"{message} (its schema is {revision}, this one's {HEAD})", f"Upgrade bakeoff. {backend.elsewhere}"
        )
    return str(revision)


def _migrate(connection: Connection) -> None:
    from alembic.command import upgrade  # noqa: PLC0415 - slow to import, and needed only where a store is older
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    upgrade(config, HEAD)
