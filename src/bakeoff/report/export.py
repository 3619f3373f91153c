"""Tables for other programs: CSV, JSON, Parquet, and data frames."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bakeoff.errors import UsageError
from bakeoff.report.files import in_place
from bakeoff.report.flat import Table, write_text

if TYPE_CHECKING:
    import polars as pl


def write(table: Table, format_: str, path: Path) -> None:
    """Write the table to `path`, whole or not at all. Raises `StoreError`, for Parquet `UsageError` without polars."""
    if format_ == "parquet":
        found = frame(table)
        with in_place(path) as beside:
            found.write_parquet(beside)
        return
    with in_place(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        write_text(table, format_, file)


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
