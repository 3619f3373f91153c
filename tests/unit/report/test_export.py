"""Tables for other programs: complete, documented, and the same in every format."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.made import the_results

from bakeoff.errors import StoreError, UsageError
from bakeoff.records import RunRecord, Summary
from bakeoff.report import columns, flat
from bakeoff.report.csv_files import to_csv
from bakeoff.report.export import frame, write
from bakeoff.report.flat import Table, summary, write_text
from bakeoff.report.json_file import to_json

pytestmark = pytest.mark.unit

AWKWARD = Table(
    [columns.RUN, columns.Column("calls", "integer", "", "", vars), columns.Column("cold", "boolean", "", "", vars)],
    [('a,"b"\nc ü', 1, True), ("", None, None)],
)


def text(table: Table, format_: str) -> str:
    file = io.StringIO()
    write_text(table, format_, file)
    return file.getvalue()


def test_results_csv_results_json_and_the_export_have_the_same_columns(run: RunRecord, rows: Sequence[Summary]) -> None:
    results = the_results(run, rows)
    table = summary(results)
    names = [column.name for column in table.columns]
    (header, *lines) = csv.reader(io.StringIO(to_csv(results)))
    assert ["run", *header] == names
    assert len(list(table.rows)) == len(lines) == len(rows)
    exported = [dict(zip(names, row, strict=True)) for row in table.rows]
    cases = json.loads(to_json(results))["cases"]
    assert [case["parity"]["max_rel_error"] for case in cases] == [row["max_rel_error"] for row in exported]
    assert [case["latency_ms"]["p50"] for case in cases] == [row["latency_p50_ms"] for row in exported]
    plain = [column.name for column in table.columns if column.path is None]
    # A reason is on one line in flat tables alone.
    assert [[" ".join(str(case[name]).split()) for name in plain] for case in cases] == [
        [str(row[name]) for name in plain] for row in exported
    ]


@pytest.mark.parametrize("documented", [columns.SUMMARY, columns.TRIALS, columns.LATENCIES])
def test_columns_have_unique_names_a_type_and_a_meaning(documented: Sequence[columns.Column]) -> None:
    assert len({column.name for column in documented}) == len(documented)
    assert all(column.type in {"text", "integer", "number", "boolean"} and column.meaning for column in documented)
    assert all(column.unit for column in documented if column.type == "number" and column.name != "max_rel_error")


def test_csv_and_json_give_back_what_was_put_in(tmp_path: Path) -> None:
    assert list(csv.reader(io.StringIO(text(AWKWARD, "csv"), newline=""))) == [
        ["run", "calls", "cold"],
        ['a,"b"\nc ü', "1", "True"],
        ["", "", ""],
    ]
    write(AWKWARD, "json", tmp_path / "new" / "a.json")
    assert json.loads((tmp_path / "new" / "a.json").read_text(encoding="utf-8")) == [
        {"run": 'a,"b"\nc ü', "calls": 1, "cold": True},
        {"run": "", "calls": None, "cold": None},
    ]


def test_no_rows_are_an_empty_table_in_every_format() -> None:
    nothing = Table(AWKWARD.columns, ())
    assert text(nothing, "csv") == "run,calls,cold\n"
    assert json.loads(text(nothing, "json")) == []
    assert frame(nothing).columns == ["run", "calls", "cold"]


def test_parquet_holds_the_figures_exactly_and_with_their_types(
    run: RunRecord, rows: Sequence[Summary], tmp_path: Path
) -> None:
    import polars as pl  # noqa: PLC0415 - slow to import

    write(summary(the_results(run, rows)), "parquet", tmp_path / "rows.parquet")
    read = pl.read_parquet(tmp_path / "rows.parquet")
    assert read["fps"].to_list() == [row.fps for row in rows]
    assert read.schema["batch_size"] == pl.Int64
    assert read.schema["fps_ci95_low"] == pl.Float64
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_without_polars_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match="need polars") as caught:
        write(AWKWARD, "parquet", tmp_path / "a.parquet")
    assert "pip install 'bakeoff[frames]'" in str(caught.value.advice)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(flat, "write_csv", full)
    with pytest.raises(StoreError, match=r"a\.csv could not be written: No space left"):
        write(AWKWARD, "csv", target)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"a.csv": "old"}
