"""Whether bakeoff measures what the engines' own benchmark tools measure, within 3%.

    .venv/bin/python benchmarks/fidelity.py                      # every comparison whose engine is installed
    .venv/bin/python benchmarks/fidelity.py openvino loadgen --rounds 12 --model resnet50

A round runs ours and theirs, in random order, each in a fresh process on the same model, batch size and threads, and
compares median with median. Over the rounds the log ratio gets a 90% interval by Student's t: inside ±3% the two agree
(two one-sided tests at 5%), outside they do not, and else more rounds would tell. Fails where they do not agree.
"""

import argparse
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.judge.statistics import geometric_mean_interval
from bakeoff.models.inputs import input_sets
from bakeoff.models.library import ModelLibrary
from bakeoff.records import EngineSpec, Installed
from bakeoff.worker.session import WORKER, WorkerSession, spawn_environment

MARGIN = 0.03
TWO_ONE_SIDED = 0.90
"""confidence of the interval that stands for two one-sided tests at 5% each"""
OWN_TOOLS = Path(__file__).parent / "own_tools"
LOADGEN = "mlcommons-loadgen==6.0.17"


@dataclass(frozen=True)
class Bench:
    """One engine with everything that either side needs to run it."""

    engine: EngineSpec
    installed: Installed
    model: dict[str, Any]
    settings: dict[str, Any]
    inputs: list[str]
    seconds: float
    folder: Path

    def job(self) -> str:
        """For the scripts in own_tools/."""
        fields = {"model": self.model, "settings": self.settings, "inputs": self.inputs, "seconds": self.seconds}
        return json.dumps(fields)

    def run(self, *command: str, **variables: str) -> str:
        """A program's stdout, in the engine's worker environment. Its last words are the error if it fails."""
        env = spawn_environment(self.settings["threads"], self.installed.env, self.engine.env, variables)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    def script(self, name: str, *arguments: str, **variables: str) -> float:
        """The median that a script in own_tools/ prints, in seconds."""
        python = str(self.installed.path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        lines = self.run(python, str(OWN_TOOLS / name), *arguments, self.job(), **variables).splitlines()
        return float(json.loads(lines[-1])["median_s"])


def ours(bench: Bench) -> float:
    """The median latency as bakeoff measures it, in seconds."""
    engine = bench.engine
    env = spawn_environment(bench.settings["threads"], bench.installed.env, engine.env)
    with WorkerSession(bench.installed.command, engine.adapter, env, bench.folder / "log", 300.0) as session:
        session.hello()
        session.call("load", model=bench.model, settings=bench.settings)
        session.call("prepare", input_sets=[bench.inputs])
        warm = session.call("warm_up", order=[0] * 1000, at_least=3, at_most_seconds=1.0)["latencies"]
        calls = max(10, round(bench.seconds / statistics.median(warm)))
        return float(statistics.median(session.call("measure", order=[0] * calls, untimed=[0])["latencies"]))


def openvino_tool(bench: Bench) -> float:
    """OpenVINO's benchmark_app: synchronous, one stream."""
    tool = str(bench.installed.path / "venv" / "bin" / "benchmark_app")
    shapes = ",".join(f"{tensor['name']}{tensor['shape']}".replace(" ", "") for tensor in bench.model["inputs"])
    fixed = ["-hint", "none", "-api", "sync", "-nstreams", "1", "-infer_precision", "f32"]
    sized = ["-nthreads", str(bench.settings["threads"]), "-t", str(round(bench.seconds)), "-shape", shapes]
    said = bench.run(tool, "-m", bench.model["path"], "-d", "CPU", *fixed, *sized)
    found = re.search(r"Median:\s+([\d.]+) ms", said)
    return float(found.group(1)) / 1e3 if found else sys.exit(f"benchmark_app tells no median:\n{said[-400:]}")


def torch_tool(bench: Bench) -> float:
    """PyTorch's torch.utils.benchmark."""
    return bench.script("torch_timer.py", str(bench.engine.adapter.parent))


def loadgen_tool(bench: Bench) -> float:
    """MLPerf LoadGen, single stream, driving the same adapter."""
    wheel = paths.cache_dir() / "benchmarks" / "loadgen"
    if not wheel.is_dir():
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(wheel), LOADGEN],
            check=True,
        )
    return bench.script("loadgen_worker.py", str(WORKER), str(bench.engine.adapter), PYTHONPATH=str(wheel))


COMPARISONS: dict[str, tuple[str, Callable[[Bench], float]]] = {
    "openvino": ("openvino", openvino_tool),
    "pytorch": ("pytorch", torch_tool),
    "loadgen": ("onnxruntime", loadgen_tool),
}
"""name -> engine, its own tool"""


def main() -> None:
    """Compare, print, and fail where something disagrees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparisons", nargs="*", choices=[*COMPARISONS, []], metavar=f"{{{','.join(COMPARISONS)}}}")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="that either side measures in a round")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    disagreements = [name for name in options.comparisons or COMPARISONS if not agrees(name, options)]
    if disagreements:
        sys.exit(f"not within {MARGIN:.0%}: {', '.join(disagreements)}")


def agrees(name: str, options: argparse.Namespace) -> bool:
    """Run the rounds of one comparison and print what they say; False only where the two certainly differ."""
    engine_name, theirs = COMPARISONS[name]
    [engine] = Catalogue.load().select([engine_name])
    installed = environments.find(engine.environment)
    if installed is None:
        print(f"{name}: {engine_name} is not installed (bakeoff engines install {engine_name})")
        return True
    rng = random.Random(name)  # noqa: S311 - an order, no secret
    ratios, pairs = [], []
    with tempfile.TemporaryDirectory() as folder:
        bench = set_up(engine, installed, options, Path(folder))
        for _ in range(options.rounds):
            medians = {side: side(bench) for side in rng.sample([ours, theirs], 2)}
            pairs.append((medians[ours], medians[theirs]))
            ratios.append(medians[ours] / medians[theirs])
    centre, interval = geometric_mean_interval(ratios, TWO_ONE_SIDED)
    low, high = interval or (0.0, math.inf)
    mine, other = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
    inside = low > 1 / (1 + MARGIN) and high < 1 + MARGIN
    outside = high < 1 / (1 + MARGIN) or low > 1 + MARGIN
    word = "agree" if inside else "DIFFER" if outside else "undecided: more rounds would tell"
    print(
        f"{name}: ours {mine:.2f} ms, theirs {other:.2f} ms, ratio {centre:.3f} [{low:.3f}-{high:.3f}] "
        f"over {options.rounds} rounds: {word}",
        flush=True,
    )
    return not outside


def set_up(engine: EngineSpec, installed: Installed, options: argparse.Namespace, folder: Path) -> Bench:
    """The model in the engine's form, and one input set."""
    library = ModelLibrary(paths.cache_dir())
    model = library.resolve(options.model)
    [(arrays, _rows)] = input_sets(library.samples(model, 0, options.batch), options.batch, 1)
    inputs = [str(folder / f"{i}.npy") for i in range(len(arrays))]
    for path, array in zip(inputs, arrays, strict=True):
        np.save(path, array, allow_pickle=False)
    sides = {"inputs": model.inputs, "outputs": model.outputs}
    tensors = {
        side: [{"name": t.name, "dtype": t.dtype, "shape": list(t.at(options.batch))} for t in specs]
        for side, specs in sides.items()
    }
    settings = {**engine.options, "threads": options.threads, "precision": "fp32", "batch_size": options.batch}
    path = str(library.form(model, engine.model))
    return Bench(
        engine=engine,
        installed=installed,
        model={"path": path, "format": engine.model.format, **tensors},
        settings=settings,
        inputs=inputs,
        seconds=options.seconds,
        folder=folder,
    )


if __name__ == "__main__":
    main()
