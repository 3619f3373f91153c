"""Whether a race on this machine can tell equal from unequal, and how small a difference it can tell just now.

The same engine entered under two names must not be called different; entered once more with a known delay it must be
called slower, by just that much. A judge that always says "equivalent", or never dares to say anything, fails. The
number of rounds is fixed by time and not by what they show, so that there is one look, at the end, at its plain price.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable
from itertools import combinations
from statistics import NormalDist, fmean

from bakeoff.judge.case.disturbance import disturbed_rounds, last_tries
from bakeoff.judge.figures.statistics import t_quantile
from bakeoff.judge.table.best import Comparison, compare
from bakeoff.judge.table.looks import at_once
from bakeoff.judge.table.verdict import log_throughputs, standings
from bakeoff.records import INDIFFERENCE, Outcome, Record, Trial

POWER = 0.92
"""share of the races in which the smallest resolvable difference is found: it is promised in nine of ten"""
SIZE_CONFIDENCE = 0.99
"""of the interval that must hold the delay: a self-test that cries wolf one time in twenty is soon not heeded"""
MOST_ROUNDS = 1000
"""beyond which no number is given"""
FEWEST_ROUNDS = 5
"""below which nothing is told"""


class Names(Record, frozen=True):
    """One engine's three names."""

    plain: str
    again: str
    delayed: str


class Check(Record, frozen=True):
    """One thing that must come out as it is known to be."""

    outcome: Outcome
    """of the verdict on all three; for the two equal ones, of the one that does not lead"""
    ratio: float
    """how many times as fast as this one the plain engine is"""
    interval: tuple[float, float]
    """of that ratio, with 99% confidence"""
    passed: bool


class Finding(Record, frozen=True):
    """What a self-test found."""

    rounds: int
    sd: float
    """standard deviation of the log ratio of two processes of one engine in the same round"""
    equal: Check
    delayed: Check

    @property
    def passed(self) -> bool:
        """Whether both came out as they must."""
        return self.equal.passed and self.delayed.passed


def examine(trials: Iterable[Trial], names: Names, delay: float) -> Finding | None:
    """What `trials` of the three in equal rounds tell; None where fewer than five rounds have all three."""
    engines = (names.plain, names.again, names.delayed)
    tries = last_tries(trial for trial in trials if trial.case.contender.name in engines)
    table = log_throughputs(tries)
    if set(table) != set(engines):
        return None
    spoilt = {case.contender.name: rounds for case, rounds in disturbed_rounds(tries).items()}
    pairs = compare({engine: table[engine] for engine in engines}, at_once, spoilt)
    if pairs.rounds.min() < FEWEST_ROUNDS:
        return None
    # The two equal ones are judged by themselves: against a third that leads, both could be slower and still be equal.
    _, not_leading = standings(
        compare({engine: table[engine] for engine in (names.plain, names.again)}, at_once, spoilt)
    )
    equal = not_leading.outcome
    slower = next(standing.outcome for standing in standings(pairs) if standing.contender == names.delayed)
    again, delayed = _ratio(pairs, 1), _ratio(pairs, 2)
    holds = delayed[1][0] <= 1 + delay <= delayed[1][1]
    return Finding(
        rounds=int(pairs.rounds.min()),
        sd=math.sqrt(fmean(pairs.sd[i, j] ** 2 for i, j in combinations(range(3), 2))),
        equal=Check(outcome=equal, ratio=again[0], interval=again[1], passed=equal is not Outcome.SLOWER),
        delayed=Check(outcome=slower, ratio=delayed[0], interval=delayed[1], passed=slower is Outcome.SLOWER and holds),
    )


def _ratio(pairs: Comparison, engine: int) -> tuple[float, tuple[float, float]]:
    """How many times as fast as `engine` the first engine is, with its 99% interval by paired t."""
    rounds, mean = int(pairs.rounds[0, engine]), float(pairs.mean[0, engine])
    half_width = t_quantile((1 + SIZE_CONFIDENCE) / 2, rounds - 1) * float(pairs.sd[0, engine]) / math.sqrt(rounds)
    return math.exp(mean), (math.exp(mean - half_width), math.exp(mean + half_width))


def resolvable(sd: float, rounds: int) -> float:
    """The smallest relative difference that one look at so many rounds of two engines finds in nine of ten races.

    Found means called slower: the interval, by paired t, lies beyond the indifference. How far beyond it the true
    log ratio must lie, in standard errors, is the noncentrality of a t that exceeds the critical t with the wanted
    probability, by Johnson & Welch's approximation (Abramowitz & Stegun 26.7.10). `sd` is that of the log ratio.
    Raises `ValueError` below two rounds.
    """
    df, critical = rounds - 1, at_once(rounds, 1)
    power = NormalDist().inv_cdf(POWER)
    noncentrality = critical * (1 - 1 / (4 * df)) + power * math.sqrt(1 + critical**2 / (2 * df))
    return math.expm1(math.log1p(INDIFFERENCE) + noncentrality * sd / math.sqrt(rounds))


def rounds_to_resolve(difference: float, sd: float) -> int | None:
    """The fewest rounds that resolve a relative `difference`; None where a thousand do not."""
    rounds = range(2, MOST_ROUNDS + 1)
    fewest = bisect_left(rounds, -difference, key=lambda n: -resolvable(sd, n))  # the more rounds, the less
    return max(rounds[fewest], FEWEST_ROUNDS) if fewest < len(rounds) else None
