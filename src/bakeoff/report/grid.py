"""The study's table as data: engines down, models and batch sizes across."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from bakeoff.records import Status, Summary
from bakeoff.report import wording


class Cell(msgspec.Struct, frozen=True):
    """One cell's text."""

    value: str
    """images per second, or what became of it"""
    spread: str = ""
    """±, or nothing"""
    league: str = ""
    """where it is ranked, if that is not the league asked for"""
    ok: bool = False
    best: bool = False
    """the highest figure of its column, in its league"""

    @property
    def beside(self) -> str:
        """What stands beside the value: "±2% bf16"."""
        return f"{self.spread} {self.league}".strip()

    def __str__(self) -> str:
        return f"{self.value} {self.beside}".strip()


class Grid(msgspec.Struct, frozen=True):
    """A table of cells: `rows` has for each engine one cell per column, and what stands after them."""

    columns: tuple[tuple[str, int], ...]
    """model and batch size"""
    extras: tuple[str, ...]
    """the headings of what stands after the cells: the worst parity error, and the accuracy if anybody has one"""
    rows: tuple[tuple[str, tuple[Cell, ...], tuple[str, ...]], ...]


def lay_out(summaries: Sequence[Summary], model: str | None = None) -> Grid:
    """The grid of all models, or of one, in the plan's order."""
    chosen = [row for row in summaries if model in (None, row.case.model)]
    engines = tuple(dict.fromkeys(row.case.contender.name for row in chosen))
    columns = tuple(dict.fromkeys((row.case.model, row.case.batch_size) for row in chosen))
    at = {(row.case.contender.name, row.case.model, row.case.batch_size): row for row in chosen}
    best: dict[tuple[str, int, str], float] = defaultdict(float)
    for row in chosen:
        table = _table_of(row)
        best[table] = max(best[table], row.fps or 0.0)
    lines = {engine: [at[engine, *column] for column in columns] for engine in engines}
    extras = {"error": _worst_error} | ({"accuracy": _accuracy} if any(row.accuracy for row in chosen) else {})
    return Grid(
        columns=columns,
        extras=tuple(extras),
        rows=tuple(
            (
                engine,
                tuple(_cell(row, best[_table_of(row)]) for row in line),
                tuple(of_line(line) for of_line in extras.values()),
            )
            for engine, line in lines.items()
        ),
    )


def _table_of(row: Summary) -> tuple[str, int, str]:
    """Where its figure is ranked: leagues are never mixed."""
    return row.case.model, row.case.batch_size, row.league


def _cell(row: Summary, best: float) -> Cell:
    if row.status is not Status.OK or row.fps is None:
        return Cell(wording.STATUS_WORDS[row.status])
    return Cell(
        wording.number(row.fps),
        wording.plus_minus(row.fps_ci95),
        league="" if row.league == row.case.contender.precision else row.league,
        ok=True,
        best=row.fps == best,
    )


def _accuracy(rows: Sequence[Summary]) -> str:
    """That of each model that has one, in the order of the columns."""
    return ", ".join(str(row.accuracy) for row in rows if row.accuracy) or wording.NONE


def _worst_error(rows: Sequence[Summary]) -> str:
    errors = [row.parity.max_rel_error for row in rows if row.parity]
    if not errors:
        return wording.NONE
    numbers = [error for error in errors if error is not None]
    return wording.error(max(numbers)) if len(numbers) == len(errors) else "no number"
