"""Whether latencies are of two kinds, as when every other call takes a slower path."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import fmean

from bakeoff.records import Record

SEPARATION = 4.0
"""Ashman's D above which two groups count as two modes. The halves of one normal distribution, cut at its middle,
have 2.7, those of a uniform one (a steady drift) 3.5; Ashman's own threshold of 2 is for fitted mixtures"""
SMALLEST_SHARE = 0.1
"""of the latencies, in the smaller mode: below it they are outliers"""
SMALLEST_GAP = 0.05
"""relative, between the modes: less does not matter"""
FEWEST = 20
WILD = 0.05
"""share of the latencies, the slowest, that are set aside as disturbances before modes are looked for"""
OFTEN = 0.5
"""share of the changes of mode that chance order would give, above which modes come interleaved"""


class Modes(Record, frozen=True):
    """Two kinds of latencies, in seconds."""

    fast: float
    """geometric mean of the fast ones"""
    slow: float
    slow_share: float
    interleaved: bool
    """they come mixed, and not one kind after the other"""


def modes(latencies: Sequence[float]) -> Modes | None:
    """The two modes of positive latencies, or None where there is one.

    The logarithms are cut in two where the squared error within the groups is least (Otsu 1979; Fisher 1958), and
    count as two modes if Ashman's D = sqrt(2) |m1 - m2| / sqrt(s1^2 + s2^2) is above 4 (Ashman, Bird & Zepf 1994) and
    both groups are large enough.
    """
    if len(latencies) < FEWEST:
        return None
    logs = [math.log(value) for value in latencies]
    ordered = sorted(logs)[: len(logs) - math.floor(WILD * len(logs))]
    cut = _cut(ordered)
    fast, slow = ordered[:cut], ordered[cut:]
    share = len(slow) / len(ordered)
    if not SMALLEST_SHARE <= share <= 1 - SMALLEST_SHARE:
        return None
    low, high = fmean(fast), fmean(slow)
    spread = math.sqrt(_variance(fast, low) + _variance(slow, high))
    if high - low < math.log1p(SMALLEST_GAP) or math.sqrt(2) * (high - low) <= SEPARATION * spread:
        return None
    is_slow = [value >= slow[0] for value in logs if value <= slow[-1]]
    changes = sum(before != after for before, after in pairwise(is_slow))
    by_chance = 2 * share * (1 - share) * (len(is_slow) - 1)
    return Modes(
        fast=math.exp(low),
        slow=math.exp(high),
        slow_share=share,
        interleaved=changes > OFTEN * by_chance,
    )


def _cut(ordered: Sequence[float]) -> int:
    """How many belong to the lower group: where the squares between the groups are greatest."""
    centre = fmean(ordered)
    below = list(accumulate(value - centre for value in ordered))
    total = len(ordered)
    return max(range(1, total), key=lambda n: below[n - 1] ** 2 / (n * (total - n)))


def _variance(values: Sequence[float], centre: float) -> float:
    return fmean((value - centre) ** 2 for value in values)
