"""Means, intervals and percentiles: pure functions on numbers, standard library only."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean, variance

CONFIDENCE = 0.95
"""of every interval"""

MOST_BORROWED = 2
"""Degrees of freedom that the noise of other means counts for at most: it is not of the same size everywhere, and drift
is common to all. With 2 the intervals of few trials cover 95 to 97% at the same noise, and 89 to 91% at three times the
variance beside, with 40% of it common to all (tests/simulation/test_races.py)."""

PERCENTILE_CONFIDENCE = 0.99
"""with which a sample must support a percentile before it is given"""


def geometric_mean_interval(
    values: Sequence[float], confidence: float = CONFIDENCE, beside: Sequence[Sequence[float]] = ()
) -> tuple[float, tuple[float, float] | None]:
    """The geometric mean of positive values, and its interval by Student's t on their logarithms.

    The values are one per trial: trials are the independent unit, so the interval comes from the variation
    between them alone. There is none (None) below two values. Raises `ValueError` without values.

    `beside` are values like them of other means, as of an engine's other batch sizes. Two trials that came out equal by
    chance do not make a figure exact: the variance is averaged with theirs by degrees of freedom (Smyth 2004).
    """
    if not values:
        raise ValueError("no values")
    logs = [math.log(value) for value in values]
    centre = fmean(logs)
    if len(logs) == 1:
        return math.exp(centre), None
    squares, own = variance(logs) * (len(logs) - 1), len(logs) - 1
    df = degrees_of_freedom(values, beside)
    if df > own:
        others = [[math.log(value) for value in each] for each in beside if len(each) > 1]
        total = sum(variance(each) * (len(each) - 1) for each in others)
        squares += (df - own) * total / sum(len(each) - 1 for each in others)
    half_width = t_quantile((1 + confidence) / 2, df) * math.sqrt(squares / df / len(logs))
    return math.exp(centre), (math.exp(centre - half_width), math.exp(centre + half_width))


def degrees_of_freedom(values: Sequence[float], beside: Sequence[Sequence[float]]) -> int:
    """Of the interval of `values`: their own, and as many of those `beside` as count."""
    return len(values) - 1 + min(MOST_BORROWED, sum(len(each) - 1 for each in beside if len(each) > 1))


@cache
def t_quantile(probability: float, df: int) -> float:
    """Quantile of Student's t distribution with `df` degrees of freedom, for `probability` in (0, 1).

    Inverts the exact distribution for integer `df` by Newton's method on the angle atan(t / sqrt(df)), from 0 on: it
    is concave there, so that no step goes beyond the root. Raises `ValueError` out of range.
    """
    if not 0 < probability < 1 or df < 1:
        raise ValueError(f"no t quantile for probability {probability} and {df} degrees of freedom")
    if probability < 1 / 2:
        return -t_quantile(1 - probability, df)
    inside, angle = 2 * probability - 1, 0.0
    steepest = 2 / math.sqrt(math.pi) * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2))
    while slope := steepest * math.cos(angle) ** (df - 1):
        step = (inside - _t_inside(angle, df)) / slope
        if step <= angle * 1e-15:
            break
        angle = min(angle + step, math.pi / 2)
    return math.sqrt(df) * math.tan(angle)


def _t_inside(angle: float, df: int) -> float:
    """P(|T| <= sqrt(df) tan(angle)): Abramowitz & Stegun (1964), 26.7.3 for odd and 26.7.4 for even `df`."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    term = cosine if odd else 1.0
    total = term if df > 1 else 0.0
    # Each term is the one before times cos^2 and (k - 1)/k, for the k of its own parity.
    for k in range(2 + odd, df - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


@cache
def minimum_sample(percentile: float, confidence: float = PERCENTILE_CONFIDENCE) -> int:
    """How many latencies support a percentile (0 < `percentile` < 100): p50 11, p90 64, p95 130, p99 662.

    The smallest n for which the second largest of n independent latencies is an upper bound of the percentile
    with the given confidence. That is MLPerf's early stopping with one latency above the bound: at most
    one of n lies beyond the true percentile with probability P(Binomial(n, 1 - p) <= 1) <= 1 - confidence.
    See `MinPassingQueriesFinder` in loadgen/early_stopping.cc of mlcommons/inference, and Reddi et al.,
    "MLPerf Inference Benchmark" (ISCA 2020).
    """
    p = percentile / 100
    if not 0 < p < 1:
        raise ValueError(f"no sample supports percentile {percentile}")

    def enough(n: int) -> bool:
        return p**n + n * (1 - p) * p ** (n - 1) <= 1 - confidence

    high = 2
    while not enough(high):
        high *= 2
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The percentile, interpolated linearly between order statistics; None where the sample is too small.

    Refused is None, never a guess: see `minimum_sample`. The interpolation is Hyndman & Fan's type 7, numpy's own.
    """
    if len(values) < minimum_sample(percent):
        return None
    return quantile(sorted(values), percent / 100)


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """Hyndman & Fan's type 7 quantile of values in ascending order, however few. Raises `ValueError` without any."""
    if not ordered:
        raise ValueError("no values")
    position = (len(ordered) - 1) * fraction
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
