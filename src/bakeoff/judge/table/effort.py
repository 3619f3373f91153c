"""How many turns a trial is worth, while it takes them.

A trial costs its process (starting, loading, checks, warming up) and then so much for each turn. Of the variance of a
ratio, a part differs between processes and is only sampled by starting more of them; the rest differs between turns,
since a turn is short and the machine's neighbours hit whoever has it. In a long race sqrt(process cost / turn cost x
turn variance / process variance) turns to a process make the narrowest intervals (Kalibera & Jones, "Rigorous
Benchmarking in Reasonable Time", 2013, section 6.2). The variance of turns is estimated as they come.

Whoever lies far behind the best needs fewer: its turns end once their noise leaves no doubt that two rounds decide.
How far it lies behind is judged by the rounds before, in the first one by the calls that warmed it up, and never by
what this trial measured: so the number of its turns does not depend on how they came out.
"""

import bisect
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bakeoff.judge.table.best import MOST_ROUNDS, half_width
from bakeoff.judge.table.looks import sequential
from bakeoff.records import Case, Measurement, Record, Trial

FEWEST, MOST = 2, 64
"""turns of a trial, where two rounds may tell little else"""
PROCESS_SD = 0.01
"""between two processes of an engine, until rounds have told; what was found is 0.9 to 1.7%"""
PROCESS_DF = 8
"""degrees of freedom that this is worth"""
LEAST_PROCESS_SD = 0.004
DECIDES = 4.5
"""standard errors of a trial's log ratio that a gap must exceed for two rounds to decide it in 95% of races: Student's
quantile of the first look for eight engines, and that of the power, over the root of two"""

LONG_TURN_S = 0.2
"""Refilling the caches and waking threads took the first call of a turn 0.3 to 1.2 ms (`benchmarks/first_calls.py`,
four engines at 37 to 74 ms a call; in longer calls noise hid it): 0.6% of a turn this long, less in a ratio"""

Matrix = NDArray[np.float64]
Turns = dict[str, list[float]]
"""by contender, the mean latency of each turn in one round of one table, in seconds"""


class Costs(Record, frozen=True):
    """Of one contender at one batch size, in seconds."""

    process_s: float
    turn_s: float


def untimed_calls(latency_s: float) -> int:
    """How many calls come before the clock runs in each turn: one, unless two timed ones take `LONG_TURN_S`."""
    return int(2 * latency_s < LONG_TURN_S)


def turn_variance(rounds: Iterable[Turns]) -> float:
    """Variance of a turn's log latency that neither engines nor turns explain; NaN where no two turns can tell.

    Turns are taken in cycles; the first ones that all contenders have count.
    """
    total, df = 0.0, 0
    for turns in rounds:
        common = min((len(each) for each in turns.values() if len(each) > 1), default=0)
        rows = [each[:common] for each in turns.values() if len(each) >= common]
        if common > 1:
            freedom = max(1, len(rows) - 1) * (common - 1)
            total, df = total + freedom * interaction(np.log(rows)), df + freedom
    return total / df if df else math.nan


def turns_of(trials: Iterable[Trial], names: Collection[str]) -> list[Turns]:
    """The mean latencies of the turns of one table's `trials`, round by round."""
    rounds: dict[int, Turns] = {}
    for trial in trials:
        if trial.measurement and not trial.profile and trial.case.contender.name in names:
            turns = [fmean(turn) for turn in trial.measurement.latencies]
            rounds.setdefault(trial.round, {})[trial.case.contender.name] = turns
    return [*rounds.values()]


def behind_best(
    warm: Mapping[str, float], before: Sequence[Turns], of_turns: float, of_processes: float
) -> dict[str, float]:
    """By how much each of `warm` is slower than the best at least, in log latency: an estimate less its standard error.

    It is taken from the rounds `before` that an engine was in, else from the latency that its warm-up showed.
    """
    best = math.log(min(warm.values()))
    found = {}
    for name, latency in warm.items():
        distances, turns = [math.log(latency) - best], [1]
        if rounds := [each for each in before if name in each]:
            turns = [len(each[name]) for each in rounds]
            distances = [
                math.log(fmean(each[name])) - min(math.log(fmean(other)) for other in each.values()) for each in rounds
            ]
        error = math.sqrt(2 * (of_processes + of_turns / fmean(turns)) / len(distances))
        found[name] = fmean(distances) - error
    return found


def turns_worth(costs: Costs, of_turns: float, of_processes: float) -> float:
    """The number of turns after which another process is worth more than another turn, given both variances.

    Infinite where processes do not differ, as where there will be no other.
    """
    return math.inf if not of_processes else math.sqrt(costs.process_s / costs.turn_s * of_turns / of_processes)


def is_told(behind: float, turns: int, of_turns: float, of_processes: float) -> bool:
    """Whether so many turns a round are enough for an engine that lies `behind` the best, in log throughput."""
    return behind > DECIDES * math.sqrt(2 * (of_processes + of_turns / turns))


def process_variance(trials: Iterable[Trial], names: Collection[str]) -> float:
    """Variance of log throughput between processes of one engine, rounds taken out, as one model's `trials` tell."""
    tables: dict[int, dict[str, dict[int, Measurement]]] = {}
    for trial in trials:
        if trial.measurement and not trial.profile and trial.round and trial.case.contender.name in names:
            table = tables.setdefault(trial.case.batch_size, {})
            table.setdefault(trial.case.contender.name, {})[trial.round] = trial.measurement
    total, df = PROCESS_DF * PROCESS_SD**2, float(PROCESS_DF)
    for table in tables.values():
        found, freedom = _excess(table)
        total, df = total + freedom * found, df + freedom
    return max(total / df, LEAST_PROCESS_SD**2)


def expected_variance(trials: Collection[Trial]) -> dict[Case, float]:
    """Of each case of one model's `trials`, the variance of its log throughput in a round that its turns and its
    process make; nothing where no turns can tell.
    """
    tables: dict[int, list[Trial]] = {}
    for trial in trials:
        tables.setdefault(trial.case.batch_size, []).append(trial)
    names = {trial.case.contender.name for trial in trials}
    rounds = {size: turns_of(table, names) for size, table in tables.items()}
    of_turns = turn_variance(turns for each in rounds.values() for turns in each)
    if math.isnan(of_turns):
        return {}
    of_processes = process_variance(trials, names)
    found: dict[Case, float] = {}
    for case in {trial.case for trial in trials}:
        turns = [len(each[case.contender.name]) for each in rounds[case.batch_size] if case.contender.name in each]
        if turns:
            found[case] = of_processes + of_turns * fmean(1 / count for count in turns)
    return found


def _excess(table: Mapping[str, Mapping[int, Measurement]]) -> tuple[float, int]:
    """What trials vary by beyond their turns, and the degrees of freedom of that, among those with the most rounds."""
    most = max(map(len, table.values()))
    whole = [rounds for rounds in table.values() if len(rounds) == most]
    rounds = sorted(set.intersection(*(set(each) for each in whole)))
    if len(whole) < 2 or len(rounds) < 2:  # noqa: PLR2004 - rows and columns of residuals
        return 0.0, 0
    logs = [[[math.log(fmean(burst)) for burst in each[r].latencies] for r in rounds] for each in whole]
    means = np.array([[fmean(turns) for turns in each] for each in logs])
    of_turns = [float(np.var(turns, ddof=1)) / len(turns) for each in logs for turns in each if len(turns) > 1]
    return interaction(means) - (fmean(of_turns) if of_turns else 0.0), (len(whole) - 1) * (len(rounds) - 1)


def outlook(sd: float, comparisons: int, round_s: float, left_s: float, effect: float) -> tuple[float, float]:
    """The relative difference that can be told by the end, and the seconds more until one of `effect` can.

    `sd` is that of a round's log ratio, `round_s` what a round takes. The estimate supposes that all stays as it is.
    """

    def reach(rounds: int) -> float:
        df = rounds - 1 + PROCESS_DF
        return half_width(sequential, max(1, comparisons), rounds, rounds, sd, sd, df)

    by_the_end = max(2, 1 + round(left_s / round_s))
    number = 2 + bisect.bisect_left(range(2, MOST_ROUNDS), -math.log1p(effect), key=lambda rounds: -reach(rounds))
    return math.expm1(math.log1p(effect) + reach(by_the_end)), (number - 1) * round_s


def least_s(trials: Iterable[Trial], wanted: Collection[Case]) -> float:
    """What a round of the cases `wanted` takes with the fewest turns, by the latest trial of each that was raced."""
    latest = {trial.case: trial.measurement for trial in trials if trial.measurement and not trial.profile}
    known = {case: latest[case] for case in wanted if case in latest}
    imports = {(case.contender.name, case.model): m.import_s for case, m in known.items()}
    return sum(imports.values()) + sum(_ready_s(m) + FEWEST * _turn_s(m) for m in known.values())


def accounted_s(measured: Iterable[Measurement]) -> float:
    """What trials tell that they took."""
    return sum(m.import_s * m.cold + _ready_s(m) + len(m.latencies) * _turn_s(m) for m in measured)


def _ready_s(m: Measurement) -> float:
    return m.load_s + m.prepare_s + sum(m.warm_up)


def _turn_s(m: Measurement) -> float:
    """An untimed call costs about as much as any other."""
    latency = fmean(fmean(turn) for turn in m.latencies)
    return fmean(m.burst_s) + untimed_calls(latency) * latency


def interaction(values: Matrix) -> float:
    """Variance of what rows (engines) and columns (rounds, turns) do not explain; of an only row, all of it."""
    rows, columns = values.shape
    residuals = values - values.mean(axis=1, keepdims=True)
    if rows > 1:
        residuals = residuals - residuals.mean(axis=0, keepdims=True)
    return float((residuals**2).sum() / (max(1, rows - 1) * (columns - 1)))
