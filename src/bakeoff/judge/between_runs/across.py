"""The ratio of two throughputs that were not measured side by side, or that were, and how sure it is.

Within a run, drift of the machine is paired away: both engines took their turns in the same rounds. Between two runs
it is not. Every heat therefore carries a *canary*, fixed work of bakeoff's own, and a case's value in a round is
log(its throughput / the canary's). What remains is compared by Welch's t (B. L. Welch, "The generalization of
Student's problem when several different population variances are involved", Biometrika 34, 1947), whose degrees of
freedom are Satterthwaite's (Biometrics Bulletin 2, 1946):

    t = (mean2 - mean1) / sqrt(s1^2/n1 + s2^2/n2 + 2 b^2)

The trials of one run tell nothing of how runs differ from each other. That is what b is for, the standard deviation
between runs that trials cannot show: a constant of this method, `BETWEEN_RUNS`, that does not shrink with rounds. It
was estimated from few runs, and enters Satterthwaite's formula with as few degrees of freedom.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bakeoff.judge.between_runs.pairing import same_hardware
from bakeoff.judge.between_runs.scorecard import moments, of_values
from bakeoff.judge.figures.statistics import CONFIDENCE, t_quantile
from bakeoff.judge.table.best import FEWEST_ROUNDS, MOST_ROUNDS
from bakeoff.records import INDIFFERENCE
from bakeoff.scorecards import Change, Compared, Method, Moments, Score, Scorecard

BETWEEN_RUNS: Mapping[Method, float] = {Method.PAIRED: 0.0, Method.CANARY: 0.015, Method.NONE: 0.08}
"""Standard deviation, between runs of one case on one machine, of log throughput beyond what trials show.

Raw throughput drifts by 5-11% on the machine of docs/method.md: the middle of that. Relative to other work in the
same rounds far less: see "Across runs" there. `benchmarks/gate.py spread` estimates it for another machine.
"""
BETWEEN_FREEDOM = 4
"""degrees of freedom of these estimates"""
MOST_FREEDOM = 1000
"""degrees of freedom beyond which t is the normal distribution"""


@dataclass(frozen=True)
class Estimate:
    """A log ratio, second over first, with what it takes to put bounds on it."""

    method: Method
    mean: float
    first: Moments
    second: Moments
    """of the two samples; of a paired one, twice that of the log ratios"""
    last: int = 0
    """of a paired one, the last round that both have"""

    @property
    def rounds(self) -> int:
        """Of the smaller sample."""
        return min(self.first.count, self.second.count)

    @property
    def bounded(self) -> bool:
        """Whether there is any interval at all."""
        return self.rounds >= FEWEST_ROUNDS

    def reach(self, error: float, *, more_rounds: int = 0) -> float:
        """How far a one-sided bound of that error lies from the mean; infinite below two rounds.

        With `more_rounds`, the second sample (of a paired one, the only one) is taken to have so many more, and the
        same deviation.
        """
        if not self.bounded:
            return math.inf
        n2 = self.second.count + more_rounds
        if self.method is Method.PAIRED:
            return t_quantile(1 - error, min(MOST_FREEDOM, n2 - 1)) * self.second.sd / math.sqrt(n2)
        parts = [(self.first.sd**2 / self.first.count, self.first.count), (self.second.sd**2 / n2, n2)]
        between = 2 * BETWEEN_RUNS[self.method] ** 2
        variance = sum(part for part, _ in parts) + between
        spread = sum(part**2 / (count - 1) for part, count in parts) + between**2 / BETWEEN_FREEDOM
        freedom = min(MOST_FREEDOM, int(variance**2 / spread))
        return t_quantile(1 - error, freedom) * math.sqrt(variance)


def estimate(before: Scorecard, after: Scorecard, old: Score, new: Score) -> Estimate | None:
    """How `new` of one run compares with `old` of the other; None if either has no speed.

    Both relative to the canary of their own rounds, where both runs have it and ran on like hardware: on unlike
    machines the canary would take out the very difference that is asked for.
    """
    mine, theirs = moments(old), moments(new)
    if mine is None or theirs is None:
        return None
    method = Method.NONE
    if same_hardware(before, after):
        relative = [_to_canary(card, score) for card, score in ((before, old), (after, new))]
        if all(len(values) >= FEWEST_ROUNDS for values in relative):
            method, mine, theirs = Method.CANARY, of_values(relative[0]), of_values(relative[1])
    return Estimate(method=method, mean=theirs.mean - mine.mean, first=mine, second=theirs)


def paired(old: Score, new: Score) -> Estimate | None:
    """How `new` compares with `old`, raced in the same rounds of one run; None without a common round."""
    common = sorted(old.rounds.keys() & new.rounds.keys())
    if not common:
        return None
    ratios = of_values([new.rounds[number] - old.rounds[number] for number in common])
    return Estimate(method=Method.PAIRED, mean=ratios.mean, first=ratios, second=ratios, last=common[-1])


def compared(
    old: Score, new: Score, found: Estimate, error: float = 1 - CONFIDENCE, *, indifference: float = INDIFFERENCE
) -> Compared:
    """The estimate with its two-sided interval of that error, and what it says at that indifference."""
    reach = found.reach(error / 2)
    low, high = found.mean - reach, found.mean + reach
    effect = math.log1p(indifference)
    change = Change.UNDECIDED
    if low > effect:
        change = Change.FASTER
    elif high < -effect:
        change = Change.SLOWER
    elif -effect <= low and high <= effect:
        change = Change.EQUIVALENT
    return Compared(
        before=old.case,
        after=new.case,
        method=found.method,
        change=change,
        ratio=math.exp(found.mean),
        interval=(math.exp(low), math.exp(high)) if reach < MOST_REACH else None,
        fps_before=_fps(old),
        fps_after=_fps(new),
    )


MOST_REACH = 20.0
"""beyond this a ratio's bounds mean nothing, and floats soon cannot hold them"""


def rounds_to_tell(found: Estimate, distance: float, error: float) -> int | None:
    """How many more rounds of the second bring its bound within `distance` of the mean; None if none would."""
    if not found.bounded:
        return FEWEST_ROUNDS - found.rounds
    more = 1
    while more <= MOST_ROUNDS:
        if found.reach(error, more_rounds=more) < distance:
            return more
        more = math.ceil(more * 1.2)
    return None


def _to_canary(card: Scorecard, score: Score) -> list[float]:
    case = score.case
    for canary in card.canary:
        if (canary.model, canary.batch_size, canary.threads) == (case.model, case.batch_size, case.contender.threads):
            return [
                score.rounds[number] - canary.rounds[number]
                for number in sorted(score.rounds.keys() & canary.rounds.keys())
            ]
    return []


def _fps(score: Score) -> float:
    known = moments(score)
    return math.exp(known.mean) if known else math.nan
