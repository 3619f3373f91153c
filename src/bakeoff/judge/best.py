"""Multiple comparisons with the best, from a table of log throughputs.

The leader is chosen from the same data that is to prove its lead, so an ordinary interval for its lead is too
optimistic. Edwards & Hsu ("Multiple Comparisons With the Best Treatment", Journal of the American Statistical
Association 78, 1983) start from the engine that is *truly* best, unknown but not random. Suppose its intervals
against the k - 1 others all hold. Then

- it is never beaten within its own intervals, so it is among the *candidates*: those that are certainly slower than
  nobody;
- how far any engine lies behind the best lies in the union of its intervals against the candidates.

Only those k - 1 comparisons have to hold at once, whoever leads in the sample. Here each is an interval by
Student's t on log ratios paired by round, with Bonferroni's share of the error. That assumes neither equal
variances, nor anything about how engines of a round depend on each other, nor equal numbers of rounds. The price
against Dunnett's pooled variance is width below ten rounds or so.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bakeoff.judge.looks import FLOOR, Critical, at_once, look_rounds, looks_done, sequential

Matrix = NDArray[np.float64]

FEWEST_ROUNDS = 2
"""in common, before two engines can be compared at all"""
PROBABLE_ERROR = 0.6745
"""in standard errors: half of all means lie this close to the truth"""
MOST_ROUNDS = 10_000
"""beyond which nobody is told to wait for a decision"""


@dataclass(frozen=True)
class Comparison:
    """Every pair of engines of one table. Matrices are k x k; row against column, in log throughput."""

    engines: tuple[str, ...]
    rounds: NDArray[np.int64]
    """rounds both have, but for those left out"""
    left_out: NDArray[np.int64]
    """rounds both have in which either was disturbed, where enough others are"""
    mean: Matrix
    """mean log ratio of row over column; NaN without common rounds"""
    sd: Matrix
    """standard deviation of the log ratio between rounds; NaN below two common rounds"""
    half_width: Matrix
    """of the simultaneous interval around `mean`; infinite below two common rounds"""
    critical: Critical

    @cached_property
    def leader(self) -> int:
        """The engine whose worst mean ratio to the others is largest, among those comparable with the most others.

        Where no two are comparable yet, a single common round has to do: it names who is ahead, and decides nothing.
        """
        comparable = self._comparable
        told = comparable if comparable.any() else (self.rounds > 0) & ~np.eye(len(self.engines), dtype=bool)
        worst = np.where(told, self.mean, np.inf).min(axis=1, initial=np.inf)
        return max(range(len(self.engines)), key=lambda i: (int(comparable[i].sum()), float(worst[i])))

    @cached_property
    def field(self) -> tuple[int, ...]:
        """The leader, and who shares enough rounds with it to be compared."""
        comparable = self._comparable[self.leader]
        return tuple(i for i in range(len(self.engines)) if i == self.leader or comparable[i])

    @cached_property
    def candidates(self) -> frozenset[int]:
        """Who may be the best: those of the field that are certainly slower than nobody."""
        field = list(self.field)
        unbeaten = (i for i in field if (self._high[i, field] >= 0).all())
        return frozenset(unbeaten) | {self.leader}

    def behind(self, engine: int) -> tuple[float, float]:
        """Bounds of log(the fastest *other* engine / this one), for an engine of the field. Negative: it is ahead."""
        lows, highs = [], []
        for best in self.candidates - {engine}:
            lows.append(max(0.0, self._low[best, engine]))
            highs.append(max(0.0, self._high[best, engine]))
        if engine in self.candidates:
            others = [i for i in self.field if i != engine]
            lows.append(min(0.0, float(self._low[others, engine].max(initial=-math.inf))))
            highs.append(min(0.0, float(self._high[others, engine].max(initial=-math.inf))))
        return float(min(lows)), float(max(highs))

    def precision(self, engine: int, other: int) -> float:
        """Half-width of the plain 95% interval of the two engines' log ratio; infinite below two common rounds."""
        rounds = int(self.rounds[engine, other])
        if rounds < FEWEST_ROUNDS:
            return math.inf
        return at_once(rounds, 1) * float(self.sd[engine, other]) / math.sqrt(rounds)

    def rounds_to_decide(self, engine: int, effect: float) -> int | None:
        """How many more rounds would tell whether the leader is beyond log ratio `effect` ahead of `engine`.

        The estimate supposes that mean and deviation stay what they are; only where the mean lies at `effect` by
        chance, the truth is taken to be a probable error away. None if that is nobody's patience.
        """
        rounds = int(self.rounds[self.leader, engine])
        if rounds < FEWEST_ROUNDS:
            return None
        sd = float(self.sd[self.leader, engine])
        room = max(abs(float(self.mean[self.leader, engine]) - effect), PROBABLE_ERROR * sd / math.sqrt(rounds))
        left_out = int(self.left_out[self.leader, engine])
        number = looks_done(rounds + left_out)
        while (later := look_rounds(number)) <= MOST_ROUNDS:
            used = later - left_out
            if self.critical(used, self._comparisons, left_out) * sd / math.sqrt(used) < room:
                return used - rounds
            number += 1
        return None

    @property
    def _comparisons(self) -> int:
        return max(1, len(self.engines) - 1)

    @cached_property
    def _comparable(self) -> NDArray[np.bool_]:
        return (self.rounds >= FEWEST_ROUNDS) & ~np.eye(len(self.engines), dtype=bool)

    @cached_property
    def _low(self) -> Matrix:
        return np.where(self._comparable, self.mean - self.half_width, -np.inf)

    @cached_property
    def _high(self) -> Matrix:
        return np.where(self._comparable, self.mean + self.half_width, np.inf)


def compare(
    table: Mapping[str, Mapping[int, float]],
    critical: Critical = sequential,
    spoilt: Mapping[str, Collection[int]] | None = None,
) -> Comparison:
    """Compare engines by their log throughputs: engine -> round -> log(images/s).

    Engines may have different rounds; a pair uses those that both have. `spoilt` are the rounds in which others
    disturbed an engine: a pair leaves them out where at least five others remain (`bakeoff.judge.disturbance`).
    Raises `ValueError` without engines.
    """
    if not table:
        raise ValueError("no engines to compare")
    numbers = sorted({number for rounds in table.values() for number in rounds})
    shape = len(table), len(numbers)
    logs = np.array([[rounds.get(number, np.nan) for number in numbers] for rounds in table.values()])
    disturbed = np.array([[number in (spoilt or {}).get(engine, ()) for number in numbers] for engine in table])
    return compare_array(tuple(table), logs.reshape(shape), critical, disturbed.reshape(shape).astype(bool))


def compare_array(
    engines: Sequence[str],
    logs: Matrix,
    critical: Critical = sequential,
    disturbed: NDArray[np.bool_] | None = None,
) -> Comparison:
    """Like `compare`; `logs` has shape (engines, rounds), NaN where an engine has no trial in a round.

    `disturbed` has the same shape.
    """
    ratios = logs[:, None, :] - logs[None, :, :]
    there = raced = np.isfinite(ratios)
    if disturbed is not None:
        undisturbed = raced & ~(disturbed[:, None, :] | disturbed[None, :, :])
        there = np.where(undisturbed.sum(axis=2, keepdims=True) >= FLOOR, undisturbed, raced)
    rounds = there.sum(axis=2)
    left_out = raced.sum(axis=2) - rounds
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, ratios, 0.0).sum(axis=2) / rounds
        squares = np.where(there, (ratios - mean[:, :, None]) ** 2, 0.0).sum(axis=2)
        sd = np.sqrt(squares / np.where(rounds > 1, rounds - 1, np.nan))
        half_width = _multiples(rounds, left_out, max(1, len(engines) - 1), critical) * sd / np.sqrt(rounds)
    return Comparison(
        engines=tuple(engines),
        rounds=rounds,
        left_out=left_out,
        mean=mean,
        sd=sd,
        half_width=np.where(np.isnan(half_width), np.inf, half_width),
        critical=critical,
    )


def _multiples(rounds: NDArray[np.int64], left_out: NDArray[np.int64], comparisons: int, critical: Critical) -> Matrix:
    multiples = np.full(rounds.shape, np.inf)
    for used, out in set(zip(rounds.ravel().tolist(), left_out.ravel().tolist(), strict=True)):
        if used >= FEWEST_ROUNDS:
            multiples[(rounds == used) & (left_out == out)] = critical(used, comparisons, out)
    return multiples
