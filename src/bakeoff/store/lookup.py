"""Which run is meant: by its name, as ``latest`` or ``latest~2``, by a tag or by a date."""

import datetime as dt
import difflib
import re
from typing import Any

from sqlalchemy import Connection, Select, func, select

from bakeoff.errors import RefusedError, UsageError
from bakeoff.store.schema import RUN_LABELS, RUNS

LATEST = "latest"
_BEFORE_LATEST = re.compile(rf"{LATEST}(?:~(\d{{1,6}}))?")
_NAMES_SHOWN = 5


def check_tag(tag: str) -> None:
    """Raise `UsageError` for a tag that could be taken for a run's own name, for `latest` or for a date."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.+/-]{0,63}", tag):
        raise UsageError(f"{tag!r}: letters, digits and . _ + / - only, at most 64")
    if tag.partition("~")[0] == LATEST or re.match(r"\d{4}-\d\d-\d\d", tag):
        raise UsageError(f"{tag!r} would be taken for a run's name or a date")


def run_row(connection: Connection, where: str, name: str) -> Any:
    """The row of the run that `name` means; of several with one tag or date, the one begun last.

    A name is taken before a tag, and a tag before a date. Raises `RefusedError` that lists what there is.
    """
    if ordinal := _BEFORE_LATEST.fullmatch(name):
        row = connection.execute(_latest_first().offset(int(ordinal[1] or 0)).limit(1)).first()
    else:
        row = connection.execute(select(RUNS).where(RUNS.c.name == name)).first()
        row = row or connection.execute(history(tag=name, limit=1)).first()
        row = row or _of_day(connection, name)
    if row is None:
        raise _unknown(connection, where, name)
    return row


def history(*, machine: str | None = None, limit: int | None = None, **labels: str | None) -> Select[Any]:
    """The runs, latest first, that have all the labels given (kind -> value)."""
    query = _latest_first()
    for kind, value in labels.items():
        if value is not None:
            labelled = select(RUN_LABELS.c.run_id).where(RUN_LABELS.c.kind == kind, RUN_LABELS.c.value == value)
            query = query.where(RUNS.c.id.in_(labelled))
    if machine is not None:
        query = query.where(RUNS.c.machine_digest.startswith(machine, autoescape=True))
    return query.limit(limit)


def _latest_first() -> Select[Any]:
    return select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id.desc())


def _of_day(connection: Connection, name: str) -> Any:
    """The last run that began on a day, in this machine's time zone; None if `name` is no day, or nothing ran."""
    try:
        day = dt.date.fromisoformat(name)
    except ValueError:
        return None
    begin, end = (dt.datetime.combine(date, dt.time()).timestamp() for date in (day, day + dt.timedelta(days=1)))
    return connection.execute(
        _latest_first().where(RUNS.c.started_at >= begin, RUNS.c.started_at < end).limit(1)
    ).first()


def _unknown(connection: Connection, where: str, name: str) -> RefusedError:
    names = list(connection.scalars(select(RUNS.c.name).order_by(RUNS.c.id.desc()).limit(1000)))
    if not names:
        return RefusedError(f"the store {where} holds no run yet", "Race first: `bakeoff run`.")
    tags = list(connection.scalars(select(RUN_LABELS.c.value).where(RUN_LABELS.c.kind == "tag").distinct().limit(1000)))
    close = difflib.get_close_matches(name, [*names, *tags], n=_NAMES_SHOWN) or names[:_NAMES_SHOWN]
    count = connection.scalar(select(func.count()).select_from(RUNS))
    message = f"the store {where} has no run {name!r}; it holds {count}: {', '.join(close)}"
    return RefusedError(message + (" ..." if count and count > len(close) else ""))
