import math

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.judge.table.effort import FEWEST, MOST, ROUNDS, Components, Pace, best_bursts, bursts, components, pace
from bakeoff.records import Status, Trial

pytestmark = pytest.mark.unit

PLAN = a_plan(models=("m",), engines=("a", "b", "c"), batch_sizes=(1,), threads=2, bursts=2)


def races(
    *, process: float, burst: float, seed: int = 0, rounds: int = ROUNDS, speeds: tuple[float, ...] = (1, 2, 5)
) -> list[Trial]:
    """Trials of four bursts under strong drift, common to the engines, between rounds and between turns."""
    rng = np.random.default_rng(seed)
    trials = []
    for r in range(rounds):
        drift = 0.1 * rng.standard_normal() + 0.05 * rng.standard_normal(4)
        for engine, speed in zip(PLAN.names, speeds, strict=True):
            logs = drift + process * rng.standard_normal() + burst * rng.standard_normal(4)
            latencies = tuple((0.1 / speed * math.exp(value),) for value in logs)
            measured = a_measurement(
                latencies=latencies,
                warm_up=(0.5, 0.5),
                load_s=2.5,
                prepare_s=0.1,
                first_inference_s=0.5,
                import_s=1.0,
                burst_s=(0.4,) * 4,
                cpu_s=({},) * 4,
            )
            case = a_case(engine=engine, model="m", batch_size=1, threads=2)
            trials.append(Trial(round=r + 1, case=case, status=Status.OK, measurement=measured))
    return trials


def test_the_variances_are_found_through_drift() -> None:
    found = [components(races(process=0.03, burst=0.02, seed=seed)) for seed in range(200)]
    assert math.sqrt(np.mean([one.process for one in found if one])) == pytest.approx(0.03, rel=0.1)
    assert math.sqrt(np.mean([one.burst for one in found if one])) == pytest.approx(0.02, rel=0.1)


def test_the_pace_is_what_a_round_of_all_engines_costs() -> None:
    costs = pace(races(process=0.0, burst=0.0), 900)
    assert costs.process_s == pytest.approx(3 * 4.6)
    assert costs.burst_s == pytest.approx(3 * 0.4 + 0.1 * (1 / 1 + 1 / 2 + 1 / 5), rel=0.3)


def kalibera_and_jones(one: Components, costs: Pace) -> int:
    """Their closed form, within our bounds."""
    best = math.sqrt(costs.process_s / costs.burst_s * one.burst / one.process)
    return max(FEWEST, min(MOST, round(best)))


@pytest.mark.parametrize(
    ("process", "burst", "process_s", "burst_s"),
    [(1e-4, 4e-4, 4.0, 1.0), (9e-4, 1e-4, 4.0, 0.5), (1e-6, 1e-2, 4.0, 0.5)],
)
def test_in_a_long_race_the_number_is_kalibera_s_and_jones_s(
    process: float, burst: float, process_s: float, burst_s: float
) -> None:
    one, costs = Components(process=process, burst=burst), Pace(process_s=process_s, burst_s=burst_s, budget_s=1e4)
    assert best_bursts(one, costs, 7, 1) == kalibera_and_jones(one, costs)


def test_where_processes_differ_in_nothing_bursts_are_all_there_is_to_gain() -> None:
    assert (
        best_bursts(Components(process=-1e-6, burst=1e-4), Pace(process_s=4, burst_s=0.5, budget_s=1e4), 7, 4) == MOST
    )
    assert best_bursts(Components(process=-1e-6, burst=0), Pace(process_s=4, burst_s=0.5, budget_s=1e4), 7, 4) == FEWEST


def test_a_short_race_rather_has_more_rounds() -> None:
    """The race of 28 November 2026: rounds of 225 s with two bursts, and a quarter of an hour for all."""
    noisy, costs = Components(process=1e-4, burst=4e-3), Pace(process_s=143, burst_s=41, budget_s=900)
    assert kalibera_and_jones(noisy, costs) == MOST
    assert costs.rounds(MOST) < 3
    assert best_bursts(noisy, costs, 7, 1) == 1
    assert best_bursts(noisy, msgspec.structs.replace(costs, budget_s=3 * 3600), 7, 1) >= MOST - 1


def test_noisy_bursts_get_more_of_them_and_noisy_processes_fewer() -> None:
    assert bursts(PLAN, races(process=0.001, burst=0.05), 4, "m")[1] > 3
    assert bursts(PLAN, races(process=0.05, burst=0.001), 4, "m")[1] == 1


def test_who_is_ahead_changes_nothing() -> None:
    one, other = (races(process=0.02, burst=0.02, speeds=speeds) for speeds in ((1, 2, 5), (5, 1, 2)))
    assert bursts(PLAN, one, 4, "m") == bursts(PLAN, other, 4, "m")


def test_later_rounds_change_nothing() -> None:
    trials = races(process=0.01, burst=0.05, rounds=12)
    assert bursts(PLAN, trials, 13, "m") == bursts(PLAN, trials[: 3 * ROUNDS], 4, "m")


@pytest.mark.parametrize("known", [0, 1, 2])
def test_until_the_first_rounds_have_told_the_plan_s_number_holds(known: int) -> None:
    trials = races(process=0.001, burst=0.05)[: 3 * known]
    assert bursts(PLAN, trials, known + 1, "m") == {1: PLAN.bursts}


def test_a_single_burst_tells_nothing() -> None:
    short = [
        msgspec.structs.replace(trial, measurement=msgspec.structs.replace(trial.measurement, latencies=((0.1,),)))
        for trial in races(process=0.01, burst=0.01)
        if trial.measurement
    ]
    assert components(short) is None
    assert components([]) is None
