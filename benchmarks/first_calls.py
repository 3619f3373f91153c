"""What a turn's first call costs more than the next: whether an untimed one must come before the clock runs.

    .venv/bin/python -m benchmarks.first_calls
    .venv/bin/python -m benchmarks.first_calls onnxruntime pytorch --model resnet18 --batch 1 8

The engines' workers are alive together and take turns, as in a heat: each wakes to caches that others have used, and to
threads that were suspended. Every call of a turn is timed. Printed is the first call's latency over the mean of those
after it, the median over turns with its 95% interval (of order statistics), and by how long it is longer.
"""

import argparse
import random
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

from benchmarks.loads_once import under_test, warm_up
from scipy.stats import quantile_test

from bakeoff.engines.catalogue import Catalogue

ENGINES = ("onnxruntime", "openvino", "onnxruntime-openvino", "pytorch", "tensorflow", "mnn", "ncnn")
CALLS = 4


def main() -> None:
    """Run, and print a line for each engine and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("engines", nargs="*", default=ENGINES)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args()
    print("| engine | batch | a call | first over next | longer by |\n| --- | ---: | ---: | ---: | ---: |")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        workers = []
        for engine in Catalogue.load().select(options.engines):
            place = Path(folder) / engine.name
            place.mkdir()
            worker = stack.enter_context(under_test(engine, options.model, place).worker(options.threads))
            worker.session.suspend()
            workers.append((engine.name, worker))
        for batch in options.batch:
            ratios: dict[str, list[float]] = {name: [] for name, _ in workers}
            seconds: dict[str, list[float]] = {name: [] for name, _ in workers}
            for _, worker in workers:
                worker.session.resume()
                worker.load(batch)
                worker.prepare(batch)
                warm_up(worker)
                worker.session.suspend()
            for _ in range(options.turns):
                for name, worker in random.sample(workers, len(workers)):
                    worker.session.resume()
                    order = [k % 3 for k in range(CALLS)]
                    first, *rest = worker.session.measure(order, [], worker.subject.folder).latencies
                    worker.session.suspend()
                    ratios[name].append(first / fmean(rest))
                    seconds[name].append(fmean(rest))
            for name, found in ratios.items():
                low, high = quantile_test(found).confidence_interval()
                middle = median(found)
                call = fmean(seconds[name])
                print(
                    f"| {name} | {batch} | {1000 * call:.1f} ms | {middle:.3f} [{low:.3f}-{high:.3f}] "
                    f"| {1000 * call * (middle - 1):.1f} ms |",
                    flush=True,
                )
        for _, worker in workers:
            worker.session.resume()


if __name__ == "__main__":
    main()
