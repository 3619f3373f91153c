"""A comparison, for people and for programs."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from bakeoff.records import Case
from bakeoff.report import markup, wording
from bakeoff.scorecards import Change, Compared, ComparisonReport, Gate, GateCase, Method

_METHODS = {
    Method.PAIRED: "paired by round",
    Method.CANARY: "relative to the canary as far as it explains them",
    Method.NONE: "not normalised",
}


def to_text(report: ComparisonReport, *, width: int = 100) -> str:
    """A table, what each line says, and what to know before believing it."""
    return _parts(report, partial(markup.as_text, width=width))


def to_markdown(report: ComparisonReport) -> str:
    """The same for a document."""
    return _parts(report, markup.as_markdown)


def _parts(report: ComparisonReport, table: Callable[..., str]) -> str:
    methods = dict.fromkeys(_METHODS[case.method] for case in report.cases)
    header = ["case", f"{report.before}, images/s", f"{report.after}, images/s", "ratio", ""]
    counts = [(change, sum(case.change is change for case in report.cases)) for change in Change]
    said = ", ".join(f"{change} in {count}" for change, count in counts if count)
    parts = [
        f"{report.after} against {report.before}, {' or '.join(methods)}",
        *first(report),
        table(header, [_row(case) for case in report.cases], right=(1, 2, 3)),
        f"{report.after} is {said}; equivalent is within ±{wording.percent(report.indifference)}.",
        *last(report),
    ]
    return "\n\n".join(parts) + "\n"


def ratio(value: float | None, low: float | None, high: float | None) -> str:
    """``1.08x [1.02–1.15]``; an open end where a bound is unknown."""  # noqa: RUF002 - an en dash, as everywhere
    if value is None:
        return wording.NONE
    if low is None and high is None:
        return f"{value:.2f}x"
    bounds = [wording.NONE if bound is None else f"{bound:.2f}" for bound in (low, high)]
    return f"{value:.2f}x [{bounds[0]}–{bounds[1]}]"  # noqa: RUF001


def _row(case: Compared) -> list[str]:
    after, before = case.after.contender.name, case.before.contender.name
    names = after if after == before else f"{after} / {before}"
    speeds = [wording.number(fps) for fps in (case.fps_before, case.fps_after)]
    return [
        f"{names}, {setting(case.after)}",
        *speeds,
        ratio(case.ratio, *(case.interval or (None, None))),
        case.change,
    ]


def setting(case: Case) -> str:
    """``resnet18, batch 1``."""
    return f"{case.model}, batch {case.batch_size}"


def first(found: ComparisonReport | Gate) -> list[str]:
    """What to know before any figure is read."""
    return _blocks(("Not like with like:", found.unlike))


def last(found: ComparisonReport | Gate) -> list[str]:
    """What to know before any figure is believed."""
    refused = found.refused if isinstance(found, ComparisonReport) else ()
    notes = (*_of_canary(found.cases), *found.notes)
    return _blocks(("Not compared:", refused), ("Note:", notes), ("Cautions of the runs:", found.cautions))


def _of_canary(cases: Iterable[Compared | GateCase]) -> list[str]:
    """How the machine differed by the canary, and how much of that was taken out of the ratios."""
    used = [case.canary for case in cases if case.canary]
    if not used:
        return []
    ratios, shares = sorted(each.ratio for each in used), sorted(each.share for each in used)
    speed = _from_to(f"{ratios[0]:.2f}x", f"{ratios[-1]:.2f}x")
    taken = _from_to(f"{shares[0]:.0%}", f"{shares[-1]:.0%}")
    said = f"the canary ran at {speed} its speed of before: {taken} of that was taken out of a case's ratio"
    return [f"{said}, as far as it explains the case from round to round; the interval allows for the rest"]


def _from_to(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _blocks(*blocks: tuple[str, Sequence[str]]) -> list[str]:
    return [f"{title}\n{markup.bullets(lines)}" for title, lines in blocks if lines]
