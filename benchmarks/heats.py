"""What heats gain over whole trials in turn: how much the ratio of two processes varies, for the same machine time.

    .venv/bin/python benchmarks/heats.py
    .venv/bin/python benchmarks/heats.py --engines onnxruntime openvino --model resnet50 --rounds 20

One engine under two names (A/A) and another one (A/B), at one batch size. A round of *whole trials* starts, warms up
and measures each of the three alone, one whole process after another; a round of *heats* has the same three alive
together, taking the same bursts in turns. Both do the same work in the same code, so they cost the same time, and they
alternate, so they meet the same machine. Printed is the standard deviation between rounds of the log ratio, with its
95% interval (chi-squared), and by how many times fewer rounds heats need for an interval of the same width.

Needs the whole machine: run nothing beside it.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec
from scipy.stats import chi2

from bakeoff import paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.judge.table.verdict import log_throughputs
from bakeoff.models.library import ModelLibrary
from bakeoff.race import machine_lock
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.heat import run_heat
from bakeoff.race.ready import prepare
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import UNCALIBRATED, Plan, Request, Trial
from bakeoff.views.racing import PlainView, watching

T = TypeVar("T")


@dataclass
class Method:
    """One way to run the three, and what came of it."""

    name: str
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    def sd(self, engine: str, other: str) -> tuple[float, int]:
        """Standard deviation between rounds of the log ratio, and over how many rounds."""
        table = log_throughputs(self.trials)
        common = sorted(set(table.get(engine, {})) & set(table.get(other, {})))
        if len(common) < 3:
            raise SystemExit(
                f"{self.name}: {engine} and {other} have {len(common)} rounds in common: {self.failures()}"
            )
        return statistics.stdev(table[engine][r] - table[other][r] for r in common), len(common)

    def failures(self) -> str:
        """Why trials failed, if any did."""
        return (
            "; ".join({f"{trial.case.contender.name}: {trial.reason}" for trial in self.trials if trial.reason})
            or "too few"
        )


def main() -> None:
    """Measure and print."""
    options = arguments()
    catalogue = Catalogue.load()
    request = Request(
        models=(options.model,),
        engines=tuple(options.engines),
        release="all",
        batch_sizes=(options.batch,),
        threads=options.threads,
    )
    plan = make_plan(request, catalogue, this_machine())
    with (
        watching() as observer,
        machine_lock.held("benchmarks/heats.py", observer.note),
        TemporaryDirectory() as folder,
    ):
        context, runnables = ready(catalogue, plan, observer, Path(folder))
        whole, heats = Method("whole trials in turn"), Method("heats")
        for round_ in range(1, options.rounds + 1):
            observer.note(f"round {round_} of {options.rounds}")
            now = replace(context, round=round_)
            for method in shuffled((whole, heats), round_):
                begin = time.monotonic()
                for together in (
                    [runnables] if method is heats else [[runnable] for runnable in shuffled(runnables, round_)]
                ):
                    cases = {case for case in now.plan.cases() if case.contender.name in {e.name for e in together}}
                    for trials in run_heat(now, together, cases):
                        method.trials += trials
                method.seconds += time.monotonic() - begin
    report(plan, (whole, heats), [runnable.name for runnable in runnables])


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--engines", nargs=2, default=["onnxruntime", "openvino"], metavar=("A", "B"))
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def ready(catalogue: Catalogue, plan: Plan, observer: PlainView, folder: Path) -> tuple[HeatContext, list[Runnable]]:
    """The context, and three runnables: the first engine, itself again, the second engine."""
    library = ModelLibrary(paths.cache_dir())
    models = {name: library.resolve(name, plan.weights, observer.say) for name in plan.models}
    standing = prepare.install(prepare.engines_of(plan, catalogue), observer)
    preparation = prepare.prepare(plan, models, catalogue, standing, library, observer)
    ((name, model),) = models.items()
    if preparation.unready:
        raise SystemExit(f"{preparation.unready[0].case.contender.name}: {preparation.unready[0].reason}")
    a, b = preparation.runnables[name]
    again = replace(a, contender=msgspec.structs.replace(a.contender, name=f"{a.name}@again"))
    runnables = [a, again, b]
    context = HeatContext(
        plan=msgspec.structs.replace(plan, contenders=tuple(runnable.contender for runnable in runnables)),
        round=0,
        model=model,
        inputs=preparation.exams[name].laid_out(plan, library, folder / "inputs"),
        tolerance=UNCALIBRATED.fp32,
        logs=folder / "logs",
        scratch=folder / "scratch",
        time_is_up=lambda: False,
        say=lambda _: None,
    )
    return context, runnables


def shuffled(things: Sequence[T], seed: int) -> list[T]:
    """In random order, the same for the same seed."""
    return random.Random(seed).sample(list(things), len(things))  # noqa: S311 - an order, no secret


def report(plan: Plan, methods: Sequence[Method], engines: Sequence[str]) -> None:
    """The table, as docs/method.md has it."""
    a, again, b = engines
    print(
        f"\n{plan.models[0]}, batch {plan.batch_sizes[0]}, {plan.threads} threads; SD between rounds of the log ratio\n"
    )
    print("| | " + " | ".join(m.name for m in methods) + " | rounds needed, by heats / by whole trials |")
    print("| --- |" + " ---: |" * (len(methods) + 1))
    for pair in ((a, again), (a, b)):
        found = [method.sd(*pair) for method in methods]
        cells = [f"{sd:.1%} [{low:.1%}–{high:.1%}]" for sd, n in found for low, high in [interval(sd, n)]]  # noqa: RUF001
        gain = (found[1][0] / found[0][0]) ** 2
        print(f"| {pair[0]} against {pair[1]} | " + " | ".join(cells) + f" | {gain:.2f} |")
    seconds = [method.seconds / max(trial.round for trial in method.trials) for method in methods]
    print("| seconds per round | " + " | ".join(f"{s:.1f}" for s in seconds) + " | |")


def interval(sd: float, rounds: int) -> tuple[float, float]:
    """The 95% interval of a standard deviation of normal values."""
    df = rounds - 1
    return sd * math.sqrt(df / chi2.ppf(0.975, df)), sd * math.sqrt(df / chi2.ppf(0.025, df))


if __name__ == "__main__":
    main()
