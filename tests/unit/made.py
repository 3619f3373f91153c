"""Records as a race makes them, of which a test states only what it is about."""

from collections.abc import Sequence
from typing import Any

from bakeoff.judge.results import Results
from bakeoff.records import Case, Contender, Measurement, Plan, RunRecord, Status, Summary, Trial, Verdict

ALPHA = """
title = "Alpha"
[environments.alpha-1]
kind = "uv"
python = "3.11"
requirements = ["alpha==1.4.0"]
lock = "alpha.lock"
[engines.alpha]
title = "Alpha"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "alpha-1"
model = { format = "onnx" }
"""
"""an engine.toml with one engine, whose last table is open for more fields"""


def a_contender(name: str, *, threads: int = 1, **fields: Any) -> Contender:
    """The engine of that name, as a race runs it that is asked for nothing else."""
    return Contender(name=name, engine=name, **fields).having(threads=threads)


def a_case(engine: str, model: str, batch_size: int, *, threads: int = 1, **fields: Any) -> Case:
    """The contender of that name; `fields` are the contender's."""
    return Case(contender=a_contender(engine, threads=threads, **fields), model=model, batch_size=batch_size)


def a_plan(*, engines: Sequence[str], threads: int = 1, **fields: Any) -> Plan:
    """A plan with a contender for each of `engines`."""
    contenders = tuple(a_contender(engine, threads=threads) for engine in engines)
    return Plan(contenders=contenders, threads=threads, **fields)


def a_measurement(latencies: Sequence[Sequence[float]], **fields: Any) -> Measurement:
    """Of these latencies in seconds, burst by burst: each took as long as its calls, and all else took no time."""
    usual: dict[str, Any] = {
        "warm_up": (),
        "load_s": 0.0,
        "prepare_s": 0.0,
        "first_inference_s": 0.0,
        "import_s": 0.0,
        "burst_s": tuple(map(sum, latencies)),
        "cpu_s": ({},) * len(latencies),
        "voluntary_switches": 0,
        "involuntary_switches": 0,
        "peak_rss_mb": None,
        "cold": True,
    }
    return Measurement(latencies=tuple(map(tuple, latencies)), **(usual | fields))


def a_row(case: Case, **fields: Any) -> Summary:
    """A row that is ok and has no figure."""
    usual: dict[str, Any] = {
        "status": Status.OK,
        "reason": "",
        "framework_version": "",
        "requested": {},
        "effective": {},
        "fps": None,
        "fps_ci95": None,
        "latency_ms": {},
        "load_s": None,
        "first_inference_s": None,
        "peak_rss_mb": None,
        "cores_used": None,
        "parity": None,
        "trials": 0,
    }
    return Summary(case=case, **(usual | fields))


def the_results(
    run: RunRecord,
    rows: Sequence[Summary],
    verdicts: Sequence[Verdict] = (),
    trials: Sequence[Trial] = (),
    **parts: Any,
) -> Results:
    """Results of which `rows`, `verdicts` and other `parts` are as a test says, whatever the trials tell."""
    found = Results(run, trials)
    vars(found).update(rows=tuple(rows), verdicts=tuple(verdicts), **parts)
    return found
