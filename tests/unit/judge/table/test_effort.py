import math
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_measurement

from bakeoff.judge.table import best, effort
from bakeoff.judge.table.effort import (
    LEAST_PROCESS_SD,
    PROCESS_SD,
    Costs,
    accounted_s,
    behind_best,
    expected_variance,
    is_told,
    least_s,
    outlook,
    process_variance,
    turn_variance,
    turns_of,
    turns_worth,
)
from bakeoff.records import Status, Trial

pytestmark = pytest.mark.unit

NAMES = ("a", "b", "c", "d")


def races(process: float, turn: float, seed: int = 0, rounds: int = 4) -> list[Trial]:
    """Trials of eight turns under strong drift, common to the engines, between rounds and between turns."""
    rng = np.random.default_rng(seed)
    trials = []
    for r in range(rounds):
        drift = 0.1 * rng.standard_normal() + 0.02 * rng.standard_normal(8)
        for name, speed in zip(NAMES, (1, 2, 5, 5), strict=True):
            logs = drift + process * rng.standard_normal() + turn * rng.standard_normal(8)
            measured = a_measurement(
                latencies=tuple((0.1 / speed * math.exp(value),) for value in logs),
                warm_up=(0.5, 0.5),
                load_s=2.5,
                prepare_s=0.1,
                import_s=1.0,
            )
            case = a_case(engine=name, model="m", batch_size=1, threads=2)
            trials.append(Trial(round=r + 1, case=case, status=Status.OK, measurement=measured))
    return trials


def test_the_variance_of_turns_is_found_through_drift() -> None:
    found = [turn_variance(turns_of(races(0.03, 0.02, seed), NAMES)) for seed in range(50)]
    assert math.sqrt(np.mean(found)) == pytest.approx(0.02, rel=0.05)


def test_turns_that_not_all_took_count_as_far_as_they_go() -> None:
    assert turn_variance([{"a": [0.1, 0.1, 0.1], "b": [0.2, 0.2]}]) == pytest.approx(0.0)
    assert turn_variance([{"a": [0.1, 0.12], "b": [0.2, 0.2], "c": [9.0]}]) > 0
    assert math.isnan(turn_variance([{"a": [0.1], "b": [0.2]}]))
    assert math.isnan(turn_variance([]))


def test_the_variance_of_processes_is_found_as_rounds_tell_and_supposed_before() -> None:
    assert process_variance([], NAMES) == pytest.approx(PROCESS_SD**2)
    few, many = (
        np.mean([process_variance(races(0.04, 0.01, seed, rounds), NAMES) for seed in range(40)]) for rounds in (2, 20)
    )
    assert PROCESS_SD**2 < few < many
    assert math.sqrt(many) == pytest.approx(0.04, rel=0.15)
    assert process_variance(races(0.0, 0.05, rounds=12), NAMES) >= LEAST_PROCESS_SD**2


def test_the_number_of_turns_is_kalibera_s_and_jones_s() -> None:
    costs = Costs(process_s=4.0, turn_s=0.25)
    assert turns_worth(costs, of_turns=4e-4, of_processes=1e-4) == pytest.approx(math.sqrt(4 / 0.25 * 4))
    assert turns_worth(costs, of_turns=4e-4, of_processes=0.0) == math.inf


def test_what_lies_far_behind_needs_few_turns_and_a_contender_all() -> None:
    enough = [
        next(n for n in range(1, 1000) if is_told(behind, n, of_turns=0.01, of_processes=1e-4))
        for behind in (1.5, 0.5, 0.2)
    ]
    assert enough == sorted(enough)
    assert enough[0] == 1
    assert not is_told(0.05, 10_000, of_turns=0.01, of_processes=1e-4)


def test_how_far_one_lies_behind_is_taken_from_earlier_rounds_and_less_its_error() -> None:
    warm = {"a": 0.1, "b": 0.2, "new": 0.1 * math.exp(0.4)}
    before = [{"a": [0.1, 0.1], "b": [0.15, 0.15]}] * 3
    exact = behind_best(warm, before, of_turns=0.0, of_processes=0.0)
    assert exact == pytest.approx({"a": 0.0, "b": math.log(1.5), "new": 0.4})
    unsure = behind_best(warm, before, of_turns=0.01, of_processes=0.001)
    assert unsure["b"] == pytest.approx(math.log(1.5) - math.sqrt(2 * (0.001 + 0.01 / 2) / 3))
    assert unsure["new"] == pytest.approx(0.4 - math.sqrt(2 * (0.001 + 0.01)))


def test_who_took_fewer_turns_is_expected_to_vary_more_unless_processes_do() -> None:
    def shortened(trials: list[Trial]) -> list[Trial]:
        few = [
            msgspec.structs.replace(
                trial, measurement=msgspec.structs.replace(trial.measurement, latencies=trial.measurement.latencies[:2])
            )
            for trial in trials
            if trial.measurement and trial.case.contender.name == "d"
        ]
        return [trial for trial in trials if trial.case.contender.name != "d"] + few

    def found(process: float, turn: float) -> float:
        variances = [expected_variance(shortened(races(process, turn, seed, rounds=8))) for seed in range(20)]
        by_name = [{case.contender.name: each for case, each in seen.items()} for seen in variances]
        assert all(each["a"] == each["b"] == each["c"] for each in by_name)
        return float(np.mean([each["d"] / each["a"] for each in by_name]))

    assert found(process=0.0, turn=0.1) == pytest.approx(3.7, rel=0.1)  # 8 turns to 2, and what a process is worth
    assert found(process=0.1, turn=0.01) < 1.1
    assert expected_variance([]) == {}


def test_a_round_takes_at_least_its_processes_and_two_turns_of_each() -> None:
    trials = races(0.0, 0.0, rounds=1)
    cases = {trial.case for trial in trials[:2]}
    assert least_s(trials, cases) == pytest.approx(2 * (1.0 + 2.5 + 0.1 + 1.0) + 2 * 2 * (0.1 + 0.05), rel=0.3)
    assert least_s([], cases) == 0
    assert accounted_s([t.measurement for t in trials if t.measurement]) > least_s(trials, {t.case for t in trials})


def test_a_noisier_machine_tells_less_and_takes_longer() -> None:
    quiet, noisy = (outlook(sd, 7, round_s=60.0, left_s=600.0, effect=0.02) for sd in (0.02, 0.08))
    assert 0.02 < quiet[0] < noisy[0]
    assert quiet[1] < noisy[1]
    assert outlook(0.02, 7, round_s=60.0, left_s=6000.0, effect=0.02)[0] < quiet[0]


def test_the_outlook_of_a_hopeless_machine_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of rounds would be needed: to try them one by one held the race up for minutes."""
    tried: list[int] = []

    def counted(critical: Any, comparisons: int, rounds: int, *others: Any) -> float:
        tried.append(rounds)
        return best.half_width(critical, comparisons, rounds, *others)

    monkeypatch.setattr(effort, "half_width", counted)
    _, seconds = outlook(0.8, 1, round_s=10.0, left_s=60.0, effect=0.02)
    assert seconds > 10_000
    assert len(tried) < 30
