"""Fit the two virtual machines of `benchmarks.deciding` to what real races recorded: `benchmarks/data/machines.json`.

    .venv/bin/python -m benchmarks.fit_machines noisy-avx2.sqlite benchmarks/data/report-2026-11-28.html

*noisy*: a default race on a VM of 2 CPUs with neighbours (a store: every latency). *quiet*: a default race
of 28 November 2026 on an AMD EPYC, of which its report is kept: images/s, time to load, first inference, time to the
first answer.

Costs are medians. What is unaccounted for (starting and ending workers, taking turns, checks on new inputs) is what
ResNet-18's first heat took beyond what its trials tell. The noise was set by hand, so that virtual races show the same

- autocorrelation within the long trials of ResNet-18: a call's own noise, 5% (3% on the quiet machine, whose traces lie
  in tests/unit/judge/case/data), falls off at once; the rest is forgotten in some 0.3 s, a little of it in seconds;
- residuals of bursts and trials that engines and turns do not explain, ResNet-18: those of trials leave next to nothing
  to what differs between processes;
- half-widths of rows in the quiet machine's race.

All else is held back: the durations of later heats and of ResNet-50's, its residuals, rounds, half-widths of ratios,
how many comparisons are decided. `python -m benchmarks.virtual_check` prints both side by side.
"""

import argparse
import html
import json
import math
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from bakeoff.records import CANARY, Measurement, Trial
from bakeoff.store import Store

TARGET = Path(__file__).parent / "data" / "machines.json"
SIZES = (1, 2, 4, 8)


def main() -> None:
    """Read both, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("store", type=Path)
    parser.add_argument("report", type=Path)
    options = parser.parse_args()
    quiet = of_report(options.report.read_text(encoding="utf-8"))
    noisy = of_store(trials_of(options.store), quiet)
    TARGET.write_text(json.dumps({"quiet": quiet, "noisy": noisy}, indent=1) + "\n", encoding="utf-8")


def trials_of(store: Path) -> list[Trial]:
    """The trials of the only run of `store`, which is not touched."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "bakeoff.sqlite"
        shutil.copyfile(store, copy)
        copy.chmod(0o600)
        with Store.open(Path(folder), create=False) as opened:
            (run,) = opened.runs()
            return list(opened.trials(run.name))


# The quiet machine


def of_report(page: str) -> dict[str, Any]:
    """Costs by the table and the times to the first answer of a report; the noise is what its intervals ask for."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|style|script).*?</\1>", "", page, flags=re.DOTALL)))
    words = " ".join(text.split())
    speed: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    load: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    first: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    row = re.compile(
        r"(\S+) \S+ (resnet\d+) (\d) ([\d.]+) ±[\d.]+% \w+ (?:- |[\d.]+ m?s ){2}(-|[\d.]+ m?s) (-|[\d.]+ m?s) "
    )
    for engine, model, batch, fps, loaded, answered in row.findall(words):
        speed[engine][model][int(batch)] = int(batch) / float(fps)
        if loaded != "-":
            load[engine][model].append(seconds(loaded))
            first[engine][model][int(batch)] = seconds(answered)
    begins = {
        (engine, model, int(batch)): seconds(after)
        for engine, model, batch, after in re.findall(r"(\S+) (resnet\d+) (\d) ([\d.]+ m?s)(?= )", words)
    }
    engines, cases = {}, {}
    for engine, models in speed.items():
        imports = [
            after - fmean(load[engine][model]) - first[engine][model][batch]
            for (name, model, batch), after in begins.items()
            if name == engine and batch in first[engine].get(model, {})
        ]
        engines[engine] = {"start_s": 0.15, "import_s": round(max(0.02, median(imports)), 3)}
        for model, latencies in models.items():
            extra = {b: s - latencies[b] for b, s in first[engine][model].items()}
            for batch, latency in latencies.items():
                nearest = min((abs(math.log(known / batch)), known) for known in extra)[1]
                cases[f"{engine}/{model}/{batch}"] = {
                    "load_s": round(fmean(load[engine][model]), 3),
                    "first_s": round(max(latency, latency + extra[nearest]), 4),
                    "latency_s": round(latency, 5),
                }
    noise = {
        "call": 0.012,
        "spike_share": 0.03,
        "spike": 0.12,
        "process": 0.009,
        "drift": 0.025,
        "drift_s": 120.0,
        "crowds": [
            {"share": 0.09, "seconds": 0.35, "slowdown": 0.08},
            {"share": 0.01, "seconds": 4.0, "slowdown": 0.08},
        ],
        "unrest": 0.5,
        "unrest_s": 60.0,
    }
    costs = {"prepare_s": 15.0, "turn_s": 0.01, "ready_s": 0.02, "new_inputs_s": 0.2, "end_s": 0.1}
    return {"engines": engines, "first_load_s": {}, "cases": cases, "costs": costs, "noise": noise}


def seconds(told: str) -> float:
    """``217 ms`` or ``1.88 s``."""
    number, unit = told.split()
    return float(number) / (1e3 if unit == "ms" else 1)


# The machine with neighbours


def of_store(trials: Sequence[Trial], quiet: Mapping[str, Any]) -> dict[str, Any]:
    """Costs by the medians of all trials; noise by ResNet-18's first round and profiles alone."""
    measured = [
        (trial, trial.measurement) for trial in trials if trial.measurement and trial.case.contender.name != CANARY
    ]
    engines: dict[str, Any] = {}
    cases: dict[str, Any] = {}
    first_load: dict[str, float] = {}
    slower = pace(measured, quiet)
    for engine in dict.fromkeys(trial.case.contender.name for trial, _ in measured):
        imports = [m.import_s for trial, m in measured if trial.case.contender.name == engine and m.cold]
        engines[engine] = {"start_s": 0.3, "import_s": round(median(imports), 3)}
        for model in dict.fromkeys(trial.case.model for trial, _ in measured):
            of_model = [(t, m) for t, m in measured if (t.case.contender.name, t.case.model) == (engine, model)]
            very_first = min(of_model, key=lambda pair: (pair[0].started_at, not pair[1].cold))
            first_load[f"{engine}/{model}"] = round(very_first[1].load_s, 3)
            for batch in SIZES:
                here = [(t, m) for t, m in of_model if t.case.batch_size == batch and not t.profile]
                later = [m.load_s for _, m in of_model if m is not very_first[1]]
                latency = quiet["cases"][f"{engine}/{model}/{batch}"]["latency_s"] * slower[model]
                extra = median(m.first_inference_s for _, m in here) - median(map(mean_latency, (m for _, m in here)))
                cases[f"{engine}/{model}/{batch}"] = {
                    "load_s": round(median(later), 3),
                    "first_s": round(max(latency, latency + extra), 4),
                    "latency_s": round(latency, 5),
                }
    return {
        "engines": engines,
        "first_load_s": first_load,
        "cases": cases,
        "costs": {"prepare_s": 80.0, "turn_s": 0.03, "ready_s": 0.05, "new_inputs_s": 0.6, "end_s": 0.3},
        "noise": {
            "call": 0.035,
            "spike_share": 0.03,
            "spike": 0.17,
            "process": 0.015,
            "drift": 0.10,
            "drift_s": 120.0,
            "crowds": [
                {"share": 0.22, "seconds": 0.35, "slowdown": 0.20},
                {"share": 0.05, "seconds": 3.0, "slowdown": 0.20},
            ],
            "unrest": 0.7,
            "unrest_s": 60.0,
        },
    }


def pace(measured: Iterable[tuple[Trial, Measurement]], quiet: Mapping[str, Any]) -> dict[str, float]:
    """How many times as long calls took as on the quiet machine, by model: true ratios are the same on both."""
    logs = defaultdict(list)
    for trial, m in measured:
        case = trial.case
        if not trial.profile:
            known = quiet["cases"][f"{case.contender.name}/{case.model}/{case.batch_size}"]["latency_s"]
            logs[case.model].append(math.log(min(fmean(burst) for burst in m.latencies) / known))
    return {model: math.exp(float(np.median(values))) for model, values in logs.items()}


def mean_latency(measurement: Measurement) -> float:
    """Over all calls, in seconds."""
    return fmean(latency for burst in measurement.latencies for latency in burst)


if __name__ == "__main__":
    main()
