"""Do comparisons and gates of real runs cry wolf? Makes runs of the same engines again and again, and counts.

    .venv/bin/python benchmarks/false_alarms.py --budget 30m    # go on making runs for so long, then count
    .venv/bin/python benchmarks/false_alarms.py                 # only count

Runs are of a tiny and of a real network, on one thread and on two, with nobody else and beside a neighbour
(`benchmarks/neighbour.py`). Call it at unlike hours: it goes on where it was. Every two runs of one network are a pair.
What is true of a pair is 1 if both ran on as many threads, else what races of both numbers of threads in the same
rounds say, by their 99% interval. An interval is wrong if it lies wholly beyond that: it says slower, or faster, than
is true. A gate is wrong if it fails a case that is no slower, and a rerace of the same engines if it fails at all.
Pairs share runs, so they tell less than as many that do not: the number of runs is printed as well. Exits with 1 if
over one interval in 200 is wrong, or any gate. What runs alike differ by beyond their rounds is this machine's
`bakeoff.judge.between_runs.across.BETWEEN_RUNS`.
"""

import argparse
import itertools
import math
import random
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from bakeoff.cli.params import Duration
from bakeoff.errors import UsageError
from bakeoff.judge.between_runs.across import Estimate, estimate
from bakeoff.judge.between_runs.comparing import compare_runs
from bakeoff.judge.between_runs.gate import gate_across
from bakeoff.judge.between_runs.pairing import pair
from bakeoff.judge.between_runs.scorecard import of_values
from bakeoff.race.stored import scorecards
from bakeoff.records import Case
from bakeoff.report import markup
from bakeoff.scorecards import Change, Gate, GateOutcome, Method, Scorecard
from bakeoff.store import Store

NEIGHBOUR = Path(__file__).with_name("neighbour.py")
MODELS = ("resnet-tiny", "resnet18")
THREADS = (1, 2)
TAG = "false-alarms"
MAX_SLOWDOWN = 0.05
HEADER = (
    *("threads", "neighbour", "pairs", "cases", "intervals", "slower than true", "faster than true", "called wrongly"),
    *("half width, median", "between runs", "gates: pass / fail / undecided", "failed wrongly"),
)
MOST_WRONG = 1 / 200
"""of the intervals"""

Truth = Mapping[tuple[str, str], tuple[float, float]]
"""model and contender's engine -> from and to which log ratio, two threads over one, it lies with 99%"""


class Job(NamedTuple):
    """One thing to do, again and again."""

    kind: str
    """"run"; "truth", a race of all numbers of threads; "rerace", by a gate, of an earlier run"""
    model: str
    threads: str
    busy: bool
    """beside a neighbour"""

    @property
    def tag(self) -> str:
        """By which its runs are found again."""
        return f"{TAG}-{self.kind}-{self.model}-{self.threads.replace(',', '+')}{'-busy' * self.busy}"


JOBS = [
    *(Job("run", model, str(threads), busy) for model in MODELS for threads in THREADS for busy in (False, True)),
    *(Job("truth", model, ",".join(map(str, THREADS)), False) for model in MODELS),
    *(Job("rerace", model, str(THREADS[-1]), busy) for model in MODELS for busy in (False, True)),
]


@dataclass
class Tally:
    """What pairs of one sort came to."""

    pairs: int = 0
    cases: int = 0
    half_widths: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    """of runs that are truly alike, the square of their log ratio less what their rounds show"""
    slower_than_true: int = 0
    faster_than_true: int = 0
    called_wrongly: int = 0
    """faster or slower, and it is not"""
    gates: Counter[GateOutcome] = field(default_factory=Counter)
    wrong_gates: int = 0

    @property
    def wrong(self) -> int:
        """Intervals."""
        return self.slower_than_true + self.faster_than_true


def main() -> int:
    """Make runs, then count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--budget", help="time to make runs in")
    parser.add_argument("--output", type=Path, default=Path("results-false-alarms"))
    parser.add_argument("--engines", default="onnxruntime,pytorch")
    parser.add_argument("--rounds", type=int, default=5, help="of each run")
    parser.add_argument("--race", default="2m", help="at most so long for a run; twice for a truth or a rerace")
    options = parser.parse_args()
    if options.budget:
        make_runs(options, time.monotonic() + Duration().read(options.budget))
    with Store.open(options.output, create=False) as store:
        runs = {job: cards_of(store, job) for job in JOBS if job.kind == "run"}
        truth = truth_of([card for job in JOBS if job.kind == "truth" for card in cards_of(store, job)])
    tallies = count(runs, truth)
    gates = [msgspec.json.decode(path.read_bytes(), type=Gate) for path in kept_gates(options.output, TAG)]
    print_all(sum(map(len, runs.values())), tallies, truth, gates)
    intervals = sum(len(tally.half_widths) for tally in tallies.values())
    wrong = sum(tally.wrong for tally in tallies.values())
    wrong_gates = sum(tally.wrong_gates for tally in tallies.values()) + len(failed(gates))
    return 1 if wrong > MOST_WRONG * intervals or wrong_gates else 0


def make_runs(options: argparse.Namespace, until: float) -> None:
    """Do what was done least so far, while the longest that its like took, or may take, fits into the time."""
    took: dict[tuple[str, str], float] = {}
    while True:
        done = {job: times_done(options.output, job) for job in JOBS}
        ready = [job for job in JOBS if job.kind != "rerace" or times_done(options.output, baseline_of(job))]
        job = min(random.sample(ready, len(ready)), key=done.__getitem__)
        begin = time.monotonic()
        if begin + took.get((job.kind, job.model), limit_s(options, job)) >= until:
            return
        print(f"{time.strftime('%H:%M:%S')} {job.tag}, for the {done[job] + 1}. time", flush=True)
        {"run": run, "truth": run, "rerace": rerace}[job.kind](options, job)
        took[job.kind, job.model] = max(took.get((job.kind, job.model), 0.0), time.monotonic() - begin)


def limit_s(options: argparse.Namespace, job: Job) -> float:
    """How long it may race."""
    return float(Duration().read(options.race)) * (1 if job.kind == "run" else 2)


def baseline_of(job: Job) -> Job:
    """The run that it races again: one that nobody disturbed, wherever it is raced itself."""
    return job._replace(kind="run", busy=False)


def times_done(output: Path, job: Job) -> int:
    """How often, in all sittings."""
    if job.kind == "rerace":
        return len(kept_gates(output, f"{job.tag}-try"))
    if not (output / "bakeoff.sqlite").exists():
        return 0
    with Store.open(output, create=False) as store:
        return len(store.history(tag=job.tag))


def run(options: argparse.Namespace, job: Job) -> None:
    """A run, or a race of all numbers of threads."""
    what = ("--engines", options.engines, "--batch", "1", "--threads", job.threads, "--no-profile", "--tag", job.tag)
    long = ("--rounds", str(options.rounds), "--budget", f"{limit_s(options, job)}s")
    bakeoff(job, "run", job.model, *what, *long, "--output", str(options.output))


def rerace(options: argparse.Namespace, job: Job) -> None:
    """The engines of the last such run against themselves; the gate is kept."""
    folder = options.output / "gates"
    folder.mkdir(parents=True, exist_ok=True)
    baseline = folder / "baseline.json.tmp"
    bakeoff(job, "baseline", baseline_of(job).tag, "--to", str(baseline), "--output", str(options.output))
    to = folder / f"{job.tag}-try-{times_done(options.output, job) + 1}.json"
    asked = ("--max-slowdown", f"{MAX_SLOWDOWN:.0%}", "--budget", f"{limit_s(options, job)}s")
    kept = ("--format", "json", "--to", str(to), "--output", str(options.output))
    bakeoff(job, "gate", "--baseline", str(baseline), "--rerace", *asked, *kept)


def kept_gates(output: Path, name: str) -> list[Path]:
    """The files of those reraces whose names begin so."""
    return sorted((output / "gates").glob(f"{name}-*.json"))


def bakeoff(job: Job, *words: str) -> None:
    """What a user types, beside a neighbour if the job says so. Leaves if it cannot be done."""
    command = [sys.executable, "-m", "bakeoff", *words]
    if job.busy:
        command = [sys.executable, str(NEIGHBOUR), "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        sys.exit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")


def cards_of(store: Store, job: Job) -> list[Scorecard]:
    """Its runs, the oldest first."""
    return [scorecards.of_run(store, each.name) for each in reversed(store.history(tag=job.tag))]


def truth_of(cards: Iterable[Scorecard]) -> Truth:
    """From races in which both numbers of threads took their turns in the same rounds."""
    logs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for card in cards:
        by_threads = {(s.case.model, s.case.contender.engine, s.case.contender.threads): s.rounds for s in card.scores}
        for model, engine, threads in by_threads:
            few, many = (by_threads.get((model, engine, each), {}) for each in THREADS)
            if threads == THREADS[0]:
                logs[model, engine] += [many[number] - few[number] for number in few.keys() & many.keys()]
    found = {}
    for key, values in logs.items():
        if len(values) > 1:
            known = of_values(values)
            reach = Estimate(Method.PAIRED, known.mean, known, known).reach(0.005)
            found[key] = known.mean - reach, known.mean + reach
    return found


def true_ratio(before: Case, after: Case, truth: Truth) -> tuple[float, float] | None:
    """Between which log ratios the truth lies; None where no race told."""
    if before.contender.threads == after.contender.threads:
        return 0.0, 0.0
    known = truth.get((after.model, after.contender.engine))
    if known is None or after.contender.threads == THREADS[-1]:
        return known
    return -known[1], -known[0]


def count(runs: Mapping[Job, Sequence[Scorecard]], truth: Truth) -> dict[tuple[bool, bool], Tally]:
    """Whether threads differed, and whether a neighbour was there -> what the pairs came to."""
    tallies: dict[tuple[bool, bool], Tally] = defaultdict(Tally)
    labelled = sorted(((job, card) for job in runs for card in runs[job]), key=lambda each: each[1].started_at)
    for (first, before), (second, after) in itertools.combinations(labelled, 2):
        if first.model == second.model:
            tally_pair(tallies[first.threads != second.threads, first.busy or second.busy], before, after, truth)
    return tallies


def tally_pair(tally: Tally, before: Scorecard, after: Scorecard, truth: Truth) -> None:
    """Add what a comparison and a gate say of two runs."""
    try:
        report = compare_runs(before, after)
    except UsageError:
        return
    tally.pairs += 1
    true = {case.after: true_ratio(case.before, case.after, truth) for case in report.cases}
    for case in report.cases:
        known = true[case.after]
        if known is None:
            continue
        tally.cases += 1
        if case.interval is None:
            continue
        low, high = map(math.log, case.interval)
        tally.half_widths.append((high - low) / 2)
        tally.slower_than_true += high < known[0]
        tally.faster_than_true += low > known[1]
        slower, faster = case.change is Change.SLOWER, case.change is Change.FASTER
        tally.called_wrongly += (slower and known[1] >= 0) or (faster and known[0] <= 0)
    pairs = pair(before, after)
    for old, new in pairs.cases:
        found = estimate(before, after, old, new)
        if found and found.bounded and true[new.case] == (0.0, 0.0):
            tally.left.append(found.mean**2 - sum(each.sd**2 / each.count for each in (found.first, found.second)))
    gate = gate_across(before, after, pairs, MAX_SLOWDOWN)
    tally.gates[gate.outcome] += 1
    alarms = [true.get(case.case) for case in gate.cases if case.outcome is GateOutcome.FAIL]
    tally.wrong_gates += any(known is not None and known[1] >= 0 for known in alarms)


def failed(reraces: Iterable[Gate]) -> list[Gate]:
    """Every failure of a rerace is wrong: the engines are the same."""
    return [gate for gate in reraces if gate.outcome is GateOutcome.FAIL]


def print_all(runs: int, tallies: Mapping[tuple[bool, bool], Tally], truth: Truth, reraces: Sequence[Gate]) -> None:
    """Tables in Markdown."""
    rows = []
    for (unlike, busy), tally in sorted(tallies.items()):
        width, left = tally.half_widths, tally.left
        deviations = [
            f"{math.expm1(statistics.median(width)):.1%}" if width else "-",
            f"{math.sqrt(max(0.0, statistics.fmean(left)) / 2):.1%}" if left else "-",
        ]
        of_pair = ["unlike" if unlike else "alike", "beside one or both" if busy else "none"]
        counts = [
            tally.pairs,
            tally.cases,
            len(width),
            tally.slower_than_true,
            tally.faster_than_true,
            tally.called_wrongly,
        ]
        of_gates = [" / ".join(str(tally.gates[each]) for each in GateOutcome), str(tally.wrong_gates)]
        rows.append([*of_pair, *map(str, counts), *deviations, *of_gates])
    print(f"\n{runs} runs\n")
    print(markup.as_markdown(HEADER, rows))
    for (model, engine), (low, high) in truth.items():
        bounds = f"{math.exp(low):.3f} to {math.exp(high):.3f}"
        print(f"\n{engine}, {model}: {THREADS[-1]} threads are truly {bounds} times as fast as {THREADS[0]}")
    print(f"\nreraces of the same: {len(reraces)}, of which failed: {len(failed(reraces))}")


if __name__ == "__main__":
    sys.exit(main())
