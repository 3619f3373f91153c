"""How fast the store is when it is full: `python benchmarks/store.py [--postgres] [--runs 313] [--trials 320]`.

Fills a store with about 100,000 trials (12 latencies and their warm-up each), in SQLite in a temporary folder or in a
PostgreSQL server started for it, then times what a user waits for, `bakeoff show`, `history` and `compare` as whole
processes, and what a race waits for: adding the trials of one model and batch size. The same commands are timed on a
store of two runs: what they take must grow with the run and not with the store. Exits with 1 if a promise is broken:
2 s for each command, 20 ms to add.
"""

import argparse
import importlib.util
import itertools
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bakeoff.race.heats import canary
from bakeoff.records import (
    Case,
    Contender,
    EngineInfo,
    Measurement,
    ModelRecord,
    Parity,
    Plan,
    RunRecord,
    Status,
    Trial,
)
from bakeoff.store import Store

COMMAND_LIMIT_S = 2.0
ADD_LIMIT_S = 0.020

NAMES = ("onnxruntime", "openvino", "pytorch", "pytorch-compile", "tensorflow", "keras", "caffe2", "litert")
PLAN = Plan(
    models=("resnet18", "resnet50"),
    contenders=tuple(Contender(name=name, engine=name).having(threads=2) for name in NAMES),
    batch_sizes=(1, 2, 4, 8),
    threads=2,
)
ENGINES = tuple(EngineInfo(name=name, title=name, framework=name, release="today", league="fp32") for name in NAMES)


COMMANDS = {
    "`bakeoff show`": ("show", "run-0"),
    "`bakeoff history`": ("history",),
    "`bakeoff compare`": ("compare", "run-0", "run-1"),
}

MODELS = tuple(
    ModelRecord(name=name, digest=name.encode().hex(), weights="seeded", inputs=(), outputs=()) for name in PLAN.models
)


def main() -> int:
    """Fill, time, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=313)
    parser.add_argument("--trials", type=int, default=320, help="per run")
    parser.add_argument("--postgres", action="store_true", help="a PostgreSQL server instead of SQLite")
    arguments = parser.parse_args()
    with stores(postgres=arguments.postgres) as (small, large):
        fill(small, 2, arguments.trials)
        adds = fill(large, arguments.runs, arguments.trials)
        print(f"{arguments.runs * arguments.trials} trials in {arguments.runs} runs, in {where(large)}")
        report("add the trials of one model and batch size", adds)
        report("open the store and read one run", timed(lambda: read(large), 20))
        kept = statistics.median(adds) < ADD_LIMIT_S
        for name, command in COMMANDS.items():
            report(f"{name}, the whole process, on a store of two runs", timed(partial(run, small, command), 5))
            seconds = timed(partial(run, large, command), 5)
            report(f"{name}, the whole process", seconds)
            kept = kept and statistics.median(seconds) < COMMAND_LIMIT_S
    print("all promises are kept" if kept else "a promise is broken")
    return 0 if kept else 1


@contextmanager
def stores(*, postgres: bool) -> Iterator[tuple[str, str]]:
    """Two empty stores, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bakeoff-store-") as folder:
        if not postgres:
            yield f"{folder}/small", f"{folder}/large"
            return
        tests = module_at(Path(__file__).parents[1] / "tests" / "conftest.py")
        server = tests.PostgresServer(tests.server_programs(), durable=True)
        try:
            server.start()
            yield server.new_url(), server.new_url()
        finally:
            server.stop()
            shutil.rmtree(server.folder)


def module_at(path: Path) -> Any:
    """A module that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def where(target: str) -> str:
    """The store and, of a file, its size."""
    with Store.open(target) as store:
        file = Path(store.where)
        return f"{store.where}: {file.stat().st_size / 1e6:.0f} MB" if file.is_file() else store.where


def fill(target: str, runs: int, trials: int) -> list[float]:
    """Race `runs` runs without an engine; returns the seconds that each transaction of trials took."""
    rng = random.Random(0)  # noqa: S311 - made-up latencies, no secret
    seconds = []
    with Store.open(target) as store:
        for number in range(runs):
            name = f"run-{number}"
            store.create_run(a_run(name, number))
            coming = itertools.islice(endless_trials(rng), trials)
            while heat := list(itertools.islice(coming, len(NAMES) + 1)):
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
        models=MODELS,
        engines=ENGINES,
    )


def endless_trials(rng: random.Random) -> Iterator[Trial]:
    """Round after round of every case and its canary: three bursts of four latencies, on two threads."""
    for round_ in itertools.count(1):
        for case in PLAN.cases():
            if case.contender.name == NAMES[0]:
                yield a_trial(
                    rng,
                    round_,
                    msgspec.structs.replace(case, contender=canary.CONTENDER),
                )
            yield a_trial(rng, round_, case)


def a_trial(rng: random.Random, round_: int, case: Case) -> Trial:
    """A trial with the fields that adapters fill."""
    bursts = tuple(tuple(rng.lognormvariate(-3, 0.05) for _ in range(4)) for _ in range(3))
    return Trial(
        round=round_,
        case=case,
        status=Status.OK,
        log=f"results/run/logs/{round_}-{case.contender.name}.log",
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


def read(target: str) -> None:
    """One run with all its latencies."""
    with Store.open(target, create=False) as store:
        assert store.trials("run-0")


def run(target: str, command: Sequence[str]) -> None:
    """What a user types."""
    place = "--store" if "://" in target else "--output"
    subprocess.run([sys.executable, "-m", "bakeoff", *command, place, target], check=True, capture_output=True)


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
