"""Tables for other programs: CSV, JSON, Parquet, and data frames."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any

import msgspec

from bakeoff.errors import UsageError
from bakeoff.records import RunRecord, Summary
from bakeoff.report import columns, csv_files
from bakeoff.report.columns import Column
from bakeoff.report.files import in_place

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Table:
    """Rows of values in the order of `columns`; rows may be made as they are read, and then only once."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]


def summary(run: RunRecord, rows: Sequence[Summary]) -> Table:
    """One row per case: what results.csv has, and the run."""
    records = [{"run": run.name, **record} for record in csv_files.records(run, rows)]
    return Table(columns.SUMMARY, [[record[column.name] for column in columns.SUMMARY] for record in records])


def write(table: Table, format_: str, path: Path) -> None:
    """Write the table to `path`, whole or not at all. Raises `StoreError`, for Parquet `UsageError` without polars."""
    if format_ == "parquet":
        found = frame(table)
        with in_place(path) as beside:
            found.write_parquet(beside)
        return
    with in_place(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        write_text(table, format_, file)


def write_text(table: Table, format_: str, file: IO[str]) -> None:
    """Write the table as "csv" (a line of names, then values, empty where null) or "json" (an array of objects)."""
    writers: dict[str, Callable[[Table, IO[str]], None]] = {"csv": _write_csv, "json": _write_json}
    writers[format_](table, file)


def frame(table: Table) -> "pl.DataFrame":
    """The table as a polars frame with the columns' types. Raises `UsageError` without polars."""
    polars = _polars()
    types = {"text": polars.String, "integer": polars.Int64, "number": polars.Float64, "boolean": polars.Boolean}
    schema = {column.name: types[column.type] for column in table.columns}
    made: pl.DataFrame = polars.DataFrame(list(table.rows), schema=schema, orient="row")
    return made


def _polars() -> ModuleType:
    try:
        import polars  # noqa: PLC0415, ICN001 - an optional extra, and slow to import
    except ImportError as error:
        message = "data frames and Parquet need polars, which is not installed"
        raise UsageError(message, "Install it: pip install 'bakeoff[frames]' (or polars).") from error
    return polars


def _write_csv(table: Table, file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows(table.rows)


def _write_json(table: Table, file: IO[str]) -> None:
    names = [column.name for column in table.columns]
    encode = msgspec.json.Encoder().encode
    before = "["
    for row in table.rows:
        file.write(f"{before}\n{encode(dict(zip(names, row, strict=True))).decode()}")
        before = ","
    file.write("\n]\n" if before == "," else "[]\n")
