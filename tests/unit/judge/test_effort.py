import math

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_measurement

from bakeoff.judge.effort import FEWEST, MOST, ROUNDS, Components, best_bursts, bursts, components
from bakeoff.records import Case, Plan, Status, Trial

pytestmark = pytest.mark.unit

PLAN = Plan(models=("m",), engines=("a", "b", "c"), batch_sizes=(1,), threads=2, bursts=2)


def races(
    *, process: float, burst: float, seed: int = 0, rounds: int = ROUNDS, speeds: tuple[float, ...] = (1, 2, 5)
) -> list[Trial]:
    """Trials of four bursts under strong drift, common to the engines, between rounds and between turns."""
    rng = np.random.default_rng(seed)
    trials = []
    for r in range(rounds):
        drift = 0.1 * rng.standard_normal() + 0.05 * rng.standard_normal(4)
        for engine, speed in zip(PLAN.engines, speeds, strict=True):
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
            case = Case(engine=engine, model="m", batch_size=1, threads=2)
            trials.append(Trial(round=r + 1, case=case, status=Status.OK, measurement=measured))
    return trials


def test_the_variances_are_found_through_drift() -> None:
    found = [components(races(process=0.03, burst=0.02, seed=seed)) for seed in range(200)]
    assert math.sqrt(np.mean([one.process for one in found if one])) == pytest.approx(0.03, rel=0.1)
    assert math.sqrt(np.mean([one.burst for one in found if one])) == pytest.approx(0.02, rel=0.1)
    assert found[0]
    assert found[0].process_s == pytest.approx(3.6)


def test_the_number_is_kalibera_s_and_jones_s() -> None:
    assert best_bursts(Components(process=1e-4, burst=4e-4, process_s=4.0, burst_s=1.0)) == 4
    assert best_bursts(Components(process=9e-4, burst=1e-4, process_s=4.0, burst_s=0.5)) == FEWEST
    assert best_bursts(Components(process=1e-6, burst=1e-2, process_s=4.0, burst_s=0.5)) == MOST
    assert best_bursts(Components(process=-1e-6, burst=1e-4, process_s=4.0, burst_s=0.5)) == MOST


def test_no_other_number_is_better_for_the_same_time() -> None:
    one = Components(process=1e-4, burst=4e-4, process_s=4.0, burst_s=1.0)

    def variance_x_time(number: int) -> float:
        return (one.process + one.burst / number) * (one.process_s + number * one.burst_s)

    assert min(range(FEWEST, MOST + 1), key=variance_x_time) == best_bursts(one)


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
