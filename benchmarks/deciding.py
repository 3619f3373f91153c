"""How soon a race decides: hundreds of default races on virtual machines whose truth is known.

    .venv/bin/python -m benchmarks.deciding
    .venv/bin/python -m benchmarks.deciding --machine noisy --races 500 --minutes 30

The planning, heats, looks and the rule that ends a race are the real ones; the host is not (`virtual_host.py`). Eight
engines on two networks at four batch sizes, true ratios as in a race of 28 November 2026. Printed for each machine:
how many of the 56 comparisons with the best are decided after some minutes, at an indifference of 2% and of 5%; when
every gap over 10, 15 and 25% was decided in 95% of races; rounds; what the time went into; how often an outcome was
wrong; and what no schedule could do with less.
`benchmarks.virtual_check` holds such races against recorded ones.
"""

import argparse
import itertools
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from benchmarks.virtual_host import VirtualHost, machines
from scipy.stats import norm

from bakeoff import environments
from bakeoff.judge.case.summary import throughput
from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.judge.table.verdict import verdicts
from bakeoff.race.budget import Budget
from bakeoff.race.heats import canary
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.race import Race, Setup, run_profiles, run_rounds
from bakeoff.race.ready.exam import Exam
from bakeoff.race.ready.prepare import Preparation
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import (
    CANARY,
    Contender,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    ModelForm,
    ModelRecord,
    Outcome,
    Plan,
    RunRecord,
    Trial,
    Verdict,
)
from bakeoff.store import Store

MODELS = ("resnet18", "resnet50")
SIZES = (1, 2, 4, 8)
MINUTES = (2, 4, 8, 15, 30)
EFFECTS = (0.02, 0.05)
GAPS = (0.10, 0.15, 0.25)
SHARE = 0.95
"""of races, in which a gap must be decided by the time told"""


class Memory(Store):
    """A store that forgets."""

    def __init__(self) -> None:
        pass

    def add_trials(self, name: str, trials: Sequence[Trial]) -> None:
        """Forget them."""

    def update_run(self, name: str, **changes: Any) -> None:
        """Forget it."""


@dataclass
class Diary:
    """Watches a race and notes when its trials came in."""

    host: VirtualHost
    kept: list[tuple[float, int]] = field(default_factory=list)
    """the race's time and the number of trials then"""

    def installing(self) -> AbstractContextManager[environments.Report]:
        """Nobody asks: nothing is installed."""
        raise NotImplementedError

    def say(self, what: str) -> None:
        """Nobody listens."""

    def note(self, what: str) -> None:
        """Nobody reads."""

    def started(self, run: RunRecord, trials: Sequence[Trial]) -> None:
        """Nothing is there yet."""

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """More trials are in."""
        del left_s
        self.kept.append((run.elapsed_s, len(trials)))


@dataclass(frozen=True)
class Raced:
    """What came of one virtual race."""

    trials: Sequence[Trial]
    kept: Sequence[tuple[float, int]]
    spent: Mapping[str, float]
    elapsed_s: float
    budget_s: float


def a_plan(machine: Mapping[str, Any], budget_s: float, seed: int, **changes: Any) -> Plan:
    """The default race."""
    fields: dict[str, Any] = {
        "models": MODELS,
        "contenders": tuple(Contender(name=name, engine=name).having(threads=2) for name in machine["engines"]),
        "batch_sizes": SIZES,
        "threads": 2,
        "seed": seed,
        "budget_s": budget_s,
        "profile": True,
    }
    return Plan(**(fields | changes))


def race(machine: Mapping[str, Any], plan: Plan, scratch: Path) -> Raced:
    """Race `plan` on a virtual `machine`: the rounds and the profiles of `bakeoff.race.race`."""
    host = VirtualHost(machine, plan.seed)
    diary = Diary(host)
    budget = Budget(plan.budget_s, machine["costs"]["prepare_s"], host)
    run = RunRecord(
        name="virtual",
        started_at=0.0,
        plan=plan,
        machine={},
        bakeoff_version="",
        models=tuple(
            ModelRecord(name=name, digest=name, weights="seeded", inputs=(), outputs=()) for name in plan.models
        ),
    )
    race_ = Race(run=run, store=Memory(), output=scratch, observer=diary, budget=budget)
    models = {model.name: model for model in run.models}
    preparation = Preparation(
        exams={name: Exam(model, (), ()) for name, model in models.items()},
        runnables={name: [a_runnable(each, name) for each in plan.contenders] for name in models},
        engines=(),
        standing={},
    )
    contexts = {
        name: HeatContext(
            plan=plan,
            round=0,
            model=model,
            inputs={size: input_sets(scratch, size) for size in SIZES},
            tolerance=1.0,
            logs=scratch,
            scratch=scratch,
            time_is_up=lambda: False,
            say=diary.say,
            host=host,
        )
        for name, model in models.items()
    }
    setup = Setup(contexts, a_runnable(canary.CONTENDER, CANARY))
    run_rounds(race_, preparation, setup)
    run_profiles(race_, preparation, setup)
    return Raced(race_.trials, diary.kept, host.spent, budget.spent_s, plan.budget_s)


def input_sets(scratch: Path, size: int) -> InputSets:
    """Three sets and one that is new, all the same file, which tells the batch size by its name."""
    path = scratch / f"{size}.npy"
    np.save(path, np.zeros(size))
    return InputSets(
        paths=((str(path),),) * 3, expected=((),) * 3, fresh=InputSets(paths=((str(path),),), expected=((),))
    )


def a_model(name: str) -> ModelRecord:
    """A network without inputs and outputs, so that nothing is written or compared."""
    return ModelRecord(name=name, digest=name, weights="seeded", inputs=(), outputs=())


def a_runnable(contender: Contender, model: str) -> Runnable:
    """A contender that the virtual host knows by the name of its adapter."""
    name = contender.engine
    environment = EnvironmentSpec(name=name, kind="uv", lock=Path(name))
    engine = EngineSpec(
        name=name,
        title=name,
        framework=name,
        release="today",
        league="fp32",
        adapter=Path(name),
        environment=environment,
        model=ModelForm(format="onnx"),
        spins=name in SPINNING,
        loads_once=name in LOADS_ONCE,
    )
    installed = Installed(name=name, digest="", path=Path(name), command=("python",))
    return Runnable(contender=contender, engine=engine, installed=installed, model_path=Path(model))


LOADS_ONCE = ("onnxruntime", "caffe2", "pytorch", "tensorflow")
SPINNING = ("onnxruntime", "onnxruntime-onednn", "caffe2", "pytorch")
"""whose engine.toml says so"""


# What was true


def truth(machine: Mapping[str, Any]) -> dict[tuple[str, int], dict[str, float]]:
    """By table, log of the fastest other engine's speed over each engine's: how far it lies behind the best."""
    found = {}
    for model, size in itertools.product(MODELS, SIZES):
        logs = {e: -math.log(machine["cases"][f"{e}/{model}/{size}"]["latency_s"]) for e in machine["engines"]}
        found[model, size] = {
            engine: max(other for name, other in logs.items() if name != engine) - own for engine, own in logs.items()
        }
    return found


def outcomes(found: Iterable[Verdict], effect: float) -> Iterator[tuple[tuple[str, int], str, str]]:
    """(table, engine, outcome) of everybody but the leader, at an indifference of `effect`."""
    zone = math.log1p(effect)
    for verdict in found:
        for standing in verdict.standings:
            if standing.outcome is Outcome.LEADER:
                continue
            outcome = "undecided"
            if standing.interval:
                low, high = map(math.log, standing.interval)
                outcome = "slower" if low > zone else "equivalent" if -zone <= low and high <= zone else outcome
            yield (verdict.model, verdict.batch_size), standing.contender, outcome


def is_wrong(outcome: str, behind: float, effect: float) -> bool:
    """Whether the truth is otherwise."""
    zone = math.log1p(effect)
    return (outcome == "slower" and behind <= zone) or (outcome == "equivalent" and abs(behind) > zone)


# What a race showed


@dataclass(frozen=True)
class Seen:
    """The figures of one race."""

    decided: Mapping[tuple[int, float], int]
    """by minutes and effect"""
    tables: Mapping[float, int]
    """by effect: how many have everybody decided against their leader, at the end"""
    gaps_s: Mapping[float, float]
    """by gap: when the last one so large was decided; infinite if never"""
    rounds: Mapping[str, int]
    wrong: Mapping[float, bool]
    on_clock: float
    spent: Mapping[str, float]
    covered: bool
    """whether every interval of the last verdict holds the truth"""
    half_widths: Sequence[float]
    """of rows, relative"""
    ratio_half_widths: Sequence[float]


def seen(machine: Mapping[str, Any], raced: Raced) -> Seen:
    """Judge `raced` as it stood at each moment."""
    true = truth(machine)
    verdicts_of: dict[int, list[Verdict]] = {}

    def by(count: int) -> list[Verdict]:
        if count not in verdicts_of:
            own = [t for t in raced.trials[:count] if t.case.contender.name != CANARY]
            verdicts_of[count] = verdicts(own)
        return verdicts_of[count]

    def at(minutes: float) -> list[Verdict]:
        return by(max((count for when, count in raced.kept if when <= minutes * 60), default=0))

    decided = {
        (minutes, effect): sum(outcome != "undecided" for *_, outcome in outcomes(at(minutes), effect))
        for minutes in MINUTES
        if minutes * 60 <= raced.budget_s
        for effect in EFFECTS
    }
    last = by(len(raced.trials))
    tables = {
        effect: len(true) - len({table for table, _, outcome in outcomes(last, effect) if outcome == "undecided"})
        for effect in EFFECTS
    }
    moments = sorted({(count, when) for when, count in raced.kept if count})
    gaps = {gap: first_moment(moments, partial(gap_is_decided, by, true, gap)) for gap in GAPS}
    wrong = {
        effect: any(
            is_wrong(outcome, true[table][engine], effect)
            for minutes in (*MINUTES, math.inf)
            for table, engine, outcome in outcomes(at(minutes), effect)
        )
        for effect in EFFECTS
    }
    rows: dict[Any, list[float]] = {}
    for trial in raced.trials:
        if trial.measurement and not trial.profile and trial.case.contender.name != CANARY:
            rows.setdefault(trial.case, []).append(throughput(trial.case.batch_size, trial.measurement))
    intervals = [geometric_mean_interval(values)[1] for values in rows.values()]
    of_ratios = [s.interval for v in last for s in v.standings if s.interval and s.outcome is not Outcome.LEADER]
    covered = all(
        s.interval is None or s.interval[0] <= math.exp(true[v.model, v.batch_size][s.contender]) <= s.interval[1]
        for v in last
        for s in v.standings
    )
    timed = raced.spent.get("timed calls", 0.0)
    return Seen(
        decided=decided,
        tables=tables,
        gaps_s=gaps,
        rounds={m: max((t.round for t in raced.trials if t.case.model == m), default=0) for m in MODELS},
        wrong=wrong,
        on_clock=timed / raced.elapsed_s,
        spent=raced.spent,
        covered=covered,
        half_widths=[math.sqrt(i[1] / i[0]) - 1 for i in intervals if i],
        ratio_half_widths=[math.sqrt(i[1] / i[0]) - 1 for i in of_ratios],
    )


def gap_is_decided(by: Callable[[int], list[Verdict]], true: Any, gap: float, count: int) -> bool:
    """Whether with so many trials every engine that is `gap` behind the best is called slower."""
    said = {(table, engine): outcome for table, engine, outcome in outcomes(by(count), EFFECTS[0])}
    wide = [(table, engine) for table, each in true.items() for engine, b in each.items() if b > math.log1p(gap)]
    return all(said.get(one) == "slower" for one in wide)


# What no schedule can do without


def least_minutes(machine: Mapping[str, Any], gap: float) -> float:
    """A lower bound on the time until every gap beyond `gap` is decided in 95% of races.

    Each contender takes part with so many processes and so many calls a process; a call costs its latency and nothing
    else, and calls lie so far apart that no neighbour hits two. Variances are known; a table is looked at once, and its
    comparisons share 5% of error. Minimised over the number of processes, and of the leader's calls.
    """
    true = truth(machine)
    total = float(machine["costs"]["prepare_s"])
    rounds = range(2, 30)
    total += min(
        sum(processes_s(machine, model) * n for model in MODELS)
        + sum(calls_s(machine, table, each, gap, n) for table, each in true.items())
        for n in rounds
    )
    return total / 60


def processes_s(machine: Mapping[str, Any], model: str) -> float:
    """What it costs to start every engine once, load `model` and check an answer at each batch size."""
    total = 0.0
    for name, engine in machine["engines"].items():
        cases = [machine["cases"][f"{name}/{model}/{size}"] for size in SIZES]
        loads = [case["load_s"] for case in cases][: 1 if name in LOADS_ONCE else None]
        total += engine["start_s"] + engine["import_s"] + sum(loads) + sum(case["first_s"] for case in cases)
    return total


def calls_s(
    machine: Mapping[str, Any], table: tuple[str, int], behind: Mapping[str, float], gap: float, rounds: int
) -> float:
    """The fewest seconds of timed calls, in so many rounds, that decide the gaps of one table; infinite if none do."""
    noise = machine["noise"]
    of_calls = noise["call"] ** 2 + sum(2 * crowd["share"] * crowd["slowdown"] ** 2 for crowd in noise["crowds"])
    z = norm.isf(0.05 / 2 / (len(machine["engines"]) - 1)) + norm.ppf(SHARE)
    latency = {name: machine["cases"][f"{name}/{table[0]}/{table[1]}"]["latency_s"] for name in machine["engines"]}
    leader = min(latency, key=lambda name: latency[name])
    # 1 / own calls + 1 / the leader's must not be more than this.
    allowed = {
        name: (rounds * (distance / z) ** 2 - 2 * noise["process"] ** 2) / of_calls
        for name, distance in behind.items()
        if distance > math.log1p(gap)
    }
    if not allowed:
        return 0.0
    calls = np.arange(1, 2000)[:, np.newaxis]
    left = np.array([*allowed.values()]) - 1 / calls
    enough = (left > 0).all(axis=1)
    with np.errstate(divide="ignore"):
        others = np.array([latency[name] for name in allowed]) * np.maximum(1.0, 1 / left)
    seconds = rounds * (calls[:, 0] * latency[leader] + others.sum(axis=1))
    return float(seconds[enough].min(initial=math.inf))


def first_moment(moments: Sequence[tuple[int, float]], holds: Callable[[int], bool]) -> float:
    """The first of the moments from which on `holds` does, by bisection; infinite if it does not at the last."""
    if not moments or not holds(moments[-1][0]):
        return math.inf
    low, high = -1, len(moments) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(moments[middle][0]) else (middle, high)
    return moments[high][1]


def one(name: str, budget_s: float, changes: Mapping[str, Any], seed: int) -> Seen:
    """Race once and judge it."""
    machine = machines()[name]
    with tempfile.TemporaryDirectory() as scratch:
        return seen(machine, race(machine, a_plan(machine, budget_s, seed, **changes), Path(scratch)))


def main() -> None:
    """Race, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--machine", choices=[*machines()], action="append")
    parser.add_argument("--races", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    figures = {}
    for name in options.machine or [*machines()]:
        begin = time.monotonic()
        seeds = range(options.first_seed, options.first_seed + options.races)
        work = partial(one, name, options.minutes * 60, {})
        if options.processes > 1:
            with ProcessPoolExecutor(options.processes) as pool:
                races = list(pool.map(work, seeds, chunksize=4))
        else:
            races = [work(seed) for seed in seeds]
        figures[name] = summary(races)
        print(f"{name}: {len(races)} races of {options.minutes:g} min, {time.monotonic() - begin:.0f} s")
        print(told(figures[name]))
        bounds = {f"{gap:.0%}": round(float(least_minutes(machines()[name], gap)), 1) for gap in GAPS}
        print(f"  minutes that no schedule could do with less: {bounds}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def summary(races: Sequence[Seen]) -> dict[str, Any]:
    """The figures of many races, as they are printed and kept."""
    spent = Counter[str]()
    for each in races:
        spent.update(each.spent)
    total = sum(spent.values())
    return {
        "decided": {
            f"{effect:.0%}": {
                str(minutes): median(each.decided[minutes, effect] for each in races)
                for minutes in MINUTES
                if (minutes, effect) in races[0].decided
            }
            for effect in EFFECTS
        },
        "tables decided": {f"{effect:.0%}": median(each.tables[effect] for each in races) for effect in EFFECTS},
        "minutes until gaps are decided in 95% of races": {
            f"{gap:.0%}": in_minutes(float(np.quantile([each.gaps_s[gap] for each in races], SHARE, method="higher")))
            for gap in GAPS
        },
        "minutes until gaps are decided in the median race": {
            f"{gap:.0%}": in_minutes(float(np.quantile([each.gaps_s[gap] for each in races], 0.5, method="higher")))
            for gap in GAPS
        },
        "rounds": {model: Counter(each.rounds[model] for each in races).most_common(4) for model in MODELS},
        "on the clock": round(fmean(each.on_clock for each in races), 3),
        "wrong": {f"{effect:.0%}": fmean(each.wrong[effect] for each in races) for effect in EFFECTS},
        "all intervals hold": fmean(each.covered for each in races),
        "half-width of rows": median_of(h for each in races for h in each.half_widths),
        "half-width of ratios": median_of(h for each in races for h in each.ratio_half_widths),
        "time": {on: round(seconds / total, 3) for on, seconds in spent.most_common()},
    }


def median_of(values: Iterable[float]) -> float | None:
    """To four digits; None of nothing."""
    known = list(values)
    return round(median(known), 4) if known else None


def in_minutes(seconds: float) -> float | str:
    """To a tenth; "never" for infinity."""
    return round(seconds / 60, 1) if math.isfinite(seconds) else "never"


def told(figures: Mapping[str, Any]) -> str:
    """A line for each figure."""
    return "\n".join(f"  {name}: {value}" for name, value in figures.items())


if __name__ == "__main__":
    main()
