"""How many bursts a trial is worth, from the variances and the costs that the first rounds showed.

A trial costs its process (load, checks, warm-up) and then so much for each burst. Of the variance of a ratio, a part
differs between processes and is only sampled by starting more of them; the rest differs between bursts. More bursts
make a round more precise, and leave time for fewer rounds. In a long race that is best settled by sqrt(process cost /
burst cost x burst variance / process variance) bursts to a process (Kalibera & Jones, "Rigorous Benchmarking in
Reasonable Time", 2013, section 6.2). A short one has a second reason for more rounds: Student's quantile falls steeply
over the first few. So the number is the one whose interval would be narrowest at the end of the budget.

All engines of a table get the same number, since they take turns; it comes from variances and costs, never from speed
or rank, and from fixed rounds, so that no look at a verdict can change it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bakeoff.judge.table.best import FEWEST_ROUNDS, half_width
from bakeoff.judge.table.looks import sequential
from bakeoff.records import Measurement, Plan, Record, Status, Trial

ROUNDS = 3
"""the first so many tell"""
FEWEST, MOST = 1, 6
"""bursts: variances from three rounds are rough, and a heat must not grow beyond what its worst guess can cost"""

Matrix = NDArray[np.float64]


class Components(Record, frozen=True):
    """Of one table: variances of log throughput, what rounds and turns share taken out."""

    process: float
    burst: float


class Pace(Record, frozen=True):
    """What a round of the whole race costs, and the time there is for all of them, in seconds."""

    process_s: float
    burst_s: float
    """for one burst of every case"""
    budget_s: float

    def rounds(self, bursts_: int) -> float:
        """How many rounds the budget holds with so many bursts to a trial."""
        return self.budget_s / (self.process_s + bursts_ * self.burst_s)


def bursts(plan: Plan, trials: Iterable[Trial], round_: int, model: str) -> dict[int, int]:
    """How many bursts each case of `model` gets in round `round_`, by batch size: the plan's number, until known."""
    chosen = dict.fromkeys(plan.sizes(model), plan.bursts)
    if round_ > ROUNDS:
        first = [trial for trial in trials if 0 < trial.round <= ROUNDS and trial.case.contender in plan.contenders]
        costs = pace(first, plan.budget_s)
        for size in plan.sizes(model):
            found = components(t for t in first if (t.case.model, t.case.batch_size) == (model, size))
            if found:
                chosen[size] = best_bursts(found, costs, len(plan.contenders) - 1, len(plan.sizes(model)))
    return chosen


def best_bursts(found: Components, pace_: Pace, comparisons: int, sizes: int) -> int:
    """The number of bursts, within bounds, whose intervals are narrowest by the end of the budget.

    A verdict has so many `comparisons`, and the variances of so many batch `sizes` to rest on.
    """

    def reach(number: int) -> float:
        whole = max(FEWEST_ROUNDS, round(pace_.rounds(number)))
        sd = math.sqrt(max(0.0, found.process) + found.burst / number)
        pooled_df = sizes * (whole - 1) if sizes > 1 else 0
        return half_width(sequential, max(1, comparisons), whole, whole, sd, sd, pooled_df)

    return min(range(FEWEST, MOST + 1), key=reach)


def pace(trials: Iterable[Trial], budget_s: float) -> Pace:
    """What a round costs by the trials of the first ones, and the budget."""
    measured = [trial.measurement for trial in trials if trial.measurement and not trial.profile]
    return Pace(
        process_s=sum(m.import_s * m.cold + m.load_s + m.prepare_s + sum(m.warm_up) for m in measured) / ROUNDS,
        burst_s=sum(fmean(m.burst_s) + _untimed(m) for m in measured) / ROUNDS,
        budget_s=budget_s,
    )


def components(trials: Iterable[Trial]) -> Components | None:
    """The components of one table, from its trials of the first rounds; None where these cannot tell.

    They can with two bursts in every trial, of engines that have all of the three rounds.
    """
    by_engine: dict[str, dict[int, Measurement]] = defaultdict(dict)
    for trial in trials:
        measured = trial.measurement
        if trial.status is Status.OK and not trial.profile and measured:
            by_engine[trial.case.contender.name][trial.round] = measured
    complete = [rounds for rounds in by_engine.values() if len(rounds) == ROUNDS]
    measured_ = [rounds[r] for rounds in complete for r in sorted(rounds)]
    counts = {len(measurement.latencies) for measurement in measured_}
    if len(counts) != 1 or min(counts) < 2:  # noqa: PLR2004 - a variance
        return None
    logs = _log_means(complete)
    of_bursts = fmean(_interaction(logs[:, r]) for r in range(ROUNDS))
    return Components(process=_interaction(logs.mean(axis=2)) - of_bursts / logs.shape[2], burst=of_bursts)


def _log_means(complete: Iterable[Mapping[int, Measurement]]) -> NDArray[np.float64]:
    """Log of the mean latency: (engines, rounds, bursts)."""
    return np.array(
        [[[math.log(fmean(burst)) for burst in rounds[r].latencies] for r in sorted(rounds)] for rounds in complete]
    )


def _interaction(values: Matrix) -> float:
    """Variance of what rows (engines) and columns (rounds, turns) do not explain; of an only row, all of it."""
    rows, columns = values.shape
    residuals = values - values.mean(axis=1, keepdims=True)
    if rows > 1:
        residuals = residuals - residuals.mean(axis=0, keepdims=True)
    return float((residuals**2).sum() / (max(1, rows - 1) * (columns - 1)))


def _untimed(measurement: Measurement) -> float:
    """The call before each burst that refills the caches costs about as much as any other."""
    return fmean(latency for burst in measurement.latencies for latency in burst)
