"""The page's tables: what a cell shows, and what it is sorted by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from bakeoff.judge.table.answer import bounds
from bakeoff.records import Accuracy, Outcome, PeakShare, Status, Summary, Tolerances
from bakeoff.report import insights, wording
from bakeoff.report.insights import RunReport

Key = tuple[str, int, str]
"""model, batch size, engine"""


class Cell(msgspec.Struct, frozen=True):
    """One cell."""

    text: str
    sort: float | str | None = None
    """what it is sorted by, if not its text; None of a number that is not there: always last"""
    number: bool = False
    beside: str = ""
    """small, after the text"""
    strong: bool = False
    share: float | None = None
    """drawn as a bar behind the text: from 0 to 1"""


class Table(msgspec.Struct, frozen=True):
    """A table whose rows all have as many cells as there are columns."""

    columns: tuple[tuple[str, bool], ...]
    """title, and whether numbers stand below it"""
    rows: tuple[tuple[Cell, ...], ...]


OUTCOMES = {
    Outcome.LEADER: "leads",
    Outcome.SLOWER: "slower",
    Outcome.EQUIVALENT: "equivalent",
    Outcome.UNDECIDED: "undecided",
}


def speeds(report: RunReport) -> Table:
    """Every case with everything that was measured of it."""
    standings: dict[Key, Outcome] = {
        (verdict.model, verdict.batch_size, standing.contender): standing.outcome
        for verdict in report.results.verdicts
        for standing in verdict.standings
    }
    shares = {each.case: each for each in report.peak_shares}
    titles = [("engine", False), ("version", False), ("model", False), ("batch", True), ("images/s", True)]
    titles += [("verdict", False), ("p50", True), ("p99", True), ("load", True), ("first inference", True)]
    titles += [("peak memory", True), ("cores used", True), *[("of the peak", True)] * bool(shares), ("error", True)]
    asked = any(row.accuracy for row in report.results.rows)
    titles += [("accuracy", True)] * asked
    rows = []
    for row in sorted(report.results.rows, key=_as_read):
        case = row.case
        share = shares.get(case)
        outcome = standings.get((case.model, case.batch_size, case.contender.name))
        rows.append(
            (
                Cell(case.contender.name),
                Cell(row.framework_version or wording.NONE),
                Cell(case.model),
                _number(case.batch_size, str(case.batch_size)),
                _speed(row, best=outcome is Outcome.LEADER),
                Cell(OUTCOMES[outcome] if outcome else wording.status(row.status)),
                _number(row.latency_ms.get("p50"), wording.number(row.latency_ms.get("p50"), " ms")),
                _number(row.latency_ms.get("p99"), wording.number(row.latency_ms.get("p99"), " ms")),
                _number(row.load_s, wording.seconds(row.load_s)),
                _number(row.first_inference_s, wording.seconds(row.first_inference_s)),
                _number(row.peak_rss_mb, wording.number(row.peak_rss_mb, " MB")),
                _number(row.cores_used, wording.number(row.cores_used)),
                *([_share(share)] if shares else []),
                _error(row.parity.max_rel_error if row.parity else None),
                *([_accuracy(row.accuracy)] if asked else []),
            )
        )
    return Table(tuple(titles), tuple(rows))


def standings(report: RunReport) -> Table:
    """Every verdict: who stands how against the fastest other."""
    several = len({verdict.league for verdict in report.results.verdicts}) > 1
    columns = [("model", False), ("batch", True), *[("league", False)] * several, ("engine", False)]
    columns += [("times slower", True), ("interval", False), ("verdict", False), ("rounds", True)]
    return Table(
        tuple(columns),
        tuple(
            (
                Cell(verdict.model),
                _number(verdict.batch_size, str(verdict.batch_size)),
                *([Cell(verdict.league)] if several else []),
                Cell(standing.contender, strong=standing.outcome is Outcome.LEADER),
                _number(standing.ratio, wording.NONE if standing.ratio is None else f"{standing.ratio:.2f}x"),
                Cell(bounds(standing.interval) or wording.NONE),
                Cell(OUTCOMES[standing.outcome]),
                _number(standing.rounds, str(standing.rounds)),
            )
            for verdict in report.results.verdicts
            for standing in verdict.standings
        ),
    )


def _as_read(row: Summary) -> tuple[bool, str, int, float]:
    """What was measured first; within a model and batch size, the fastest first."""
    return row.fps is None, row.case.model, row.case.batch_size, -(row.fps or 0.0)


def parity(report: RunReport) -> Table:
    """Each engine's worst answer to each model, and what precision that is the size of."""
    tolerances = {model.name: model.tolerances for model in report.results.run.models}
    groups: dict[tuple[str, str], list[Summary]] = defaultdict(list)
    for row in report.results.rows:
        if row.parity is not None:
            groups[row.case.contender.name, row.case.model].append(row)
    rows = []
    for (engine, model), held in groups.items():
        errors = [row.parity.max_rel_error for row in held if row.parity]
        numbers = [error for error in errors if error is not None]
        worst = max(numbers) if len(numbers) == len(errors) else None
        agreed = [row.parity.top1_agreement for row in held if row.parity and row.parity.top1_agreement is not None]
        wrong = any(row.status is Status.WRONG for row in held)
        rows.append(
            (
                Cell(engine),
                Cell(model),
                _error(worst, "not a number"),
                Cell("wrong" if wrong else _size(worst, tolerances.get(model)), strong=wrong),
                _number(min(agreed) if agreed else None, f"{min(agreed):.0%}" if agreed else wording.NONE),
                Cell(", ".join(sorted({row.league for row in held}))),
            )
        )
    columns = (("engine", False), ("model", False), ("largest error", True), ("size", False), ("top-1 agrees", True))
    return Table((*columns, ("league", False)), tuple(rows))


def starts(report: RunReport) -> Table:
    """What it takes until a fresh process has its first answer."""
    return Table(
        (("engine", False), ("model", False), ("batch", True), ("first answer after", True)),
        tuple(
            (
                Cell(engine),
                Cell(found.model),
                _number(found.batch_size, str(found.batch_size)),
                _number(seconds, wording.seconds(seconds)),
            )
            for found in report.break_even
            for engine, seconds in sorted(found.start_s.items(), key=lambda item: item[1])
        ),
    )


def peak(report: RunReport) -> Table:
    """How much of the machine's peak each case reaches, the most first."""
    ordered = sorted(report.peak_shares, key=lambda each: -each.share)
    return Table(
        (("engine", False), ("model", False), ("batch", True), ("reached", True), ("of the peak", True)),
        tuple(
            (
                Cell(each.case.contender.name),
                Cell(each.case.model),
                _number(each.case.batch_size, str(each.case.batch_size)),
                _number(each.flops, insights.giga(each.flops)),
                _share(each),
            )
            for each in ordered
        ),
    )


def facts(machine: Mapping[str, object]) -> list[tuple[str, str]]:
    """The machine's fingerprint, what is known of it, in words."""
    return [(name.replace("_", " "), _plainly(value)) for name, value in machine.items() if value not in (None, "", [])]


def _plainly(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plainly(part)}" for name, part in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_plainly, value))
    return str(value)


def _number(value: float | None, text: str) -> Cell:
    return Cell(text, sort=value, number=True)


def _speed(row: Summary, *, best: bool) -> Cell:
    if row.fps is None:
        return Cell(wording.STATUS_WORDS[row.status], number=True)
    beside = wording.plus_minus(row.fps_ci95)
    if row.league != row.case.contender.precision:
        beside = f"{beside} {row.league}".strip()
    return Cell(wording.number(row.fps), sort=row.fps, number=True, beside=beside, strong=best)


def _share(each: PeakShare | None) -> Cell:
    if each is None:
        return Cell(wording.NONE, number=True)
    return Cell(f"{each.share:.0%}", sort=each.share, number=True, share=min(1.0, each.share))


def _accuracy(found: Accuracy | None) -> Cell:
    return _number(found.share if found else None, str(found or wording.NONE))


def _error(value: float | None, without: str = wording.NONE) -> Cell:
    return Cell(without if value is None else wording.error(value), sort=value, number=True)


def _size(error: float | None, tolerances: Tolerances | None) -> str:
    """The finest precision whose rounding explains an error."""
    if error is None or tolerances is None or not tolerances.rounding:
        return wording.NONE
    for precision in ("fp32", "fp16", "bf16"):
        if error <= getattr(tolerances, precision):
            return f"{precision}-sized"
    return "beyond bf16"
