"""What `benchmarks/false_alarms.py` makes of runs: its races need hours, its counting must be right at once."""

import math
from collections.abc import Sequence

import pytest
from benchmarks.false_alarms import JOBS, Job, Tally, count, truth_of
from tests.unit.made import a_case, a_plan

from bakeoff.cli.params import Tag
from bakeoff.records import ModelRecord, Status
from bakeoff.scorecards import CanaryRounds, GateOutcome, Score, Scorecard

pytestmark = pytest.mark.unit

NOISE = (0.001, -0.001, 0.0, 0.001, -0.001)
TWO = 0.6
"""log ratio that a second thread is truly worth"""


def a_run(hour: int, *speeds: float, threads: Sequence[int] = (2,), disturbed: bool = False) -> Scorecard:
    """Of one engine, at these log speeds on so many threads; a canary that stood still."""
    rounds = range(1, len(NOISE) + 1)
    plan = a_plan(models=("m",), engines=("a",), batch_sizes=(1,), threads=threads[0])
    scores = [
        Score(
            case=a_case("a", "m", 1, threads=each),
            league="fp32",
            status=Status.OK,
            rounds={number: speed + noise for number, noise in zip(rounds, NOISE, strict=True)},
            disturbed=tuple(rounds) if disturbed else (),
        )
        for each, speed in zip(threads, speeds, strict=True)
    ]
    canary = CanaryRounds(model="m", batch_size=1, threads=1, version=2, rounds=dict.fromkeys(rounds, 0.0))
    return Scorecard(
        name=f"run-{hour}",
        started_at=float(hour),
        bakeoff_version="0",
        machine={},
        plan=plan,
        models=(ModelRecord(name="m", digest="d", weights="seeded", inputs=(), outputs=()),),
        engines=(),
        scores=tuple(scores),
        canary=(canary,),
    )


def job(threads: int, *, busy: bool = False) -> Job:
    return Job("run", "m", str(threads), busy)


TRUTH = truth_of([a_run(0, 0.0, TWO, threads=(1, 2)), a_run(1, 0.1, TWO + 0.1, threads=(1, 2))])


def test_the_truth_is_what_both_did_in_the_same_rounds() -> None:
    assert TRUTH["m", "a"] == pytest.approx((TWO, TWO))


def test_runs_of_the_same_that_agree_raise_no_alarm() -> None:
    tally = count({job(2): [a_run(hour, 1.0) for hour in range(4)]}, TRUTH)[False, False]
    assert (tally.pairs, tally.cases, len(tally.half_widths), tally.wrong, tally.wrong_gates) == (6, 6, 6, 0, 0)
    assert 0.02 < tally.half_widths[0] < 0.1


def test_an_hour_that_the_canary_missed_is_a_wrong_interval_and_a_wrong_gate() -> None:
    tally = count({job(2): [a_run(0, 1.0), a_run(1, 0.6)]}, TRUTH)[False, False]
    assert (tally.slower_than_true, tally.faster_than_true, tally.wrong_gates) == (1, 0, 1)
    assert tally.called_wrongly == 1
    tally = count({job(2): [a_run(0, 0.6), a_run(1, 1.0)]}, TRUTH)[False, False]
    assert (tally.slower_than_true, tally.faster_than_true, tally.wrong_gates) == (0, 1, 0)


@pytest.mark.parametrize(("first", "second", "outcome"), [(1, 2, GateOutcome.PASS), (2, 1, GateOutcome.FAIL)])
def test_what_another_number_of_threads_truly_makes_is_no_alarm(first: int, second: int, outcome: GateOutcome) -> None:
    speeds = {1: 0.0, 2: TWO}
    runs = {job(each): [a_run(hour, speeds[each], threads=(each,))] for hour, each in enumerate((first, second))}
    tally = count(runs, TRUTH)[True, False]
    assert (tally.cases, tally.wrong, tally.wrong_gates, dict(tally.gates)) == (1, 0, 0, {outcome: 1})
    assert tally.called_wrongly == 0
    assert count(runs, {})[True, False].cases == 0


def test_what_a_neighbour_disturbed_is_counted_apart_and_has_no_interval() -> None:
    runs = {job(2): [a_run(0, 1.0)], job(2, busy=True): [a_run(1, math.log(0.5), disturbed=True)]}
    tally = count(runs, TRUTH)
    assert tally[False, False] == Tally()
    beside = tally[False, True]
    assert (beside.pairs, beside.cases, beside.half_widths, beside.wrong_gates) == (1, 1, [], 0)
    assert beside.gates[GateOutcome.UNDECIDED] == 1


def test_every_setting_is_run_in_both_places_and_known_by_its_tag() -> None:
    assert len({Tag().read(each.tag) for each in JOBS}) == len(JOBS)
    assert {(each.threads, each.busy) for each in JOBS if each.kind == "run"} == {
        (threads, busy) for threads in "12" for busy in (False, True)
    }
