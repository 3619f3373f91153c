"""A run as flat tables of declared columns, and their text."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

import msgspec

from bakeoff.judge.case.disturbance import counted
from bakeoff.judge.results import Results
from bakeoff.report import columns, wording
from bakeoff.report.columns import Column, OfCall, OfCase, OfTrial


@dataclass(frozen=True)
class Table:
    """Rows of values in the order of `columns`; rows may be made as they are read, and then only once."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]


def summary(results: Results) -> Table:
    """One row per case, in the order of the plan."""
    return Table(columns.SUMMARY, [_values(columns.SUMMARY, of) for of in of_cases(results)])


def trials(results: Results) -> Table:
    """One row per trial, in the order in which they were stored."""
    return Table(columns.TRIALS, [_values(columns.TRIALS, of) for of in _of_trials(results)])


def latencies(results: Results) -> Table:
    """One row per call, made as they are read: a long race has millions."""
    return Table(columns.LATENCIES, _calls(results))


KINDS: Mapping[str, Callable[[Results], Table]] = {"summary": summary, "trials": trials, "latencies": latencies}
"""the tables by name"""


def of_cases(results: Results) -> list[OfCase]:
    """What the columns of cases are read from, row by row."""
    standings = {
        (verdict.model, verdict.batch_size, standing.contender): standing
        for verdict in results.verdicts
        for standing in verdict.standings
    }
    return [
        OfCase(
            results.run,
            row,
            results.releases.get(row.case.contender.build, ""),
            standings.get((row.case.model, row.case.batch_size, row.case.contender.name)),
        )
        for row in results.rows
    ]


def _of_trials(results: Results) -> list[OfTrial]:
    counting = {id(trial) for trial in counted(results.trials)}
    return [OfTrial(results.run, trial, id(trial) in counting) for trial in results.trials]


def _calls(results: Results) -> Iterator[Sequence[Any]]:
    for of in _of_trials(results):
        which = _values(columns.WHICH, of)
        for call in columns.calls(of.found):
            yield [*which, *_values(columns.OF_CALL, call)]


def _values(of_columns: Iterable[Column], of: OfCase | OfTrial | OfCall) -> list[Any]:
    """Text of an engine's own making is brought onto one line."""
    found = (column.read(of) for column in of_columns)
    return [wording.one_line(value) if isinstance(value, str) else value for value in found]


def names(table: Table) -> list[str]:
    """Of its columns."""
    return [column.name for column in table.columns]


def write_text(table: Table, format_: str, file: IO[str]) -> None:
    """Write the table as "csv" (a line of names, then values, empty where null) or "json" (an array of objects)."""
    if format_ == "csv":
        write_csv(names(table), table.rows, file)
    else:
        _write_json(table, file)


def write_csv(header: Iterable[str], rows: Iterable[Iterable[object]], file: IO[str]) -> None:
    """A line of names, then one for each row."""
    csv.writer(file, lineterminator="\n").writerows(chain([header], rows))


def _write_json(table: Table, file: IO[str]) -> None:
    header = names(table)
    encode = msgspec.json.Encoder().encode
    before = "["
    for row in table.rows:
        file.write(f"{before}\n{encode(dict(zip(header, row, strict=True))).decode()}")
        before = ","
    file.write("\n]\n" if before == "," else "[]\n")
