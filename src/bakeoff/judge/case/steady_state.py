"""Whether latencies have reached a steady state, and what they did before.

Many programs never reach a steady state, or reach a slower one (Barrett et al., "Virtual Machine Warmup Blows Hot and
Cold", 2017), so it is looked for and not assumed. A single latency is noisy and now and then wild; the median of a
block of them is neither. Two questions are answered:

- while warming up, online: have the block medians stopped trending? (`warmed_up`)
- of a long trace, afterwards: which shape has it, and from where on is it steady? (`shape`)
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from statistics import correlation, fmean, linear_regression, median

from bakeoff.judge.case.modes import Modes, modes
from bakeoff.records import Record

BLOCK = 3
"""latencies per block while warming up: the fewest whose median survives one wild value"""
BLOCKS = 3
"""block medians that must not trend"""
TOLERANCE = 0.02
"""relative change of level that counts as none"""

MOST_BLOCKS = 48
FEWEST_BLOCKS = 12
"""for a shape"""
LONG_BLOCK = 5
"""latencies per block of a shape, at least"""
STEADY_SHARE = 0.25
"""of a trace, at its end, without which it is not steady"""
PENALTY = 4.0
"""of one more level, in units of noise variance x log(blocks): twice the Bayesian criterion, since drift and
autocorrelation make blocks less independent than it supposes"""
DIRECTION = 0.6
"""rank correlation of latency with time, above which a trace that turns about has a direction all the same: two
equal swings have 0.43, a threefold slowdown on a machine whose own speed halves and doubles meanwhile 0.7"""
SHORTEST_LEVEL = 2
"""blocks"""


class Kind(StrEnum):
    """The shape of a trace, in a word."""

    FLAT = "flat"
    WARM_UP = "warm-up"
    """slower at first, then steady at its fastest"""
    SLOWDOWN = "slowdown"
    """slower at the end than before; steady there, or slowing still"""
    STEP = "step"
    """two steady levels, one abrupt change between them"""
    OSCILLATION = "oscillation"
    """to and fro between levels, call by call or slower"""
    UNSETTLED = "unsettled"
    """still changing at the end, though not slower than before"""


class Shape(Record, frozen=True):
    """What a trace did."""

    kind: Kind
    steady_after: int | None
    """latencies before the steady end; None where there is none"""
    change: float
    """relative change of the level from the trace's beginning to its end: 0.1 is 10% slower"""
    modes: Modes | None
    """two kinds of latencies, where there are"""


def warmed_up(latencies: Sequence[float]) -> bool:
    """Whether warm-up may end: the last three block medians do not all fall, nor all rise, by over 2% together.

    Too few latencies are not. A noisy flat trace seems to trend in a third of the cases and costs one more
    block; a trend slower than 2% in nine latencies passes, and is what `shape` of the profile trial is for.
    """
    if len(latencies) < BLOCK * BLOCKS:
        return False
    recent = latencies[-BLOCK * BLOCKS :]
    medians = [median(recent[i : i + BLOCK]) for i in range(0, len(recent), BLOCK)]
    steps = [b - a for a, b in pairwise(medians)]
    trending = all(step < 0 for step in steps) or all(step > 0 for step in steps)
    return not (trending and abs(medians[-1] / medians[0] - 1) > TOLERANCE)


def shape(latencies: Sequence[float]) -> Shape | None:
    """What a long trace of positive latencies did; None below 60, which cannot tell.

    The logarithms of block medians are cut into levels by optimal partitioning (Jackson et al. 2005) under a penalty
    scaled by the noise between neighbouring blocks; neighbouring levels within 2% are one. The order of levels gives
    the kind; where a straight line fits better than all of them, the trace drifts from end to end.
    """
    if len(latencies) < FEWEST_BLOCKS * LONG_BLOCK:
        return None
    size = max(LONG_BLOCK, math.ceil(len(latencies) / MOST_BLOCKS))
    starts = range(len(latencies) % size, len(latencies), size)
    blocks = [math.log(median(latencies[start : start + size])) for start in starts]
    levels = _levels(blocks)
    found = modes(latencies)
    if found and found.interleaved:
        kind, steady = Kind.OSCILLATION, False
    elif _drifts(blocks, levels):
        kind, steady = (Kind.SLOWDOWN if levels[-1][1] > levels[0][1] else Kind.UNSETTLED), False
    else:
        kind, steady = _kind([level for _, level in levels], [start for start, _ in levels], blocks)
    return Shape(
        kind=kind,
        steady_after=(starts[levels[-1][0]] if len(levels) > 1 else 0) if steady else None,
        change=math.expm1(levels[-1][1] - levels[0][1]),
        modes=found,
    )


def _kind(levels: Sequence[float], starts: Sequence[int], blocks: Sequence[float]) -> tuple[Kind, bool]:
    """The kind, and whether the trace ends steady, from its levels and the blocks in which they start."""
    if len(levels) == 1:
        return Kind.FLAT, True
    rises = [after > before for before, after in pairwise(levels)]
    turns = sum(before != after for before, after in pairwise(rises))
    steady = len(blocks) - starts[-1] >= STEADY_SHARE * len(blocks)
    if turns > 1 and abs(_direction(blocks)) < DIRECTION:
        return Kind.OSCILLATION, False
    slower = levels[-1] - min(levels) > math.log1p(TOLERANCE)
    if len(levels) == 2 and steady and starts[1] >= STEADY_SHARE * len(blocks):  # noqa: PLR2004 - one change
        return Kind.STEP, True
    if slower:
        return Kind.SLOWDOWN, steady
    return (Kind.WARM_UP, True) if steady else (Kind.UNSETTLED, False)


def _direction(blocks: Sequence[float]) -> float:
    """Spearman's rank correlation of the blocks with time: 1 if each is slower than the one before, -1 if faster."""
    ordered = sorted(blocks)
    return correlation(
        [bisect_left(ordered, value) + bisect_right(ordered, value) for value in blocks], range(len(blocks))
    )


def _drifts(blocks: Sequence[float], levels: Sequence[tuple[int, float]]) -> bool:
    """Whether a straight line explains the blocks better than several levels do.

    By the Bayesian information criterion: k levels have 2k - 1 parameters, a line has two.
    """
    if len(levels) == 1:
        return False
    ends = [*(start for start, _ in levels[1:]), len(blocks)]
    by_levels = sum(
        (value - level) ** 2 for (start, level), end in zip(levels, ends, strict=True) for value in blocks[start:end]
    )
    slope, intercept = linear_regression(range(len(blocks)), blocks)
    by_line = sum((value - intercept - slope * i) ** 2 for i, value in enumerate(blocks))
    return by_line < by_levels + (2 * len(levels) - 3) * _noise(blocks) ** 2 * math.log(len(blocks))


def _levels(blocks: Sequence[float]) -> list[tuple[int, float]]:
    """(first block, mean) of every level; neighbours differ by more than the tolerance."""
    starts = _partition(blocks, PENALTY * _noise(blocks) ** 2 * math.log(len(blocks)))
    while True:
        ends = [*starts[1:], len(blocks)]
        means = [fmean(blocks[start:end]) for start, end in zip(starts, ends, strict=True)]
        steps = [abs(after - before) for before, after in pairwise(means)]
        if not steps or min(steps) > math.log1p(TOLERANCE):
            return list(zip(starts, means, strict=True))
        del starts[steps.index(min(steps)) + 1]


def _noise(blocks: Sequence[float]) -> float:
    """Standard deviation of a block, from the differences of neighbours: a step or a trend hardly touches it."""
    differences = [abs(after - before) for before, after in pairwise(blocks)]
    normal = 0.6745
    """median of |z| for a standard normal z"""
    return max(median(differences) / normal / math.sqrt(2), 1e-4)


def _partition(blocks: Sequence[float], penalty: float) -> list[int]:
    """First blocks of the levels that minimise squared error + `penalty` per level; exact, in quadratic time."""
    sums, squares = [0.0], [0.0]
    for value in blocks:
        sums.append(sums[-1] + value)
        squares.append(squares[-1] + value * value)

    def cost(start: int, end: int) -> float:
        return squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / (end - start)

    best = [-penalty] + [math.inf] * len(blocks)
    last = [0] * (len(blocks) + 1)
    for end in range(SHORTEST_LEVEL, len(blocks) + 1):
        for start in range(end - SHORTEST_LEVEL + 1):
            total = best[start] + cost(start, end) + penalty
            if total < best[end]:
                best[end], last[end] = total, start
    starts, end = [], len(blocks)
    while end:
        end = last[end]
        starts.append(end)
    return starts[::-1]
