"""Whether an engine's deviations at two batch sizes are independent and of one size, as pooling variances supposes.

    .venv/bin/python benchmarks/batch_sizes.py latest
    .venv/bin/python benchmarks/batch_sizes.py 2026-11-28-1 2026-11-28-2 --results results

For each stored run, from its first three rounds: deviations of log throughput, what rounds and engines share taken out.
Printed are their correlation between batch sizes, and how far the log variances of one engine lie apart between batch
sizes (standard deviation), beside how far chance alone puts them.
"""

import argparse
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma

from bakeoff.judge.case.disturbance import last_tries
from bakeoff.judge.table.verdict import log_throughputs
from bakeoff.records import RunRecord, Status, Trial
from bakeoff.store import Store

ROUNDS = (1, 2, 3)


def main() -> None:
    """Read the runs, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    with Store.open(options.results, create=False) as store:
        for name in options.runs:
            run = store.run(name)
            print(f"{run.name}: {told([*deviations(run, list(store.trials(run.name)))])}")


def deviations(run: RunRecord, trials: list[Trial]) -> Iterator[NDArray[np.float64]]:
    """Of each model, for the engines that have all rounds at all batch sizes: (batch sizes, engines, rounds)."""
    ok = [
        trial
        for trial in last_tries(trials)
        if trial.status is Status.OK and trial.case.contender.name in run.plan.names
    ]
    for model in run.plan.models:
        tables = [
            log_throughputs(t for t in ok if (t.case.model, t.case.batch_size) == (model, size))
            for size in run.plan.sizes(model)
        ]
        whole = [name for name in run.plan.names if all({*ROUNDS} <= table.get(name, {}).keys() for table in tables)]
        logs = np.array([[[table[name][r] for r in ROUNDS] for name in whole] for table in tables])
        logs = logs - logs.mean(axis=2, keepdims=True)
        yield logs - logs.mean(axis=1, keepdims=True)


def told(models: list[NDArray[np.float64]]) -> str:
    """The two figures, in words."""
    together = apart = 0.0
    spreads = []
    for found in models:
        for one, other in itertools.combinations(found, 2):
            together += float((one * other).sum())
            apart += float(np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1)).sum())
        spreads += list(np.log((found**2).mean(axis=2)).var(axis=0, ddof=1))
    chance = math.sqrt(polygamma(1, (len(ROUNDS) - 1) / 2))
    return (
        f"{len(spreads)} engines and models, correlation {together / apart:.2f}, "
        f"log variances {math.sqrt(np.mean(spreads)):.2f} apart (chance: {chance:.2f})"
    )


if __name__ == "__main__":
    main()
