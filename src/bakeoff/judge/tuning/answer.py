"""What the confirmation says: which setting to use, and what it gains over the default.

The candidates were picked for being fast in the search, so nothing of the search may be printed of them. What is, comes
from rounds that no candidate was picked by. Which of the few is the answer is chosen there, so its gain is one of as
many as there are candidates: their intervals all hold at once, at every look, as those of a verdict do.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from bakeoff.judge.between_runs.across import change_of
from bakeoff.judge.figures.break_even import cold_starts
from bakeoff.judge.results import Results
from bakeoff.judge.table.answer import between, bounds
from bakeoff.judge.table.best import Comparison
from bakeoff.judge.table.verdict import comparisons
from bakeoff.judge.tuning.found import Confirmed, Point
from bakeoff.judge.tuning.limits import unfit
from bakeoff.records import Limits, Status, Summary
from bakeoff.scorecards import Change


def confirm(results: Results, points: Mapping[str, Point], limits: Limits) -> tuple[list[Confirmed], Comparison | None]:
    """Every contender of the confirming run, in its order, and how they compare; None without any measured."""
    rows = {row.case.contender.name: row for row in results.rows if row.case.contender.name in points}
    comparison = compared(results, rows)
    reasons, starts = unfit(results, points, limits), cold_starts(results.trials)
    found = []
    for name, row in rows.items():
        gain, interval, change = gained(comparison, points[name], results.indifference)
        found.append(
            Confirmed(
                point=points[name],
                fps=row.fps,
                fps_ci95=row.fps_ci95,
                latency_ms=row.latency_ms.get("mean"),
                memory_mb=row.peak_rss_mb,
                start_s=starts.get(row.case) if row.fps else None,
                error=row.parity.max_rel_error if row.parity else None,
                split=f"{row.load.instances} x {row.load.threads}" if row.load else "",
                gain=gain,
                interval=interval,
                change=change,
                unfit=reasons.get(name, "" if row.fps else "not measured"),
            )
        )
    return on_the_front(found), comparison


def compared(results: Results, rows: Mapping[str, Summary]) -> Comparison | None:
    """The `rows` of a run of one model and batch size that stayed in their league, compared by its last look."""
    cases = {
        row.case for row in rows.values() if row.status is Status.OK and row.league == row.case.contender.precision
    }
    found = comparisons([trial for trial in results.trials if trial.case in cases])
    return next(iter(found.values()), None)


def gained(
    comparison: Comparison | None, point: Point, indifference: float
) -> tuple[float | None, tuple[float, float] | None, Change | None]:
    """How many times its engine's default's throughput `point` has, with interval, and what that says."""
    if point.is_default or comparison is None or not {point.name, point.default} <= {*comparison.contenders}:
        return None, None, None
    pair = comparison.contenders.index(point.name), comparison.contenders.index(point.default)
    mean, reach = float(comparison.mean[pair]), float(comparison.half_width[pair])
    if math.isnan(mean):
        return None, None, None
    change = change_of(mean - reach, mean + reach, indifference)
    interval = (math.exp(mean - reach), math.exp(mean + reach)) if reach < MOST_REACH else None
    return math.exp(mean), interval, change


MOST_REACH = 20.0
"""beyond which a ratio's bounds mean nothing"""


def answer(confirmed: Sequence[Confirmed], comparison: Comparison | None) -> Confirmed | None:
    """The one to use: the fastest of those that are fit and either a default, or faster than theirs.

    One whose default is unfit or has no speed need not beat it. None where nobody is fit.
    """
    if comparison is None:
        return None
    fit = {each.point.name: each for each in confirmed if not each.unfit and each.point.name in comparison.contenders}
    may = [
        comparison.contenders.index(name)
        for name, each in fit.items()
        if each.point.is_default or each.change is Change.FASTER or each.point.default not in fit
    ]
    if not may:
        return None
    worst = np.where(np.isnan(comparison.mean), 0.0, comparison.mean)[np.ix_(may, may)].min(axis=1)
    return fit[comparison.contenders[may[int(worst.argmax())]]]


def on_the_front(confirmed: Sequence[Confirmed]) -> list[Confirmed]:
    """`confirmed`, those marked that are on the Pareto front of speed, memory and start; by their figures alone."""

    def figures(each: Confirmed) -> tuple[float, float, float]:
        return -(each.fps or 0.0), each.memory_mb or 0.0, each.start_s or 0.0

    def beaten(each: Confirmed) -> bool:
        mine = figures(each)
        theirs = [figures(other) for other in confirmed if not other.unfit]
        return any(all(a <= b for a, b in zip(their, mine, strict=True)) and their != mine for their in theirs)

    return [msgspec.structs.replace(each, pareto=not each.unfit and not beaten(each)) for each in confirmed]


def sentence(
    chosen: Confirmed | None, confirmed: Sequence[Confirmed], comparison: Comparison | None, unit: str = "ms"
) -> str:
    """The answer in words.

    "onnxruntime with spin=false, threads=2: 31 ms, 1.24x [1.18-1.30] faster than its default, 1.90x
    pytorch as it is; 212 MB; the same answer to 4e-06".
    """
    if chosen is None or comparison is None:
        return "nothing that was confirmed is fit to be used"
    figure = f"{chosen.latency_ms:.3g} ms" if unit == "ms" and chosen.latency_ms else f"{chosen.fps:.4g} {unit}"
    split = f" in {chosen.split} (instances x threads)" if chosen.split else ""
    clauses = [f"{chosen.point.said}: {figure}{split}"]
    if chosen.gain is not None and chosen.change is Change.FASTER:
        clauses[0] += f", {factor(chosen)}"
    elif not chosen.point.is_default:
        clauses.append(f"its default is no answer: {_why(chosen.point.default, confirmed)}")
    others = [
        (float(comparison.mean[_at(comparison, chosen), _at(comparison, each)]), each.point.default)
        for each in confirmed
        if each.point.is_default and each.point.default != chosen.point.default and each.fps and not each.unfit
    ]
    if others:
        behind, name = min(others)
        clauses[0] += f", {math.exp(behind):.2f}x {name} as it is" if not math.isnan(behind) else ""
    clauses += [f"{chosen.memory_mb:.0f} MB"] * (chosen.memory_mb is not None)
    clauses += [f"the same answer to {chosen.error:.0e}"] if chosen.error is not None else []
    if chosen.point.is_default:
        clauses.append(nothing_faster(chosen, confirmed))
    return "; ".join(clauses)


def factor(of: Confirmed) -> str:
    """``1.24x [1.18-1.30] faster than its default``, with an en dash."""
    return " ".join(filter(None, [f"{of.gain:.2f}x", bounds(of.interval), "faster than its default"]))


def nothing_faster(default: Confirmed, confirmed: Sequence[Confirmed]) -> str:
    """Why a default is the answer: how much its best candidate may gain."""
    own = [each for each in confirmed if each.point.default == default.point.name and each.gain is not None]
    fit = [each for each in own if not each.unfit]
    if not fit:
        return "no other setting of it was confirmed"
    best = max(fit, key=lambda each: each.gain or 0.0)
    if best.interval is None:
        return "whether another setting is faster is undecided: too few rounds"
    low, high = best.interval
    return f"no other setting is certainly faster: {best.point.said} is {between(1 / high, 1 / low)}"


def _why(default: str, confirmed: Sequence[Confirmed]) -> str:
    return next(each.unfit for each in confirmed if each.point.name == default)


def _at(comparison: Comparison, each: Confirmed) -> int:
    return comparison.contenders.index(each.point.name)
