import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.judge.figures import timeline as timeline_module
from bakeoff.judge.figures.timeline import timeline
from bakeoff.records import CANARY, Disturbance, RunRecord, Status, Trial
from bakeoff.report.insights import time_line

pytestmark = pytest.mark.unit

RUN = RunRecord(
    name="r",
    started_at=600.0,
    plan=a_plan(models=("m",), engines=("a",), batch_sizes=(1, 2), threads=2),
    machine={},
    bakeoff_version="0",
)


def trial(engine: str, round_: int, batch: int, at: float, *, latency: float = 0.1, others: float = 0.0) -> Trial:
    measured = a_measurement(latencies=((latency,),), cold=False)
    seen = Disturbance(others_cpu_s=others, steal_s=0.0, wall_s=1.0, cpus=2.0, resolution_s=0.01)
    case = a_case(engine=engine, model="m", batch_size=batch, threads=2)
    return Trial(
        round=round_, case=case, status=Status.OK, measurement=measured, started_at=600.0 + at, disturbance=seen
    )


def test_a_heat_has_its_minute_the_canary_against_its_median_and_its_worst_disturbance() -> None:
    trials = [
        trial("a", 1, 1, 60.0, others=0.02),
        trial(CANARY, 1, 1, 61.0, latency=0.1),
        trial("a", 2, 1, 300.0, others=0.5),
        trial(CANARY, 2, 1, 299.0, latency=0.05),
        trial("a", 3, 1, 420.0),
        trial(CANARY, 3, 1, 421.0, latency=0.1),
    ]
    first, second, third = timeline(RUN, trials)
    assert (first.minute, first.round, first.disturbed, first.taken) == (1.0, 1, False, 0.01)
    assert (second.minute, second.disturbed, second.taken) == (299 / 60, True, 0.25)
    assert [heat.canary for heat in (first, second, third)] == pytest.approx([1.0, 2.0, 1.0])


def test_a_repeat_is_a_heat_of_its_own_and_profiles_are_none() -> None:
    disturbed, profile = trial("a", 1, 1, 0.0, others=1.0), trial("a", 1, 1, 90.0)
    repeat = msgspec.structs.replace(trial("a", 1, 1, 30.0), repeat=True)
    heats = timeline(RUN, [disturbed, repeat, msgspec.structs.replace(profile, profile=True)])
    assert [(heat.minute, heat.disturbed, heat.canary) for heat in heats] == [(0.0, True, None), (0.5, False, None)]


def test_a_heat_of_a_round_that_was_left_out_does_not_count() -> None:
    trials = [trial(CANARY, number, 1, 60.0 * number) for number in range(1, 6)]
    heats = timeline(RUN, [*trials, trial(CANARY, 6, 1, 360.0, latency=3.0, others=1.0)])
    assert [heat.counts for heat in heats] == [True] * 5 + [False]
    said = time_line(heats)
    assert "the canary ran at 100% to 100% of its median speed" in said
    assert "1 was disturbed" in said


def test_a_long_race_is_told_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "MOST", 3)
    trials = [trial("a", round_, batch, 60.0 * round_ + batch) for round_ in (1, 2) for batch in (1, 2)]
    assert [heat.round for heat in timeline(RUN, trials)] == [1, 2]
