"""A comparison, for people and for programs."""

from collections.abc import Sequence

import msgspec

from bakeoff.records import Case
from bakeoff.report import tables, wording
from bakeoff.scorecards import Change, Compared, ComparisonReport, Method

_METHODS = {
    Method.PAIRED: "paired by round",
    Method.CANARY: "each relative to the canary of its own rounds",
    Method.NONE: "not normalised",
}
_RIGHT = (1, 2, 3)


def to_text(report: ComparisonReport, *, width: int = 100) -> str:
    """A table, what each line says, and what to know before believing it."""
    parts = [_headline(report), tables.as_text(_header(report), _rows(report), width=width, right=_RIGHT), _sum(report)]
    return "\n\n".join([*parts, *_remarks(report)]) + "\n"


def to_markdown(report: ComparisonReport) -> str:
    """The same for a document."""
    parts = [_headline(report), tables.as_markdown(_header(report), _rows(report), right=_RIGHT), _sum(report)]
    return "\n\n".join([*parts, *_remarks(report)]) + "\n"


def to_json(report: ComparisonReport) -> str:
    """Every field; what is unbounded is null."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def ratio(value: float | None, low: float | None, high: float | None) -> str:
    """``1.08x [1.02–1.15]``; an open end where a bound is unknown."""  # noqa: RUF002 - an en dash, as everywhere
    if value is None:
        return wording.NONE
    if low is None and high is None:
        return f"{value:.2f}x"
    bounds = [wording.NONE if bound is None else f"{bound:.2f}" for bound in (low, high)]
    return f"{value:.2f}x [{bounds[0]}–{bounds[1]}]"  # noqa: RUF001


def _headline(report: ComparisonReport) -> str:
    methods = dict.fromkeys(_METHODS[case.method] for case in report.cases)
    return f"{report.after} against {report.before}, {' or '.join(methods)}"


def _header(report: ComparisonReport) -> list[str]:
    return ["case", f"{report.before}, images/s", f"{report.after}, images/s", "ratio", ""]


def _rows(report: ComparisonReport) -> list[list[str]]:
    return [
        [
            _names(case),
            wording.number(case.fps_before),
            wording.number(case.fps_after),
            ratio(case.ratio, *(case.interval or (None, None))),
            case.change.value,
        ]
        for case in report.cases
    ]


def _names(case: Compared) -> str:
    after, before = case.after.contender.name, case.before.contender.name
    names = after if after == before else f"{after} / {before}"
    return f"{names}, {setting(case.after)}"


def setting(case: Case) -> str:
    """``resnet18, batch 1``."""
    return f"{case.model}, batch {case.batch_size}"


def _sum(report: ComparisonReport) -> str:
    counts = [(change, sum(case.change is change for case in report.cases)) for change in Change]
    said = ", ".join(f"{change} in {count}" for change, count in counts if count)
    return f"{report.after} is {said}; equivalent is within ±{wording.percent(report.indifference)}."


def _remarks(report: ComparisonReport) -> list[str]:
    blocks: Sequence[tuple[str, Sequence[str]]] = (("Not compared:", report.refused), ("Note:", report.notes))
    return ["\n".join([title, *(f"- {line}" for line in lines)]) for title, lines in blocks if lines]
