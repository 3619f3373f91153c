"""A small 2019 study of our own: runs made by hand, whose every speed is known."""

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import pytest
from tests.unit.made import a_case, a_plan, the_results

from bakeoff.judge.case.summary import summarise
from bakeoff.judge.results import Results
from bakeoff.records import (
    Case,
    EngineInfo,
    Measurement,
    ModelRecord,
    Parity,
    RunRecord,
    Status,
    TensorSpec,
    Trial,
)
from bakeoff.report.study import study_documents
from bakeoff.report.study.results import StudyResults
from bakeoff.report.study.rows import ROWS, engines_of_the_study

MODELS = ("resnet18", "resnet50")
LATENCIES = 12
"""of each trial: enough for a median"""

Speeds = Mapping[str, Sequence[float]]
"""engine -> images/s in round 1, 2 ..., at batch 1 of resnet50"""
ARun = tuple[RunRecord, list[Trial]]


def a_run(engines: Sequence[str], models: Sequence[str] = MODELS, batches: Sequence[int] = (1, 8)) -> RunRecord:
    signature = (TensorSpec(name="input", dtype="float32", shape=(None, 3, 224, 224)),)
    return RunRecord(
        name="2026-11-23-1",
        started_at=1795464000.0,
        plan=a_plan(
            models=tuple(models), engines=tuple(engines), batch_sizes=tuple(batches), threads=2, budget_s=45 * 60.0
        ),
        machine={"cpu": "AMD EPYC", "usable_cpus": 2, "logical_cpus": 2, "digest": "0123456789ab"},
        bakeoff_version="0.1.0",
        models=tuple(
            ModelRecord(name=name, digest="ab" * 32, weights="seeded", inputs=signature, outputs=signature)
            for name in models
        ),
        engines=tuple(
            EngineInfo(name=name, title=name, framework=name, release=release_of(name), league="fp32")
            for name in engines
        ),
        state="finished",
        elapsed_s=2400.0,
    )


def release_of(engine: str) -> str:
    return "2019" if any(row.then == engine for row in ROWS) else "today"


def a_measurement(batch_size: int, fps: float) -> Measurement:
    """So many images per second by the mean; the median is 4% faster, since one latency is slow."""
    mean = batch_size / fps
    usual = mean / 1.04
    slow = LATENCIES * mean - (LATENCIES - 1) * usual
    return Measurement(
        latencies=((usual,) * (LATENCIES - 1), (slow,)),
        warm_up=(),
        load_s=0.1,
        prepare_s=0.0,
        first_inference_s=0.2,
        import_s=1.0,
        burst_s=(1.0, 1.0),
        cpu_s=({"1": 1.9}, {"1": 1.9}),
        voluntary_switches=0,
        involuntary_switches=0,
        peak_rss_mb=300.0,
        cold=True,
    )


def a_trial(case: Case, round_: int, fps: float, error: float = 3e-7) -> Trial:
    return Trial(
        round=round_,
        case=case,
        status=Status.OK,
        framework_version="1.1.0" if release_of(case.contender.name) == "2019" else "2.13.0",
        effective={"threads": 2},
        parity=Parity(max_rel_error=error, top1_agreement=1.0),
        measurement=a_measurement(case.batch_size, fps),
    )


def a_refusal(case: Case, status: Status, reason: str) -> Trial:
    return Trial(round=1, case=case, status=status, reason=reason)


def one_table(speeds: Speeds, model: str = "resnet50", batch_size: int = 1) -> ARun:
    """A run of one table, each engine with its own speed in each round; NaN where it was not measured."""
    run = a_run(list(speeds), models=(model,), batches=(batch_size,))
    trials = [
        a_trial(a_case(engine=engine, model=model, batch_size=batch_size, threads=2), round_, fps)
        for engine, of_engine in speeds.items()
        for round_, fps in enumerate(of_engine, 1)
        if not math.isnan(fps)
    ]
    return run, trials


def wobbling(fps: float, rounds: int) -> list[float]:
    """The same speed with 1% of drift up and down, which ratios by round cancel."""
    return [fps * (1.01 if round_ % 2 else 0.99) for round_ in range(rounds)]


@pytest.fixture(scope="session")
def whole_race() -> ARun:
    """Every engine of both releases: most of them ok, one of each other kind, keras with two rounds only."""
    engines = [*sorted(engines_of_the_study() - {"keras-jax"}), "ncnn"]
    run = a_run(engines)
    trials = [trial for case in run.plan.cases() for trial in trials_of(case, engines.index(case.contender.name))]
    return run, trials


def trials_of(case: Case, place: int) -> list[Trial]:
    match case.contender.name:
        case "pytorch-mkldnn-2019":
            return [a_refusal(case, Status.UNSUPPORTED, "torch 1.1 has no max_pool2d | for MKL-DNN tensors")]
        case "caffe2-2019":
            return [a_refusal(case, Status.UNAVAILABLE, "no Python 3.6; `pyenv install 3.6`")]
        case "mxnet" if case.batch_size == 8:
            return [a_refusal(case, Status.TIMED_OUT, "no answer in 300 s")]
        case _:
            rounds = 2 if case.contender.name == "keras" else 6
            return [a_trial(case, n, fps) for n, fps in enumerate(wobbling(10 + 2 * place, rounds), 1)]


@pytest.fixture
def table_race() -> Callable[..., StudyResults]:
    """From each engine's speeds to results: `table_race(speeds, model=..., batch_size=..., bf16=engines)`."""

    def race(speeds: Speeds, model: str = "resnet50", batch_size: int = 1, bf16: Sequence[str] = ()) -> StudyResults:
        run, trials = one_table(speeds, model, batch_size)
        rows = [
            msgspec.structs.replace(row, league="bf16" if row.case.contender.name in bf16 else "fp32")
            for row in summarise(run, trials)
        ]
        return StudyResults(the_results(run, rows, trials=trials))

    return race


@pytest.fixture(scope="session")
def documents(whole_race: ARun) -> Mapping[str, str]:
    """The documents of the whole race, by language."""
    return study_documents(Results(*whole_race))
