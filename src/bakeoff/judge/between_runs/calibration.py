"""How much of what the canary shows between two runs concerns a case, and what stays in doubt.

How far a case follows the canary is seen within the runs, from round to round: its log throughput y is regressed on
the canary's, x, with a mean for each run (analysis of covariance; W. G. Cochran, Biometrics 13, 1957), and the
coefficient is shrunken as in ridge regression (Hoerl & Kennard, Technometrics 12, 1970):

    b = Sxy / (Sxx + 3 s^2)    with variance    s^2 / (Sxx + 3 s^2)

where S are sums of squares and products about the means, s^2 is the variance about the regression, and 1/3 is the mean
square of a coefficient that may be anything from 0 to 1. Between the runs the canary changed by d, and b d is taken
out of the case's ratio: a canary that explains nothing of a case changes nothing of it.

A coefficient from single rounds is too small for means of many, since the canary has noise of its own (regression
dilution; Frost & Thompson, Journal of the Royal Statistical Society A 163, 2000), and how much too small no round
tells: the true one may be anything from b to 1. So what is not taken out is doubted, and the interval allows for it:

    doubt = (s^2 / (Sxx + 3 s^2) + (1 - b)^2 / 3) (d^2 + var d)
"""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import msgspec

from bakeoff.judge.between_runs.scorecard import of_values
from bakeoff.scorecards import Moments

PRIOR = 1 / 3
"""mean square of a coefficient of which nothing is known"""


class Side(NamedTuple):
    """A case and the canary beside it in one run, by logarithms."""

    case: Moments
    canary: Moments
    rounds: Sequence[tuple[float, float]] = ()
    """canary and case of the same rounds; empty where these are not known"""


class Calibrated(NamedTuple):
    """Two sides, with as much of the canary taken out of the case as it explains."""

    first: Moments
    second: Moments
    drift: float
    """log ratio of the canary, second over first"""
    share: float
    """the coefficient"""
    doubt: float
    """variance of the case's log ratio that is due to the rest of the drift"""


def calibrated(first: Side, second: Side) -> Calibrated:
    """Both sides relative to the canary, as far as it explains the case."""
    share, variance = coefficient([side.rounds for side in (first, second) if side.rounds])
    drift = second.canary.mean - first.canary.mean
    level = drift**2 + sum(side.canary.sd**2 / side.canary.count for side in (first, second))
    doubt = (variance + PRIOR * max(0.0, 1 - share) ** 2) * level
    return Calibrated(_without(first, share), _without(second, share), drift, share, doubt)


def coefficient(runs: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """How far a case follows the canary within runs of two rounds or more, never less than 0; and its variance."""
    sxx = sxy = syy = 0.0
    for rounds in runs:
        x0, y0 = (fmean(values) for values in zip(*rounds, strict=True))
        sxx += sum((x - x0) ** 2 for x, _ in rounds)
        sxy += sum((x - x0) * (y - y0) for x, y in rounds)
        syy += sum((y - y0) ** 2 for _, y in rounds)
    freedom = sum(len(rounds) - 1 for rounds in runs)
    if not sxx:
        return 0.0, PRIOR
    # One degree of freedom more, as though the canary explained nothing: few rounds can lie on a line by chance.
    noise = (syy - sxy**2 / sxx + syy / freedom) / freedom
    penalised = sxx + noise / PRIOR
    return max(0.0, sxy / penalised), noise / penalised


def _without(side: Side, share: float) -> Moments:
    """The case's log throughput less that share of the canary's."""
    if side.rounds:
        return of_values([y - share * x for x, y in side.rounds])
    case, canary = side.case, side.canary
    sd = (case.sd**2 + share**2 * canary.sd**2 * case.count / canary.count) ** 0.5
    return msgspec.structs.replace(case, mean=case.mean - share * canary.mean, sd=sd)
