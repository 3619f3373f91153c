"""That a race calibrates its models, and spends its rounds by the leagues which the errors so far show."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.errors import UnsupportedModelError
from bakeoff.judge.case.leagues import league
from bakeoff.judge.case.parity import compare, judge
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
    model, _ = exam.calibrate(cast("Samples", samples), REFERENCE, observer)
    return model.tolerances, notes


def test_a_model_is_calibrated_by_the_worst_error_of_its_float_outputs() -> None:
    errors = {"fp32": 4e-6, "fp16": 4e-2, "bf16": 0.4}

    def rounded(_report: object) -> dict[str, list[Any]]:
        integers = np.array([[8]] * 8)  # differ, as a class does that rounding has changed
        return {name: [np.array([[1.0, 4.0]] * 7 + [[1 + e, 4.0]]), integers] for name, e in errors.items()}

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


@pytest.mark.parametrize("exact", [0.0, 1e-17])
def test_what_cancelling_has_left_is_judged_by_the_size_of_its_terms(exact: float) -> None:
    reference = [np.array([[1.0, 4.0], [exact, 0.0]]), np.array([[7.0], [7.0]])]
    moves = {"fp32": 2.0**-23, "fp16": 2.0**-10, "bf16": 2.0**-7}  # of terms of about 1
    answers = {name: [reference[0] + move, reference[1]] for name, move in moves.items()}
    observer = cast("Observer", SimpleNamespace(say=lambda _: None, note=lambda _: None))
    samples = cast("Samples", SimpleNamespace(rounded=lambda _: answers, model=MODEL))
    model, sized = exam.calibrate(samples, reference, observer)

    def status(error: float) -> str:
        got = [reference[0] + [[0.0, 0.0], [error, 0.0]], reference[1]]
        parity, fault = compare(got, sized, classes=2)
        verdict, _ = judge(parity, fault, tolerance=model.tolerances.bf16)
        return league("fp32", parity, model.tolerances) if verdict is Status.OK else str(verdict)

    errors = (0.0, 3 * 2.0**-23, 2.0**-10, 2.0**-7, 1.0)
    assert [*map(status, errors)] == ["fp32", "fp32", "fp16", "bf16", "wrong"]
    assert sized[1] is reference[1]
