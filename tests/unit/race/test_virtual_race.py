"""A whole race without processes: the real rounds, heats and looks on a host whose clock only work moves."""

import time
from pathlib import Path

import pytest
from benchmarks.deciding import MODELS, SIZES, Raced, a_plan, first_moment, race, truth
from benchmarks.virtual_host import machines

from bakeoff.records import Status

pytestmark = pytest.mark.unit

MACHINE = machines()["quiet"]


def raced(scratch: Path, seed: int = 1) -> Raced:
    return race(MACHINE, a_plan(MACHINE, 400.0, seed), scratch)


def test_a_race_of_minutes_takes_a_virtual_host_a_moment(tmp_path: Path) -> None:
    begin = time.monotonic()
    found = raced(tmp_path)
    assert time.monotonic() - begin < 20
    assert 300 < found.elapsed_s < 500
    assert {trial.status for trial in found.trials} == {Status.OK}
    cases = {(trial.case.contender.name, trial.case.model, trial.case.batch_size) for trial in found.trials}
    assert len(cases) == (len(MACHINE["engines"]) + 1) * len(MODELS) * len(SIZES)
    assert sum(found.spent.values()) == pytest.approx(found.elapsed_s - MACHINE["costs"]["prepare_s"], rel=1e-6)


def test_the_same_seed_makes_the_same_race(tmp_path: Path) -> None:
    assert raced(tmp_path).trials == raced(tmp_path).trials
    assert raced(tmp_path, seed=2).trials != raced(tmp_path).trials


def test_a_turn_of_slow_calls_is_long_and_has_no_untimed_one(tmp_path: Path) -> None:
    found = raced(tmp_path)
    by_case = {
        (trial.case.contender.name, trial.case.model, trial.case.batch_size): trial.measurement.latencies
        for trial in found.trials
        if trial.measurement
    }
    assert {len(turn) for turn in by_case["openvino", "resnet18", 1]} == {3}  # of 17 ms: 0.05 s
    assert {len(turn) for turn in by_case["openvino", "resnet50", 4]} == {2}  # of 155 ms: 0.2 s at least
    assert {len(turn) for turn in by_case["openvino", "resnet50", 8]} == {1}  # of 310 ms
    slow = a_plan(MACHINE, 400.0, 1, models=("resnet50",), batch_sizes=(8,))
    spent = race(MACHINE, slow, tmp_path).spent
    assert spent["untimed calls"] < 0.01 * spent["timed calls"]  # the canary's


def test_the_truth_is_the_table_of_the_race_that_was_fitted() -> None:
    true = truth(MACHINE)
    assert true["resnet18", 1]["caffe2"] == pytest.approx(1.52, abs=0.01)  # log(59.9 / 13.1)
    assert true["resnet18", 1]["onnxruntime-openvino"] == pytest.approx(-0.008, abs=0.001)  # log(59.4 / 59.9)


def test_the_first_moment_is_found_by_halves() -> None:
    moments = [(count, float(count)) for count in range(10)]
    assert first_moment(moments, lambda count: count >= 6) == 6.0
    assert first_moment(moments, lambda count: count > 20) == float("inf")
