"""Which rows cannot be an answer, and why."""

from collections.abc import Mapping

from bakeoff.judge.case.settings_check import settings_not_taken
from bakeoff.judge.figures.break_even import cold_starts
from bakeoff.judge.results import Results
from bakeoff.judge.tuning.found import Point
from bakeoff.records import Case, Limits, Status, Summary

SLACK = 1.1
"""times a limit, beyond which the search leaves a point out: its figures rest on few rounds, and the confirmation's
decide"""


def unfit(results: Results, points: Mapping[str, Point], limits: Limits, slack: float = 1.0) -> dict[str, str]:
    """By contender, why it is no answer, for those that are none: it failed, answers wrongly or in another league, did
    not take its settings, or exceeds one of `limits` times `slack`.

    A row that was not run is not among them.
    """
    starts = cold_starts(results.trials)
    found = {}
    for row in results.rows:
        point = points.get(row.case.contender.name)
        if point and row.status is not Status.NOT_RUN and (reason := _reason(row, point, limits, starts, slack)):
            found[point.name] = reason
    return found


def _reason(row: Summary, point: Point, limits: Limits, starts: Mapping[Case, float], slack: float) -> str:
    if row.status is not Status.OK:
        return f"{row.status.replace('_', ' ')}: {row.reason}"
    if row.league != row.case.contender.precision:
        error = row.parity.max_rel_error if row.parity else None
        return f"changes the answer: its error{f', {error:.1e},' if error else ''} is the size of {row.league}"
    for line in settings_not_taken(row.requested, row.effective, [knob for knob, _ in point.turned]):
        return line
    latency_ms = row.latency_ms.get("mean")
    figures = (
        (limits.memory_mb, row.peak_rss_mb, 1, "MB", "memory"),
        (limits.start_s, starts.get(row.case), 1, "s", "start"),
        (limits.latency_s, None if latency_ms is None else latency_ms / 1e3, 1e3, "ms", "latency"),
    )
    for limit, figure, unit, name, what in figures:
        if limit is None:
            continue
        if figure is None:
            return f"its {what} is not known"
        if figure > limit * slack:
            return f"its {what}, {figure * unit:.3g} {name}, is over {limit * unit:g} {name}"
    return ""
