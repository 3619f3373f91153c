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
variances of engines, nor anything about how engines of a round depend on each other, nor equal numbers of rounds.

What a few rounds lack is degrees of freedom: with two rounds an interval by a pair's own variance reaches a hundred
standard errors to each side, and a gap of five times stays undecided. So a pair's variance is *moderated* (Smyth,
"Linear Models and Empirical Bayes Methods for Assessing Differential Expression", Statistical Applications in Genetics
and Molecular Biology 3, 2004): its own is averaged, by degrees of freedom, with that of the same two engines at the
other batch sizes and with that of all pairs of the model, each relative to what one expects of so many turns
(`bakeoff.judge.table.effort.expected_variance`). What others tell counts for no more than `LIKENESS` degrees
of freedom each, however many rounds there are, since noise is not of one size: as unlike as variances that are known
from so many degrees of freedom, which is what real races show of engines and of batch sizes. Deviations at two batch
sizes are supposed to be independent. docs/method.md has what `benchmarks/batch_sizes.py` found of both in real races,
and `tests/simulation/test_batch_sizes.py` what comes of it.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bakeoff.judge.case import disturbance
from bakeoff.judge.table.looks import Critical, at_once, look_rounds, looks_done, sequential

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Arrays = tuple[Matrix, NDArray[np.bool_] | None, Vector | None]

FEWEST_ROUNDS = 2
"""in common, before two engines can be compared at all"""
LIKENESS = 16.0
"""Degrees of freedom that the variances of other batch sizes, or of other pairs, are worth at most: the most with which
intervals still hold in 95% of races where noise is as unlike as in the worst of four real ones, as
`benchmarks/batch_sizes.py` found it and `tests/simulation/test_batch_sizes.py` draws it"""
OWN = 0.1
"""of the error, for an interval by a pair's own variance alone: so that one which is much quieter than all others,
after some rounds, is not lost among them"""
PROBABLE_ERROR = 0.6745
"""in standard errors: half of all means lie this close to the truth"""
MOST_ROUNDS = 10_000
"""beyond which nobody is told to wait for a decision"""


@dataclass(frozen=True)
class Comparison:
    """Every pair of engines of one table. Matrices are k x k; row against column, in log throughput."""

    contenders: tuple[str, ...]
    """their names"""
    rounds: NDArray[np.int64]
    """rounds both have, but for those left out"""
    last: NDArray[np.int64]
    """the last round that both have, left out or not; 0 without any"""
    mean: Matrix
    """mean log ratio of row over column; NaN without common rounds"""
    sd: Matrix
    """standard deviation of the log ratio between rounds; NaN below two common rounds"""
    moderated_sd: Matrix
    """the same, averaged with what other batch sizes and other pairs tell"""
    df: NDArray[np.int64]
    """degrees of freedom of `moderated_sd`"""
    half_width: Matrix
    """of the simultaneous interval around `mean`; infinite below two common rounds"""
    critical: Critical

    @cached_property
    def leader(self) -> int:
        """The engine whose worst mean ratio to the others is largest, among those comparable with the most others.

        Where no two are comparable yet, a single common round has to do: it names who is ahead, and decides nothing.
        """
        comparable = self._comparable
        told = comparable if comparable.any() else (self.rounds > 0) & ~np.eye(len(self.contenders), dtype=bool)
        worst = np.where(told, self.mean, np.inf).min(axis=1, initial=np.inf)
        return max(range(len(self.contenders)), key=lambda i: (int(comparable[i].sum()), float(worst[i])))

    @cached_property
    def field(self) -> tuple[int, ...]:
        """The leader, and who shares enough rounds with it to be compared."""
        comparable = self._comparable[self.leader]
        return tuple(i for i in range(len(self.contenders)) if i == self.leader or comparable[i])

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
        df = int(self.df[engine, other])
        return at_once(rounds, 1, df=df) * float(self.moderated_sd[engine, other]) / math.sqrt(rounds)

    def rounds_to_decide(self, engine: int, effect: float) -> int | None:
        """How many more rounds would tell whether the leader is beyond log ratio `effect` ahead of `engine`.

        The estimate supposes that mean and deviation stay what they are; only where the mean lies at `effect` by
        chance, the truth is taken to be a probable error away. None if that is nobody's patience.
        """
        pair = self.leader, engine
        rounds, last = int(self.rounds[pair]), int(self.last[pair])
        if rounds < FEWEST_ROUNDS:
            return None
        own_sd, sd, df = float(self.sd[pair]), float(self.moderated_sd[pair]), int(self.df[pair])
        room = max(abs(float(self.mean[pair]) - effect), PROBABLE_ERROR * sd / math.sqrt(rounds))
        number = looks_done(last)
        while (later := look_rounds(number)) <= MOST_ROUNDS:
            used = rounds + later - last
            if half_width(self.critical, self._comparisons, used, later, own_sd, sd, df + used - rounds) < room:
                return later - last
            number += 1
        return None

    @property
    def _comparisons(self) -> int:
        return max(1, len(self.contenders) - 1)

    @cached_property
    def _comparable(self) -> NDArray[np.bool_]:
        return (self.rounds >= FEWEST_ROUNDS) & ~np.eye(len(self.contenders), dtype=bool)

    @cached_property
    def _low(self) -> Matrix:
        return np.where(self._comparable, self.mean - self.half_width, -np.inf)

    @cached_property
    def _high(self) -> Matrix:
        return np.where(self._comparable, self.mean + self.half_width, np.inf)


Table = Mapping[str, Mapping[int, float]]
"""engine -> round -> log(images/s)"""
Spoilt = Mapping[str, Collection[int]]
"""engine -> the rounds in which others disturbed it"""
Noise = Mapping[str, float]
"""engine -> the variance to expect of its value in a round, up to a factor that all tables of a model share"""


def compare(
    table: Table,
    critical: Critical = sequential,
    spoilt: Spoilt | None = None,
    noise: Noise | None = None,
    siblings: Iterable[tuple[Table, Spoilt, Noise]] = (),
) -> Comparison:
    """Compare engines by their log throughputs.

    Engines may have different rounds; a pair uses those that both have, but for `spoilt` ones where at least five
    others remain (`bakeoff.judge.case.disturbance`). `siblings` are the tables of the other batch sizes. An engine that
    `noise` does not name is as noisy as any.
    Raises `ValueError` without engines.
    """
    if not table:
        raise ValueError("no engines to compare")
    engines = tuple(table)
    return compare_array(
        engines,
        *_arrays(engines, table, spoilt or {}, noise or {}),
        critical=critical,
        siblings=[_arrays(engines, *sibling) for sibling in siblings],
    )


def _arrays(engines: Sequence[str], table: Table, spoilt: Spoilt, noise: Noise) -> Arrays:
    """Log throughputs of `engines` and whether each was disturbed, both of shape (engines, rounds), from round 1 on;
    the variance expected of each, of shape (engines,).
    """
    numbers = range(1, 1 + max((number for rounds in table.values() for number in rounds), default=0))
    shape = len(engines), len(numbers)
    logs = [[table.get(engine, {}).get(number, np.nan) for number in numbers] for engine in engines]
    disturbed = [[number in spoilt.get(engine, ()) for number in numbers] for engine in engines]
    expected = np.array([noise.get(engine, 1.0) for engine in engines])
    return np.array(logs, dtype=float).reshape(shape), np.array(disturbed, dtype=bool).reshape(shape), expected


def compare_array(
    engines: Sequence[str],
    logs: Matrix,
    disturbed: NDArray[np.bool_] | None = None,
    noise: Vector | None = None,
    *,
    critical: Critical = sequential,
    siblings: Iterable[Arrays] = (),
) -> Comparison:
    """Like `compare`; `logs` has shape (engines, rounds), from round 1 on, NaN where an engine has no trial in a round.

    `disturbed` has the same shape, `noise` is (engines,), and so are those of the `siblings`, but for their number of
    rounds.
    """
    own = _paired(logs, disturbed, noise)
    others = [_paired(*sibling) for sibling in siblings]
    variance, df = _moderated(own, others)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd, moderated_sd = np.sqrt(own.noise * own.squares / own.df), np.sqrt(own.noise * variance)
    pairs = zip(*(matrix.ravel().tolist() for matrix in (own.rounds, own.last, sd, moderated_sd, df)), strict=True)
    reach = [half_width(critical, max(1, len(engines) - 1), *pair) for pair in pairs]
    return Comparison(
        contenders=tuple(engines),
        rounds=own.rounds,
        last=own.last,
        mean=own.mean,
        sd=sd,
        moderated_sd=moderated_sd,
        df=df,
        half_width=np.array(reach).reshape(sd.shape),
        critical=critical,
    )


def half_width(
    critical: Critical, comparisons: int, rounds: int, last: int, own_sd: float, sd: float, df: int
) -> float:
    """Of the interval of a pair's mean log ratio, the narrower of two; infinite below two rounds.

    `sd` is moderated and known from `df` degrees of freedom. The pair's `own_sd` gets `OWN` of the error.
    """
    if rounds < FEWEST_ROUNDS:
        return math.inf
    if df == rounds - 1:
        return critical(rounds, comparisons, last, df) * own_sd / math.sqrt(rounds)
    by_own = critical(rounds, comparisons / OWN, last, rounds - 1) * own_sd
    moderated = critical(rounds, comparisons / (1 - OWN), last, df) * sd
    return min(by_own, moderated) / math.sqrt(rounds)


class _Paired(NamedTuple):
    """Of every pair of engines of one table, k x k each."""

    rounds: NDArray[np.int64]
    last: NDArray[np.int64]
    mean: Matrix
    squares: Matrix
    """of the log ratios' deviations from their mean, added up, and divided by `noise`"""
    noise: Matrix
    """the variance to expect of a log ratio, up to a factor"""

    @property
    def df(self) -> NDArray[np.int64]:
        return np.maximum(self.rounds - 1, 0)


def _moderated(own: _Paired, others: Sequence[_Paired]) -> tuple[Matrix, NDArray[np.int64]]:
    """Variance of each pair's log ratio over what is expected of it, and its degrees of freedom, both k x k; `others`
    are the other batch sizes.
    """
    squares_of_others = sum((other.squares for other in others), np.zeros_like(own.squares))
    df_of_others = sum((other.df for other in others), np.zeros_like(own.df))
    squares, df = own.squares + squares_of_others, own.df + df_of_others
    # Those of as many rounds: who was dropped took fewer turns as well. Of n pairs of k engines, k - 1 are independent.
    alike = (own.rounds.ravel()[:, None] == own.rounds.ravel()[None, :]) & ~np.eye(len(df), dtype=bool).ravel()[None, :]
    squares_of_all = (alike @ squares.ravel()).reshape(df.shape) / 2 - squares
    count_of_all = (alike @ df.ravel()).reshape(df.shape) / 2 - df
    pairs = alike.sum(axis=1).reshape(df.shape) / 2
    engines = (1 + np.sqrt(1 + 8 * pairs)) / 2
    df_of_all = count_of_all * 2 / engines
    known = own.df.astype(float)
    total, weights = own.squares.copy(), known.copy()
    for of_those, freedom, count in (
        (squares_of_others, df_of_others, df_of_others),
        (squares_of_all, df_of_all, count_of_all),
    ):
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = np.where(count > 0, 1 / (1 / freedom + 1 / LIKENESS), 0.0)
            total += np.where(count > 0, weight * of_those / count, 0.0)
        weights += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known > 0, total / weights, np.nan), np.maximum(own.df, np.floor(weights).astype(np.int64))


def _paired(logs: Matrix, disturbed: NDArray[np.bool_] | None, noise: Vector | None) -> _Paired:
    noise = np.ones(len(logs)) if noise is None else noise
    expected = noise[:, None] + noise[None, :]
    ratios = logs[:, None, :] - logs[None, :, :]
    there = raced = np.isfinite(ratios)
    if disturbed is not None:
        undisturbed = raced & ~(disturbed[:, None, :] | disturbed[None, :, :])
        there = np.where(undisturbed.sum(axis=2, keepdims=True) >= disturbance.FEWEST, undisturbed, raced)
    rounds = there.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, ratios, 0.0).sum(axis=2) / rounds
        squares = np.where(there, (ratios - mean[:, :, None]) ** 2, 0.0).sum(axis=2) / expected
    last = np.where(raced, np.arange(1, 1 + logs.shape[1]), 0).max(axis=2, initial=0)
    return _Paired(rounds, last, mean, squares, expected)
