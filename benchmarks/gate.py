"""Does the gate keep its promises on real engines? For a quiet machine.

`python benchmarks/gate.py [--tries 10]` races ONNX Runtime on ResNet-18 with a delay of 10% injected against a
baseline without it, again and again, by `bakeoff gate --rerace --max-slowdown 5%`; then as often without any delay.
Exits with 1 unless at least 9 in 10 of the former fail and none of the latter does.
"""

import argparse
import json
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from bakeoff.engines.catalogue import BUILT_IN

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
    """A true slowdown and none, each several times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("results-gate"))
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch", default="1")
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--delay", type=float, default=0.10)
    parser.add_argument("--budget", default="10m", help="of each rerace")
    arguments = parser.parse_args()
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


def bakeoff(*arguments: str, codes: Collection[int] = (0,)) -> "subprocess.CompletedProcess[str]":
    """What a user types; leaves if it ends otherwise than expected."""
    command = [sys.executable, "-m", "bakeoff", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done


if __name__ == "__main__":
    sys.exit(main())
