"""Does the gate keep its promises on real engines? For a quiet machine.

`python benchmarks/gate.py rerace [--tries 10]` races ONNX Runtime on ResNet-18 with a delay of 10% injected against a
baseline without it, again and again, by `bakeoff gate --rerace --max-slowdown 5%`; then as often without any delay.
Exits with 1 unless at least 9 in 10 of the former fail and none of the latter does.

`python benchmarks/gate.py record [--runs 4] [--every 60m]` races the study's engines at different hours under the tag
`aa`; `python benchmarks/gate.py spread` then holds every two of these runs against each other: no gate may fail (or it
exits with 1), and the figure it prints is this machine's `bakeoff.judge.between_runs.across.BETWEEN_RUNS`.
"""

import argparse
import itertools
import json
import math
import statistics
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import msgspec

from bakeoff.engines.catalogue import BUILT_IN
from bakeoff.judge.between_runs.across import estimate
from bakeoff.judge.between_runs.gate import gate_across
from bakeoff.judge.between_runs.pairing import pair
from bakeoff.race.stored import scorecards
from bakeoff.scorecards import GateOutcome, Method, Scorecard
from bakeoff.store import Store

TAG = "aa"
ENGINE = "onnxruntime-delayed"
OUTCOMES = {0: "pass", 1: "fail", 3: "undecided"}
ADAPTER = '''
import time

from original import Engine as Original


class Engine(Original):
    """ONNX Runtime, slower by a known share of its own time."""

    def run(self, k):
        begin = time.perf_counter()
        Original.run(self, k)
        now = time.perf_counter()
        until = now + (now - begin) * DELAY
        while now < until:
            now = time.perf_counter()
'''
TOML = f"""
title = "ONNX Runtime with a delay"
[engines.{ENGINE}]
title = "ONNX Runtime with a delay"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "onnxruntime-1-32"
package = "onnxruntime"
model = {{ format = "onnx" }}
options = {{ provider = "CPUExecutionProvider" }}
"""


def main() -> int:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["rerace", "record", "spread"])
    parser.add_argument("--output", type=Path, default=Path("results-gate"))
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch", default="1")
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--delay", type=float, default=0.10)
    parser.add_argument("--budget", default="10m", help="of each rerace, and of each recorded run")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--every", type=int, default=3600, help="seconds from one recorded run to the next")
    arguments = parser.parse_args()
    return {"rerace": rerace, "record": record, "spread": spread}[arguments.what](arguments)


def rerace(arguments: argparse.Namespace) -> int:
    """A true slowdown and none, each several times."""
    output: Path = arguments.output
    folder = output / "engines" / ENGINE
    write_engine(folder, 0.0)
    where = ("--engines-dir", str(folder), "--output", str(output))
    race = ("run", arguments.model, "--engines", ENGINE, "--batch", arguments.batch, "--rounds", "5", *where)
    bakeoff(*race)
    baseline = output / "baseline.json"
    bakeoff("baseline", "--to", str(baseline), "--output", str(output))
    gate = ("gate", "--baseline", str(baseline), "--rerace", "--max-slowdown", "5%", "--budget", arguments.budget)
    found = {}
    for delay in (arguments.delay, 0.0):
        write_engine(folder, delay)
        outcomes = []
        for number in range(arguments.tries):
            begin = time.monotonic()
            done = bakeoff(*gate, "--format", "json", *where, codes=OUTCOMES)
            (case,) = json.loads(done.stdout)["cases"]
            outcomes.append(case["outcome"])
            ratio, took = case["ratio"], time.monotonic() - begin
            print(f"delay {delay:.0%}, try {number + 1}: {outcomes[-1]}, {ratio:.3f}x, {took:.0f} s", flush=True)
        found[delay] = Counter(outcomes)
        print(f"delay {delay:.0%}: {dict(found[delay])}", flush=True)
    caught, alarms = found[arguments.delay]["fail"], found[0.0]["fail"]
    return 0 if caught >= 0.9 * arguments.tries and not alarms else 1


def write_engine(folder: Path, delay: float) -> None:
    """ONNX Runtime's own adapter, and one that delays it."""
    folder.mkdir(parents=True, exist_ok=True)
    original = (BUILT_IN / "onnxruntime" / "adapter.py").read_text(encoding="utf-8")
    (folder / "original.py").write_text(original, encoding="utf-8")
    (folder / "adapter.py").write_text(f"DELAY = {delay}\n{textwrap.dedent(ADAPTER)}", encoding="utf-8")
    (folder / "engine.toml").write_text(TOML, encoding="utf-8")


def record(arguments: argparse.Namespace) -> int:
    """The same run at different hours."""
    for number in range(arguments.runs):
        begin = time.monotonic()
        flags = ("--batch", arguments.batch, "--budget", arguments.budget, "--tag", TAG)
        bakeoff("run", arguments.model, *flags, "--output", str(arguments.output), codes={0, 1})
        if number + 1 < arguments.runs:
            time.sleep(max(0.0, arguments.every - (time.monotonic() - begin)))
    return 0


def spread(arguments: argparse.Namespace) -> int:
    """Every two recorded runs against each other."""
    with Store.open(arguments.output, create=False) as store:
        cards = [scorecards.of_run(store, run.name) for run in store.history(tag=TAG)]
    pairs = list(itertools.combinations(cards, 2))
    outcomes = Counter(gate_of(before, after) for before, after in pairs)
    print(f"{len(cards)} runs, {len(pairs)} pairs: {dict(outcomes)}")
    for method in (Method.CANARY, Method.NONE):
        print(f"between runs, {method}: {between(pairs, method):.4f} of log throughput")
    return 1 if outcomes[GateOutcome.FAIL] else 0


def gate_of(before: Scorecard, after: Scorecard) -> GateOutcome:
    """What the gate says of two runs of the same."""
    return gate_across(before, after, pair(before, after), 0.05).outcome


def between(pairs: list[tuple[Scorecard, Scorecard]], method: Method) -> float:
    """The standard deviation between runs that is left when what trials show is taken away; NaN without a pair."""
    left = []
    for before, after in pairs:
        first, second = (card if method is Method.CANARY else without_canary(card) for card in (before, after))
        for old, new in pair(first, second).cases:
            found = estimate(first, second, old, new)
            if found and found.method is method and found.bounded:
                shown = found.first.sd**2 / found.first.count + found.second.sd**2 / found.second.count
                left.append(found.mean**2 - shown)
    return math.sqrt(max(0.0, statistics.fmean(left) / 2)) if left else math.nan


def without_canary(card: Scorecard) -> Scorecard:
    """The run as though it had none."""
    return msgspec.structs.replace(card, canary=())


def bakeoff(*arguments: str, codes: Collection[int] = (0,)) -> "subprocess.CompletedProcess[str]":
    """What a user types; leaves if it ends otherwise than expected."""
    command = [sys.executable, "-m", "bakeoff", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done


if __name__ == "__main__":
    sys.exit(main())
