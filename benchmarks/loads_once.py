"""Whether what an engine loads once serves all batch sizes as fast as if it were loaded for each: `loads_once`.

    .venv/bin/python -m benchmarks.loads_once onnxruntime pytorch --batch 1 8 --model resnet18 --rounds 6

In each round two fresh workers of the engine are alive. One loads the network for the batch size; the other has
loaded it for another one, and run that. They take turns. Printed is the second's time over the first's, the
geometric mean over rounds, with its 95% interval. A declaration in engine.toml needs this, and the contract's check.
"""

import argparse
import random
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.models.library import ModelLibrary
from bakeoff.race.contract.subject import EngineUnderTest, WorkerUnderTest
from bakeoff.records import EngineSpec, Installed

WARM_UP_S, TURNS, CALLS = 0.5, 16, 3


def main() -> None:
    """Run, and print a line for each engine and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    for engine in Catalogue.load().select(options.engines):
        with TemporaryDirectory() as folder:
            subject = under_test(engine, options.model, Path(folder))
            for batch in options.batch:
                other = next(size for size in (2, 1) if size != batch)
                ratios = [ratio(subject, batch, other, options.threads) for _ in range(options.rounds)]
                mean, interval = geometric_mean_interval(ratios)
                low, high = interval or (mean, mean)
                print(f"{engine.name}, {options.model}, batch {batch}: {mean:.3f} [{low:.3f}-{high:.3f}]", flush=True)


def under_test(engine: EngineSpec, model: str, folder: Path) -> EngineUnderTest:
    """The engine and the network, ready."""
    standing = {spec.name: environments.find(spec) for spec in engine.environments}
    there = {name: found for name, found in standing.items() if isinstance(found, Installed)}
    library = ModelLibrary(paths.cache_dir())
    return EngineUnderTest(engine, there, library, library.resolve(model), folder, print)


def ratio(subject: EngineUnderTest, batch: int, other: int, threads: int) -> float:
    """Of one pair of processes: how many times as long calls take where another batch size was loaded."""
    with subject.worker(threads) as own, subject.worker(threads) as reused:
        own.load(batch)
        reused.load(other)
        reused.prepare(other)
        warm_up(reused)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for worker in (own, reused):
            worker.prepare(batch)
            warm_up(worker)
            worker.session.suspend()
        for _ in range(TURNS):
            for worker in random.sample((own, reused), 2):
                worker.session.resume()
                burst = worker.session.measure(list(range(CALLS)), [CALLS - 1], worker.subject.folder)
                worker.session.suspend()
                seconds[worker is reused].append(fmean(burst.latencies))
        for worker in (own, reused):
            worker.session.resume()
        return fmean(seconds[True]) / fmean(seconds[False])


def warm_up(worker: WorkerUnderTest) -> None:
    """Run for half a second."""
    spent = 0.0
    while spent < WARM_UP_S:
        spent += sum(worker.session.warm_up([0, 1, 2], at_least=1, at_most_seconds=WARM_UP_S))


if __name__ == "__main__":
    main()
