"""How fast the store is when it is full: `python benchmarks/store.py [--runs 313] [--trials 320]`.

Fills a store with about 100,000 trials (12 latencies and their warm-up each) in a temporary folder, then times what a
user waits for: `bakeoff show` as a whole process, opening one run, and what a race waits for: adding the
trials of one model and batch size. Exits with 1 if a promise is broken: 2 s for `show`, 20 ms to add.
"""

import argparse
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bakeoff.records import Case, EngineInfo, Measurement, Parity, Plan, RunRecord, Status, Trial
from bakeoff.store import FILE_NAME, Store

SHOW_LIMIT_S = 2.0
ADD_LIMIT_S = 0.020

PLAN = Plan(
    models=("resnet18", "resnet50"),
    engines=("onnxruntime", "openvino", "pytorch", "pytorch-compile", "tensorflow", "keras", "caffe2", "litert"),
    batch_sizes=(1, 2, 4, 8),
    threads=2,
)
ENGINES = tuple(
    EngineInfo(name=name, title=name, framework=name, release="today", league="fp32") for name in PLAN.engines
)


def main() -> int:
    """Fill, time, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=313)
    parser.add_argument("--trials", type=int, default=320, help="per run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bakeoff-store-") as folder:
        output = Path(folder)
        adds = fill(output, arguments.runs, arguments.trials)
        size = (output / FILE_NAME).stat().st_size
        count = arguments.runs * arguments.trials
        print(f"{count} trials in {arguments.runs} runs: {size / 1e6:.0f} MB, {size / count:.0f} bytes a trial")
        report("add the trials of one model and batch size", adds)
        report("open the store and read one run", timed(lambda: read(output), 20))
        report("open the store and list its runs", timed(lambda: names(output), 20))
        shows = timed(lambda: show(output), 5)
        report("`bakeoff show`, the whole process", shows)
    kept = statistics.median(shows) < SHOW_LIMIT_S and statistics.median(adds) < ADD_LIMIT_S
    print("both promises are kept" if kept else "a promise is broken")
    return 0 if kept else 1


def fill(output: Path, runs: int, trials: int) -> list[float]:
    """Race `runs` runs without an engine; returns the seconds that each transaction of trials took."""
    rng = random.Random(0)  # noqa: S311 - made-up latencies, no secret
    seconds = []
    with Store.open(output) as store:
        for number in range(runs):
            name = f"run-{number}"
            store.create_run(a_run(name, number))
            coming = itertools.islice(endless_trials(rng), trials)
            while heat := list(itertools.islice(coming, len(PLAN.engines))):
                begin = time.perf_counter()
                store.add_trials(name, heat)
                seconds.append(time.perf_counter() - begin)
            store.update_run(name, state="finished")
    return seconds


def a_run(name: str, number: int) -> RunRecord:
    """A run of the study's size."""
    return RunRecord(
        name=name,
        started_at=1.7e9 + number,
        plan=PLAN,
        machine={"cpu": "a processor", "digest": "0123456789ab"},
        bakeoff_version="0.1.0",
        engines=ENGINES,
    )


def endless_trials(rng: random.Random) -> Iterator[Trial]:
    """Round after round of every case: three bursts of four latencies, on two threads."""
    for round_ in itertools.count(1):
        for case in PLAN.cases():
            yield a_trial(rng, round_, case)


def a_trial(rng: random.Random, round_: int, case: Case) -> Trial:
    """A trial with the fields that adapters fill."""
    bursts = tuple(tuple(rng.lognormvariate(-3, 0.05) for _ in range(4)) for _ in range(3))
    return Trial(
        round=round_,
        case=case,
        status=Status.OK,
        log=f"results/run/logs/{round_}-{case.engine}.log",
        framework_version="1.2.3",
        environment_digest="0123456789abcdef",
        requested={"threads": 2, "precision": "fp32", "batch_size": case.batch_size},
        effective={"threads": 2, "providers": ["CPUExecutionProvider"], "precision": "fp32"},
        parity=Parity(max_rel_error=3e-7, top1_agreement=1.0),
        measurement=Measurement(
            latencies=bursts,
            warm_up=tuple(rng.lognormvariate(-3, 0.2) for _ in range(8)),
            load_s=rng.random(),
            prepare_s=rng.random(),
            first_inference_s=rng.random(),
            import_s=rng.random(),
            burst_s=tuple(map(sum, bursts)),
            cpu_s=tuple({"4711": sum(burst), "4712": sum(burst)} for burst in bursts),
            voluntary_switches=17,
            involuntary_switches=3,
            peak_rss_mb=312.5,
            cold=round_ % 4 == 1,
        ),
        started_at=1.7e9 + round_,
    )


def read(output: Path) -> None:
    """One run with all its latencies."""
    with Store.open(output, create=False) as store:
        assert store.trials("run-0")


def names(output: Path) -> None:
    """Every run's record."""
    with Store.open(output, create=False) as store:
        assert store.runs()


def show(output: Path) -> None:
    """What a user types."""
    command = [sys.executable, "-m", "bakeoff", "show", "run-0", "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True)


def timed(action: Callable[[], None], times: int) -> list[float]:
    """Seconds of each of several calls."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begin)
    return seconds


def report(what: str, seconds: list[float]) -> None:
    """Median and worst, in milliseconds."""
    print(f"{what}: median {statistics.median(seconds) * 1e3:.1f} ms, worst {max(seconds) * 1e3:.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
