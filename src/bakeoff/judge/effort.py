"""How many bursts a trial is worth, from the variances and the costs that the first rounds showed.

A trial costs its process (load, checks, warm-up) and then so much for each burst. Of the variance of a ratio, a part
differs between processes and is only sampled by starting more of them; the rest differs between bursts. For a fixed
time the interval is narrowest with sqrt(process cost / burst cost x burst variance / process variance) bursts to a
process (Kalibera & Jones, "Rigorous Benchmarking in Reasonable Time", 2013, section 6.2).

All engines of a table get the same number, since they take turns; it comes from variances and costs, never from speed
or rank, and from fixed rounds, so that no look at a verdict can change it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from bakeoff.records import Measurement, Plan, Record, Status, Trial

ROUNDS = 3
"""the first so many tell"""
FEWEST, MOST = 1, 6
"""bursts: variances from three rounds are rough, and a heat must not grow beyond what its worst guess can cost"""

Matrix = NDArray[np.float64]


class Components(Record, frozen=True):
    """Of one table: variances of log throughput, what rounds and turns share taken out, and costs in seconds."""

    process: float
    burst: float
    process_s: float
    burst_s: float


def bursts(plan: Plan, trials: Iterable[Trial], round_: int, model: str) -> dict[int, int]:
    """How many bursts each case of `model` gets in round `round_`, by batch size: the plan's number, until known."""
    chosen = dict.fromkeys(plan.sizes(model), plan.bursts)
    if round_ > ROUNDS:
        of_model = [trial for trial in trials if trial.case.model == model and trial.case.engine in plan.engines]
        for size in plan.sizes(model):
            found = components(trial for trial in of_model if trial.case.batch_size == size)
            if found:
                chosen[size] = best_bursts(found)
    return chosen


def best_bursts(found: Components) -> int:
    """The number of bursts that makes the most of the time, within bounds."""
    if found.process <= 0:
        return MOST if found.burst > 0 else FEWEST
    best = math.sqrt(found.process_s / found.burst_s * found.burst / found.process)
    return max(FEWEST, min(MOST, round(best)))


def components(trials: Iterable[Trial]) -> Components | None:
    """The components of one table, from its trials of the first rounds; None where these cannot tell.

    They can with two bursts in every trial, of engines that have all of the three rounds.
    """
    by_engine: dict[str, dict[int, Measurement]] = defaultdict(dict)
    for trial in trials:
        measured = trial.measurement
        if 0 < trial.round <= ROUNDS and trial.status is Status.OK and not trial.profile and measured:
            by_engine[trial.case.engine][trial.round] = measured
    complete = [rounds for rounds in by_engine.values() if len(rounds) == ROUNDS]
    measured_ = [rounds[r] for rounds in complete for r in sorted(rounds)]
    counts = {len(measurement.latencies) for measurement in measured_}
    if len(counts) != 1 or min(counts) < 2:  # noqa: PLR2004 - a variance
        return None
    logs = _log_means(complete)
    of_bursts = fmean(_interaction(logs[:, r]) for r in range(ROUNDS))
    return Components(
        process=_interaction(logs.mean(axis=2)) - of_bursts / logs.shape[2],
        burst=of_bursts,
        process_s=median(m.load_s + m.prepare_s + sum(m.warm_up) for m in measured_),
        burst_s=median(fmean(m.burst_s) + _untimed(m) for m in measured_),
    )


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
