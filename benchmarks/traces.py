"""Record real latency traces of which it is known what happened: tests/unit/judge/case/data holds what this wrote.

    .venv/bin/python benchmarks/traces.py
    .venv/bin/python benchmarks/traces.py --engine openvino --model resnet18 --folder tests/unit/judge/case/data

Three traces of one engine: `steady`, after a long warm-up; `start`, from the first call of a fresh process on; and
`joined`, in which from the middle on as many processes as there are threads spin beside it, so that it gets slower
and stays so. Needs the whole machine: run nothing beside it.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bakeoff import paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.models.library import ModelLibrary
from bakeoff.race import machine_lock
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.heats.attempt import Attempt
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready import prepare
from bakeoff.records import UNCALIBRATED, Request
from bakeoff.views.racing import watching

CALLS = 200


def main() -> None:
    """Record and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--folder", type=Path, default=Path("tests/unit/judge/case/data"))
    options = parser.parse_args()
    with TemporaryDirectory() as folder, attempts(options.engine, options.model, Path(folder)) as attempt:
        traces = {"start": start(attempt), "steady": calls(attempt, CALLS), "joined": joined(attempt)}
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, latencies in traces.items():
        path = options.folder / f"{options.engine}-{options.model}-{name}.json"
        what = {"engine": options.engine, "model": options.model, "trace": name}
        path.write_text(json.dumps(what | {"latencies_us": [round(s * 1e6) for s in latencies]}) + "\n")
        print(f"{path}: {len(latencies)} latencies")


@contextmanager
def attempts(engine: str, model: str, folder: Path) -> Iterator[Attempt]:
    """The engine's worker, loaded at batch 1 and not run yet."""
    catalogue, library = Catalogue.load(), ModelLibrary(paths.cache_dir())
    request = Request(models=(model,), engines=(engine,), release="all", batch_sizes=(1,))
    plan = make_plan(request, catalogue, this_machine())
    with watching() as observer, machine_lock.held("benchmarks/traces.py", observer.note):
        models = {model: library.resolve(model, plan.weights, observer.say)}
        standing = prepare.install(prepare.engines_of(plan, catalogue), observer)
        preparation = prepare.prepare(plan, models, catalogue, standing, library, observer)
        context = HeatContext(
            plan=plan,
            round=1,
            model=models[model],
            inputs=preparation.exams[model].laid_out(plan, library, folder / "inputs"),
            tolerance=UNCALIBRATED.fp32,
            logs=folder / "logs",
            scratch=folder / "scratch",
            time_is_up=lambda: False,
            say=lambda _: None,
        )
        worker = HeatWorker(preparation.runnables[model][0], context)
        try:
            yield Attempt(worker, 1)
        finally:
            worker.abandon()


def start(attempt: Attempt) -> list[float]:
    """The first calls of a fresh process: the checked ones, the warm-up, and on."""
    attempt.get_ready()
    return [*attempt.warm_up, *calls(attempt, CALLS - len(attempt.warm_up))]


def joined(attempt: Attempt) -> list[float]:
    """Calls alone, then as many beside spinning processes."""
    alone = calls(attempt, CALLS // 2)
    spinners = [multiprocessing.Process(target=spin, daemon=True) for _ in range(attempt.case.contender.threads or 1)]
    for spinner in spinners:
        spinner.start()
    time.sleep(0.5)  # until they do spin
    try:
        return [*alone, *calls(attempt, CALLS // 2)]
    finally:
        for spinner in spinners:
            spinner.kill()


def calls(attempt: Attempt, number: int) -> list[float]:
    """Latencies of so many calls, in seconds."""
    with attempt.worker.awake() as session:
        return session.warm_up([0] * number, at_least=number, at_most_seconds=0.0)


def spin() -> None:
    """Use a core."""
    while True:
        pass


if __name__ == "__main__":
    main()
