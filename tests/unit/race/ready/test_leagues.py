"""That a race calibrates its models, and spends its rounds by the leagues which the errors so far show."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.samples import Samples
from bakeoff.race.race import Out, Race, nobody, still_wanted
from bakeoff.race.ready import exam
from bakeoff.race.ready.observer import Observer
from bakeoff.records import (
    UNCALIBRATED,
    EngineInfo,
    Measurement,
    ModelRecord,
    Parity,
    RunRecord,
    Status,
    Tolerances,
    Trial,
)

pytestmark = pytest.mark.unit

DRIFT = (1.0, 0.8, 1.1, 0.9, 1.2)
"""of each round, shared by all: paired ratios are exact, an engine's own throughput is not"""
SIZES = Tolerances(fp32=1e-4, fp16=1e-2, bf16=0.1, rounding={"fp32": 1e-6, "fp16": 1e-2, "bf16": 2e-2})


def trial(engine: str, round_: int, fps: float, error: float) -> Trial:
    latency = 1 / (fps * DRIFT[round_ - 1])
    usual: dict[str, Any] = dict.fromkeys(
        ("load_s", "prepare_s", "first_inference_s", "import_s", "voluntary_switches", "involuntary_switches"), 0
    )
    return Trial(
        round=round_,
        case=a_case(engine=engine, model="m", batch_size=1, threads=1),
        status=Status.OK,
        parity=Parity(max_rel_error=error, top1_agreement=None),
        measurement=Measurement(
            latencies=((latency,),), warm_up=(), burst_s=(), cpu_s=(), peak_rss_mb=None, cold=True, **usual
        ),
    )


def wanted(error_of_the_fast: float, out: Out = nobody) -> set[str]:
    """Who races on after five rounds in which one engine was exactly twice as fast as the other."""
    run = RunRecord(
        name="1",
        started_at=0.0,
        plan=a_plan(models=("m",), engines=("slow", "fast"), batch_sizes=(1,), threads=1),
        machine={},
        bakeoff_version="0",
        models=(ModelRecord(name="m", digest="", weights="seeded", inputs=(), outputs=(), tolerances=SIZES),),
        engines=tuple(
            EngineInfo(name=name, title=name, framework=name, release="today", league="fp32")
            for name in ("slow", "fast")
        ),
    )
    trials = [
        trial(*engine)
        for round_ in range(1, 6)
        for engine in (("slow", round_, 1.0, 1e-6), ("fast", round_, 2.0, error_of_the_fast))
    ]
    race = cast("Race", SimpleNamespace(run=run, trials=trials, out=out))
    return {case.contender.name for case in still_wanted(race, 6, "m", run.plan.contenders)}


def test_an_engine_beaten_in_its_league_leaves_and_one_beaten_by_bf16_alone_does_not() -> None:
    assert wanted(1e-6) == set()
    assert wanted(0.03) == {"slow", "fast"}


def test_whom_the_caller_leaves_out_gets_no_round_and_the_others_go_on_without_it() -> None:
    assert wanted(0.03, lambda run, _trials: run.plan.names[:1]) == {"fast"}
    assert wanted(0.03, lambda run, _trials: run.plan.names) == set()


PLAN = a_plan(models=("m",), engines=(), batch_sizes=(1,), threads=1)
MODEL = ModelRecord(name="m", digest="", weights="seeded", inputs=(), outputs=())
REFERENCE = [np.array([[1.0, 4.0]] * 8), np.array([[7]] * 8)]


def calibrate(samples: SimpleNamespace) -> tuple[Tolerances, list[str]]:
    notes: list[str] = []
    observer = cast("Observer", SimpleNamespace(say=notes.append, note=notes.append))
    model = exam.calibrate(cast("Samples", samples), REFERENCE, observer)
    return model.tolerances, notes


def test_a_model_is_calibrated_by_the_worst_error_of_its_float_outputs() -> None:
    errors = {"fp32": 4e-6, "fp16": 4e-2, "bf16": 0.4}

    def rounded(count: int, _report: object) -> dict[str, list[Any]]:
        integers = np.array([[8]] * count)  # differ, as a class does that rounding has changed
        return {name: [np.array([[1.0, 4.0]] * (count - 1) + [[1 + e, 4.0]]), integers] for name, e in errors.items()}

    tolerances, _ = calibrate(SimpleNamespace(rounded=rounded, model=MODEL))
    assert tolerances.rounding == pytest.approx({name: error / 4 for name, error in errors.items()})
    assert tolerances.fp32 == pytest.approx(1e-4)


def test_a_model_that_cannot_be_rounded_keeps_the_fixed_tolerance_and_says_so() -> None:
    def rounded(*_: object) -> None:
        raise UnsupportedModelError("m: no float64 reference: operator QLinearConv computes on quantized values")

    assert calibrate(SimpleNamespace(rounded=rounded, model=MODEL)) == (
        UNCALIBRATED,
        ["m: no float64 reference: operator QLinearConv computes on quantized values; its tolerance is a fixed number"],
    )
