"""Whether virtual races are like those that were recorded: what was fitted, and what was held back.

    .venv/bin/python -m benchmarks.virtual_check noisy --store noisy-avx2.sqlite
    .venv/bin/python -m benchmarks.virtual_check quiet

Prints each figure of the recorded race beside the range in which four of five virtual races have it. Of the quiet
machine's race only the report and a note were kept.
"""

import argparse
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np
from benchmarks.deciding import MODELS, a_plan, outcomes, race
from benchmarks.fit_machines import trials_of
from benchmarks.virtual_host import machines
from numpy.typing import NDArray

from bakeoff.judge.case.summary import throughput
from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.judge.table.verdict import verdicts
from bakeoff.records import CANARY, Measurement, Outcome, Trial

BUDGET_S = 900.0
FITTED = ("resnet18, bursts: residual", "resnet18, trials: residual", "rows: half-width", "resnet18, heat 1: seconds")
README = {
    "rows: half-width": 0.051,
    "ratios: half-width": 0.085,
    "decided": 39,
    "rounds of resnet18": 4,
    "rounds of resnet50": 4,
    "a round: loading": 45,
    "a round: warming up and checking": 55,
    "a round: bursts": 67,
}
"""of the race of 28 November 2026, 15:45, and of a note on it"""


def main() -> None:
    """Race, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("machine", choices=[*machines()])
    parser.add_argument("--store", type=Path)
    parser.add_argument("--races", type=int, default=50)
    options = parser.parse_args()
    machine = machines()[options.machine]
    with tempfile.TemporaryDirectory() as scratch:
        races = [
            figures(race(machine, a_plan(machine, BUDGET_S, seed), Path(scratch)).trials)
            for seed in range(1000, 1000 + options.races)
        ]
    recorded = figures(trials_of(options.store)) if options.store else README
    print(f"{'':40} {'recorded':>9}   four of five virtual races")
    for name, value in recorded.items():
        found = sorted(each[name] for each in races if name in each)
        if found:
            tenth = len(found) // 10
            span = f"{found[tenth]:.3g} to {found[-1 - tenth]:.3g}, median {median(found):.3g}"
            print(f"{name:40} {value:9.3g}   {span}{'  (fitted)' if name in FITTED else ''}")


def figures(trials: Sequence[Trial]) -> dict[str, float]:
    """What can be told of a race by its trials, by name."""
    raced = [trial for trial in trials if trial.round and not trial.profile]
    own = [(t, t.measurement) for t in raced if t.measurement and t.case.contender.name != CANARY]
    found: dict[str, float] = {}
    for model in MODELS:
        found |= residuals(model, [(t, m) for t, m in own if t.case.model == model])
        found |= {f"rounds of {model}": max((t.round for t, _ in own if t.case.model == model), default=0)}
    begins: dict[tuple[str, int], float] = {}
    for trial in sorted(raced, key=lambda trial: trial.started_at):
        begins.setdefault((trial.case.model, trial.round), trial.started_at)
    ends = [*begins.values()][1:]
    for (model, round_), begin, end in zip(begins, begins.values(), ends, strict=False):
        found[f"{model}, heat {round_}: seconds"] = end - begin
    rounds = sum(found[f"rounds of {model}"] for model in MODELS) / len(MODELS)
    found["a round: loading"] = sum(m.load_s for _, m in own) / rounds
    found["a round: warming up and checking"] = sum(sum(m.warm_up) for _, m in own) / rounds
    found["a round: bursts"] = sum(sum(m.burst_s) for _, m in own) / rounds
    said = verdicts([trial for trial in trials if trial.case.contender.name != CANARY])
    found["decided"] = sum(outcome != "undecided" for *_, outcome in outcomes(said, 0.02))
    ratios = [s.interval for v in said for s in v.standings if s.interval and s.outcome is not Outcome.LEADER]
    speeds = defaultdict(list)
    for trial, m in own:
        speeds[trial.case].append(throughput(trial.case.batch_size, m))
    rows = [interval for each in speeds.values() if (interval := geometric_mean_interval(each)[1])]
    for name, intervals in (("rows", rows), ("ratios", ratios)):
        if intervals:
            found[f"{name}: half-width"] = median(math.sqrt(high / low) - 1 for low, high in intervals)
    return found


def residuals(model: str, own: Sequence[tuple[Trial, Measurement]]) -> dict[str, float]:
    """Standard deviations of what engines and turns, or engines and rounds, do not explain: of bursts and of trials."""
    tables: dict[int, dict[int, dict[str, Measurement]]] = defaultdict(lambda: defaultdict(dict))
    for trial, measured in own:
        tables[trial.case.batch_size][trial.round][trial.case.contender.name] = measured
    of_bursts: list[float] = []
    of_trials: list[float] = []
    for rounds in tables.values():
        whole = [by_engine for by_engine in rounds.values() if len(by_engine) == max(map(len, rounds.values()))]
        logs = [
            np.array([list(map(log_mean, by_engine[engine].latencies[:2])) for engine in sorted(by_engine)])
            for by_engine in whole
            if min(len(m.latencies) for m in by_engine.values()) > 1
        ]
        of_bursts += map(interaction, logs)
        if len(logs) > 1:
            of_trials.append(interaction(np.array([each.mean(axis=1) for each in logs]).T))
    named = (("bursts", of_bursts), ("trials", of_trials))
    return {f"{model}, {what}: residual": math.sqrt(sum(found) / len(found)) for what, found in named if found}


def log_mean(burst: Sequence[float]) -> float:
    """Of the latencies of a burst."""
    return math.log(fmean(burst))


def interaction(values: NDArray[np.float64]) -> float:
    """Variance of what rows and columns do not explain."""
    left = values - values.mean(axis=1, keepdims=True)
    left = left - left.mean(axis=0, keepdims=True)
    return float((left**2).sum() / ((values.shape[0] - 1) * (values.shape[1] - 1)))


if __name__ == "__main__":
    main()
