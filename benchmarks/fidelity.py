"""Whether bakeoff measures what the engines' own benchmark tools measure, within 3%.

    .venv/bin/python benchmarks/fidelity.py                      # every comparison whose engine is installed
    .venv/bin/python benchmarks/fidelity.py openvino loadgen --rounds 12 --model resnet50

A round runs ours and theirs, in random order, each in a fresh process on the same model, batch size and threads, and
compares like with like: median with median, and mean with mean where a tool tells no other. Over the rounds the log
ratio gets a 90% interval by Student's t: inside ±3% the two agree (two one-sided tests at 5%), outside they do not, and
else more rounds would tell. Prints a Markdown table, and fails where they do not agree or a tool does not run.
"""

import argparse
import functools
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import overlay
from bakeoff.errors import BakeoffError, WorkerError
from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.models.inputs import input_sets
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready.conversion import in_form
from bakeoff.records import EngineSpec, Installed
from bakeoff.worker.session import WORKER, WorkerSession, spawn_environment

MARGIN = 0.03
TWO_ONE_SIDED = 0.90
"""confidence of the interval that stands for two one-sided tests at 5% each"""
OWN_TOOLS = Path(__file__).parent / "own_tools"

Centre = Callable[[Sequence[float]], float]


class ToolError(Exception):
    """A tool that cannot do this, or did not run; the message says why."""


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

    @property
    def threads(self) -> int:
        """For either side."""
        return int(self.settings["threads"])

    def job(self) -> str:
        """For the scripts in own_tools/."""
        fields = {"model": self.model, "settings": self.settings, "inputs": self.inputs, "seconds": self.seconds}
        return json.dumps(fields)

    def tool(self, name: str) -> str:
        """The path of a program of the engine's environment."""
        return str(self.installed.path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / name)

    def run(self, *command: str, **variables: str) -> str:
        """A program's stdout, in the engine's worker environment. Its last words are the error if it fails."""
        env = spawn_environment(self.threads, self.installed.env, self.engine.env, variables)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    def script(self, name: str, *arguments: str, **variables: str) -> dict[str, Any]:
        """What a script in own_tools/ prints, run by the engine's Python."""
        lines = self.run(self.tool("python"), str(OWN_TOOLS / name), *arguments, self.job(), **variables).splitlines()
        return dict(json.loads(lines[-1]))


def ours(bench: Bench, centre: Centre) -> float:
    """The median or mean latency as bakeoff measures it, in seconds."""
    engine = bench.engine
    env = spawn_environment(bench.threads, bench.installed.env, engine.env)
    with WorkerSession(bench.installed.command, engine.adapter, env, bench.folder / "log", 300.0) as session:
        session.hello()
        session.load(bench.model, bench.settings)
        session.prepare([bench.inputs])
        warm = session.warm_up([0] * 1000, at_least=3, at_most_seconds=1.0)
        calls = max(10, round(bench.seconds / statistics.median(warm)))
        outputs = bench.folder / "outputs"
        outputs.mkdir(exist_ok=True)
        return centre(session.measure([0] * calls, [0], outputs).latencies)


def openvino_tool(bench: Bench) -> float:
    """OpenVINO's benchmark_app: synchronous, one stream."""
    shapes = ",".join(f"{tensor['name']}{tensor['shape']}".replace(" ", "") for tensor in bench.model["inputs"])
    fixed = ["-hint", "none", "-api", "sync", "-nstreams", "1", "-infer_precision", "f32"]
    sized = ["-nthreads", str(bench.threads), "-t", str(round(bench.seconds)), "-shape", shapes]
    said = bench.run(bench.tool("benchmark_app"), "-m", bench.model["path"], "-d", "CPU", *fixed, *sized)
    found = re.search(r"Median:\s+([\d.]+) ms", said)
    if not found:
        raise ToolError(f"benchmark_app tells no median: {said[-400:]}")
    return float(found.group(1)) / 1e3


def torch_tool(bench: Bench) -> float:
    """PyTorch's torch.utils.benchmark."""
    return float(bench.script("torch_timer.py", str(bench.engine.adapter.parent))["seconds"])


def onnxruntime_tool(bench: Bench) -> float:
    """ONNX Runtime's own onnxruntime_test, the Python benchmark in its wheel; it tells the mean."""
    return float(bench.script("onnxruntime_timer.py")["seconds"])


def litert_tool(bench: Bench) -> float:
    """LiteRT's own litert-benchmark, which runs a file at the batch size 1."""
    if bench.settings["batch_size"] != 1:
        raise ToolError("litert-benchmark runs batch 1 only")
    result = bench.folder / "litert.json"

    def median_ms(runs: int) -> float:
        sized = [f"--num_threads={bench.threads}", f"--num_runs={runs}", f"--result_json={result}"]
        bench.run(bench.tool("litert-benchmark"), f"--model={bench.model['path']}", *sized)
        return float(json.loads(result.read_text(encoding="utf-8"))["latency"]["median_ms"])

    return median_ms(max(10, round(bench.seconds * 1e3 / median_ms(10)))) / 1e3


def iree_tool(bench: Bench) -> float:
    """IREE's own iree-benchmark-module; each of its repetitions tells a mean."""
    compiled = bench.script("iree_file.py", str(bench.engine.adapter.parent))
    repetitions = max(1, round(bench.seconds))
    said = bench.run(
        bench.tool("iree-benchmark-module"),
        "--device=local-task",
        f"--task_topology_group_count={bench.threads}",
        f"--module={compiled['path']}",
        f"--function={compiled['function']}",
        *(f"--input=@{path}" for path in bench.inputs),
        "--benchmark_min_time=1s",
        f"--benchmark_repetitions={repetitions}",
        "--benchmark_format=json",
    )
    runs = json.loads(said[said.index("{") :])["benchmarks"]
    return statistics.mean(in_seconds(run) for run in runs if run["run_type"] == "iteration")


def in_seconds(run: dict[str, Any]) -> float:
    """The wall time of one repetition's iterations, of Google Benchmark's JSON."""
    return float(run["real_time"]) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[run["time_unit"]]


def loadgen_tool(bench: Bench, scenario: str) -> float:
    """MLPerf LoadGen driving the same adapter: the median in SingleStream, the time per query in Offline."""
    wheel = str(overlay.loadgen(bench.installed))
    words = (scenario, str(WORKER), str(bench.engine.adapter))
    return float(bench.script("loadgen_worker.py", *words, PYTHONPATH=wheel)["seconds"])


@dataclass(frozen=True)
class Comparison:
    """An engine, what it is compared with, and which figure that tells."""

    engine: str
    title: str
    theirs: Callable[[Bench], float]
    centre: Centre = statistics.median


COMPARISONS: dict[str, Comparison] = {
    "openvino": Comparison("openvino", "benchmark_app", openvino_tool),
    "pytorch": Comparison("pytorch", "torch.utils.benchmark", torch_tool),
    "onnxruntime": Comparison("onnxruntime", "onnxruntime_test", onnxruntime_tool, statistics.mean),
    "loadgen": Comparison(
        "onnxruntime", "LoadGen SingleStream", functools.partial(loadgen_tool, scenario="SingleStream")
    ),
    "loadgen-offline": Comparison(
        "onnxruntime", "LoadGen Offline", functools.partial(loadgen_tool, scenario="Offline"), statistics.mean
    ),
    "litert": Comparison("litert", "litert-benchmark", litert_tool),
    "iree": Comparison("iree", "iree-benchmark-module", iree_tool, statistics.mean),
}

HEADER = """\
| engine | its own tool | figure | ours | theirs | ours / theirs | |
| --- | --- | --- | ---: | ---: | ---: | --- |"""


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
    print(f"{options.model}, batch {options.batch}, {options.threads} threads, {options.rounds} rounds\n\n{HEADER}")
    bad = [name for name in options.comparisons or COMPARISONS if not holds(name, options)]
    if bad:
        sys.exit(f"not within {MARGIN:.0%}, or not run: {', '.join(bad)}")


def holds(name: str, options: argparse.Namespace) -> bool:
    """Run one comparison and print its row; False where the two certainly differ, or a side does not run."""
    comparison = COMPARISONS[name]
    try:
        pairs = list(rounds_of(name, comparison, options))
        holds_, told = judged(pairs)
    except (ToolError, WorkerError, BakeoffError) as error:
        holds_, told = False, f"- | - | - | {' '.join(str(error).split()).replace('|', '/')}"
    figure = "median" if comparison.centre is statistics.median else "mean"
    print(f"| {comparison.engine} | {comparison.title} | {figure} | {told} |", flush=True)
    return holds_


def rounds_of(name: str, comparison: Comparison, options: argparse.Namespace) -> Iterator[tuple[float, float]]:
    """Ours and theirs of each round, in seconds. Raises `ToolError`, `WorkerError` or `BakeoffError`."""
    [engine] = Catalogue.load().select([comparison.engine])
    standing = {spec.name: environments.find(spec) for spec in engine.environments}
    missing = [each for each, installed in standing.items() if installed is None]
    if missing:
        raise ToolError(f"{', '.join(missing)}: not installed (bakeoff engines install {engine.name})")
    rng = random.Random(name)  # noqa: S311 - an order, no secret
    with tempfile.TemporaryDirectory() as folder:
        bench = set_up(engine, {each: found for each, found in standing.items() if found}, options, Path(folder))
        sides: dict[str, Callable[[Bench], float]]
        sides = {"ours": functools.partial(ours, centre=comparison.centre), "theirs": comparison.theirs}
        for round_ in range(options.rounds):
            print(f"{name}: round {round_ + 1} of {options.rounds}", file=sys.stderr, flush=True)
            seconds = {side: sides[side](bench) for side in rng.sample(list(sides), 2)}
            yield seconds["ours"], seconds["theirs"]


def judged(pairs: Sequence[tuple[float, float]]) -> tuple[bool, str]:
    """False where the two certainly differ; and what the pairs say, as the rest of a table's row."""
    centre, interval = geometric_mean_interval([mine / other for mine, other in pairs], TWO_ONE_SIDED)
    low, high = interval or (0.0, math.inf)
    mine, other = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
    inside = low > 1 / (1 + MARGIN) and high < 1 + MARGIN
    outside = high < 1 / (1 + MARGIN) or low > 1 + MARGIN
    word = "agree" if inside else "DIFFER" if outside else "undecided: more rounds would tell"
    return not outside, f"{mine:.2f} ms | {other:.2f} ms | {centre:.3f} [{low:.3f}-{high:.3f}] | {word}"


def set_up(engine: EngineSpec, standing: dict[str, Installed], options: argparse.Namespace, folder: Path) -> Bench:
    """The model in the engine's form, and one input set."""
    library = ModelLibrary(paths.cache_dir())
    model = library.resolve(options.model)
    [(arrays, _rows)] = input_sets(library.samples(model, 0, options.batch).files, options.batch, 1)
    inputs = [str(folder / f"{i}.npy") for i in range(len(arrays))]
    for path, array in zip(inputs, arrays, strict=True):
        np.save(path, array, allow_pickle=False)
    sides = {"inputs": model.inputs, "outputs": model.outputs}
    tensors = {
        side: [{"name": t.name, "dtype": t.dtype, "shape": list(t.at(options.batch))} for t in specs]
        for side, specs in sides.items()
    }
    settings = {**engine.usual, "threads": options.threads, "precision": "fp32", "batch_size": options.batch}
    path = str(in_form(model, engine.model, standing, library, lambda line: print(line, file=sys.stderr)))
    return Bench(
        engine=engine,
        installed=standing[engine.environment.name],
        model={"path": path, "format": engine.model.format, **tensors},
        settings=settings,
        inputs=inputs,
        seconds=options.seconds,
        folder=folder,
    )


if __name__ == "__main__":
    main()
