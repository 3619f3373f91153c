import pytest
from tests.unit.made import a_case, a_measurement

from bakeoff.judge.figures.canary import figures, remarks
from bakeoff.records import CANARY, CanaryFigure, Status, Trial

pytestmark = pytest.mark.unit


def trial(engine: str, *latencies: float, status: Status = Status.OK) -> Trial:
    measured = a_measurement(latencies=(latencies,))
    case = a_case(engine=engine, model="m", batch_size=8, threads=2)
    return Trial(round=2, case=case, status=status, measurement=measured, started_at=5.0)


def rounds(*speeds: float) -> list[CanaryFigure]:
    return [
        CanaryFigure(round=r, model="m", batch_size=size, threads=2, calls_per_s=speed * size, started_at=0.0)
        for r, speed in enumerate(speeds, 1)
        for size in (1, 4)
    ]


def test_its_figure_is_calls_per_second_whatever_the_batch_size_beside_it() -> None:
    found = figures([trial("openvino", 1.0), trial(CANARY, 0.01, 0.03), trial(CANARY, 1.0, status=Status.FAILED)])
    assert found == [CanaryFigure(round=2, model="m", batch_size=8, threads=2, calls_per_s=50.0, started_at=5.0)]


def test_a_strong_drift_is_a_remark_on_the_run() -> None:
    (remark,) = remarks(rounds(100, 130, 110))
    assert remark.startswith("canary: the machine was 30% faster in round 2 than in round 1")


@pytest.mark.parametrize("speeds", [(), (100.0,), (100.0, 120.0, 105.0)])
def test_a_usual_drift_passes_without_a_word(speeds: tuple[float, ...]) -> None:
    assert remarks(rounds(*speeds)) == ()
