"""The document's tables: images per second, the order, parity."""

from bakeoff.records import Status, Summary
from bakeoff.report import wording
from bakeoff.report.markup import escaped, markdown_table
from bakeoff.report.study.language import Language
from bakeoff.report.study.order import Order, Tally
from bakeoff.report.study.published import published_fps
from bakeoff.report.study.results import ENOUGH_ROUNDS, Ratio, StudyResults
from bakeoff.report.study.rows import ROWS, Row

PROVISIONAL = "†"


class Notes:
    """The numbered notes beneath the tables; the same text has the same number, whichever rows it holds for."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, None]] = {}

    def mark(self, text: str, row: str) -> str:
        """The number under which the text stands, as "[3]"; `row` is who it is about."""
        self._rows.setdefault(text, {})[row] = None
        return f"[{list(self._rows).index(text) + 1}]"

    def lines(self, say: Language) -> list[str]:
        """Each note behind its number, with the rows it is about."""
        return [
            f"[{number}] {say('note', rows=say.enumerate(rows), text=text)}"
            for number, (text, rows) in enumerate(self._rows.items(), 1)
        ]


class SpeedTable:
    """Images per second at one batch size: the study's figure, the 2019 release, today's, and today / 2019."""

    def __init__(self, results: StudyResults, batch_size: int, say: Language, notes: Notes) -> None:
        self.results, self.batch_size, self.say, self.notes = results, batch_size, say, notes

    def __str__(self) -> str:
        columns = ("col_study", "col_then", "col_today", "col_ratio")
        header = [self.say(column, model=model) for model in self.results.models for column in columns]
        header = [self.say("col_row"), self.say("col_engines"), *header]
        return markdown_table(header, map(self._line, ROWS), range(2, len(header)))

    def _line(self, row: Row) -> list[str]:
        title = self.say("stands_in", title=row.title, row=row.stands_in_for) if row.stands_in_for else row.title
        engines = self.say.enumerate(f"`{engine}`" for engine in (row.then, row.today) if engine)
        return [title, engines, *(cell for model in self.results.models for cell in self._cells(row, model))]

    def _cells(self, row: Row, model: str) -> list[str]:
        return [self._study(row, model), self._then(row, model), self._ours(row.today, model), self._ratio(row, model)]

    def _study(self, row: Row, model: str) -> str:
        if row.published is None:
            return ""
        fps = published_fps(row.published, model, self.batch_size)
        return f"*{self.say('blank')}*" if fps is None else wording.number(fps)

    def _then(self, row: Row, model: str) -> str:
        if row.lost:
            return f"{self.say('lost')} {self.notes.mark(self.say('note_lost'), row.title)}"
        return self._ours(row.then, model)

    def _ours(self, engine: str | None, model: str) -> str:
        if engine is None:
            return ""
        row = self.results.row(engine, model, self.batch_size)
        if row is None:
            return self.say("absent")
        if not self.results.is_ok(engine, model, self.batch_size):
            return f"{status(self.say, row.status)} {self.notes.mark(why(self.say, row), f'`{engine}`')}"
        rounds = self.results.rounds(engine, model, self.batch_size)
        by_median = self.results.by_median(engine, model, self.batch_size)
        return f"{both_speeds(row.fps, by_median)}{provisional(rounds)}{self._league(row)}"

    def _league(self, row: Summary) -> str:
        """The note of a figure that is ranked in another league than the one asked for."""
        if row.league == row.case.contender.precision:
            return ""
        note = self.say("note_league", asked=row.case.contender.precision, league=row.league)
        return f" {self.notes.mark(note, f'`{row.case.contender.name}`')}"

    def _ratio(self, row: Row, model: str) -> str:
        if row.then is None or row.today is None:
            return ""
        found = self.results.ratio(row.today, row.then, model, self.batch_size)
        return f"{ratio(self.say, found)}{provisional(found.rounds)}" if found else wording.NONE


def both_speeds(by_mean: float | None, by_median: float | None) -> str:
    """Images per second from the mean latency and from the median one, as "25.8 / 26.1"."""
    return f"{wording.number(by_mean)} / {wording.number(by_median)}"


def provisional(rounds: int) -> str:
    """The mark of a figure from few rounds."""
    return f" {PROVISIONAL}" if rounds < ENOUGH_ROUNDS else ""


def ratio(say: Language, value: Ratio) -> str:
    """With its interval, if it has one."""
    if value.interval is None:
        return say("ratio_alone", ratio=wording.number(value.value))
    low, high = map(wording.number, value.interval)
    return say("ratio", ratio=wording.number(value.value), low=low, high=high)


def status(say: Language, value: Status) -> str:
    """What became of a row, in this language."""
    return say(f"status_{value.value}")


def why(say: Language, row: Summary) -> str:
    """Why a row has no speed; the reason in the words of whoever gave it."""
    state = status(say, row.status)
    return say("why", status=state, reason=escaped(row.reason)) if row.reason else state


def order_table(orders: list[Order], say: Language) -> str:
    """The published order against the one here, network by network."""
    columns = ("col_table", "col_published", "col_here", "col_kept", "col_swapped", "col_open", "col_tau")
    return markdown_table(
        [say(column) for column in columns], (_order_line(order, say) for order in orders), range(3, 7)
    )


def _order_line(order: Order, say: Language) -> list[str]:
    tally = Tally(order.pairs)
    here = "".join(
        title if place == 0 else f" {'<' if clear else '≈'} {title}"
        for place, (title, clear) in enumerate(order.here())
    )
    counts = [str(tally.kept), str(tally.swapped), str(tally.open), tau(tally)]
    return [say.enumerate((order.model, order.batch_size)), " < ".join(order.published), here, *counts]


def tau(tally: Tally) -> str:
    """Kendall's tau with two decimals."""
    return wording.NONE if tally.tau is None else f"{tally.tau:.2f}"


def parity_table(results: StudyResults, say: Language) -> str:
    """Each engine's worst error over its cells, in the order of the document's rows, others last."""
    placed = [engine for row in ROWS for engine in (row.then, row.today) if engine in results.engines and engine]
    others = [engine for engine in results.run.plan.names if engine not in placed]
    columns = ("col_engine", "col_version", "col_release", "col_error", "col_cells")
    lines = (_parity_line(results, engine, say) for engine in [*placed, *others])
    return markdown_table([say(column) for column in columns], lines, range(1, 5))


def _parity_line(results: StudyResults, engine: str, say: Language) -> list[str]:
    rows = results.rows_of(engine)
    release = results.release(engine)
    return [
        f"`{engine}`",
        escaped(results.version(engine)) or wording.NONE,
        say(f"release_{release}") if release else wording.NONE,
        worst_error(rows, say),
        f"{sum(row.status is Status.OK for row in rows)} / {len(rows)}",
    ]


def worst_error(rows: list[Summary], say: Language) -> str:
    """Of rows whose outputs were looked at; "no number" if one of them was not finite or misshapen."""
    errors = [row.parity.max_rel_error for row in rows if row.parity]
    numbers = [error for error in errors if error is not None]
    if len(numbers) < len(errors):
        return say("no_number")
    return wording.error(max(numbers)) if numbers else wording.NONE
