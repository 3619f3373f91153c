import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.judge.figures.canary import figures, remarks
from bakeoff.judge.results import Results
from bakeoff.records import CANARY, CanaryFigure, Disturbance, RunRecord, Status, Trial

pytestmark = pytest.mark.unit


def trial(engine: str, *latencies: float, status: Status = Status.OK) -> Trial:
    measured = a_measurement(latencies=(latencies,))
    case = a_case(engine=engine, model="m", batch_size=8, threads=2)
    return Trial(round=2, case=case, status=status, measurement=measured, started_at=5.0)


def rounds(*speeds: float) -> list[CanaryFigure]:
    return [
        CanaryFigure(round=r, model="m", batch_size=size, threads=2, calls_per_s=speed, started_at=0.0)
        for r, speed in enumerate(speeds, 1)
        for size in (1, 4)
    ]


def test_its_figure_is_calls_per_second_whatever_the_batch_size_beside_it() -> None:
    found = figures([trial("openvino", 1.0), trial(CANARY, 0.01, 0.03), trial(CANARY, 1.0, status=Status.FAILED)])
    assert found == [CanaryFigure(round=2, model="m", batch_size=8, threads=2, calls_per_s=50.0, started_at=5.0)]


def test_a_strong_drift_is_a_remark_on_the_run() -> None:
    (remark,) = remarks(rounds(100, 130, 110))
    assert remark.startswith("canary: the machine was 30% faster in round 2 (m, batch 1) than in round 1 (m, batch 1)")


def test_a_heat_counts_as_a_round_does() -> None:
    """Of the eight heats of a round one ran at half the speed: the mean of the round hardly shows it."""
    figures_ = [msgspec.structs.replace(f, batch_size=size) for size in range(1, 9) for f in rounds(100, 100)[::2]]
    figures_[3] = msgspec.structs.replace(figures_[3], calls_per_s=46.0)
    (remark,) = remarks(figures_)
    assert "117% faster in round 1 (m, batch 1) than in round 2 (m, batch 2)" in remark


def test_drift_is_told_of_rounds_that_count() -> None:
    quiet = Disturbance(others_cpu_s=0.0, steal_s=0.0, wall_s=1.0, cpus=2.0, resolution_s=0.01)
    trials = [msgspec.structs.replace(trial(CANARY, 0.01), round=number, disturbance=quiet) for number in range(1, 7)]
    busy = msgspec.structs.replace(quiet, others_cpu_s=1.0)
    spoilt = msgspec.structs.replace(trial(CANARY, 0.3), round=7, disturbance=busy)
    run = RunRecord(
        name="r",
        started_at=0.0,
        plan=a_plan(models=("m",), engines=(), batch_sizes=(8,), threads=2),
        machine={},
        bakeoff_version="0",
    )
    assert Results(run, [*trials, spoilt]).remarks == ()
    assert len(Results(run, [*trials, msgspec.structs.replace(spoilt, disturbance=quiet)]).remarks) == 1


@pytest.mark.parametrize("speeds", [(), (100.0,), (100.0, 120.0, 105.0)])
def test_a_usual_drift_passes_without_a_word(speeds: tuple[float, ...]) -> None:
    assert remarks(rounds(*speeds)) == ()
