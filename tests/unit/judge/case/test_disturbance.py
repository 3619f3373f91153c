"""Which trials others disturbed, and what becomes of them."""

import math
from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.judge.case.disturbance import MOST_CPUS, SHARE, counted, disturbed, last_tries, quiet, repeats_help
from bakeoff.judge.case.summary import summarise
from bakeoff.judge.table.best import compare
from bakeoff.judge.table.looks import sequential
from bakeoff.judge.table.stopping import wanted
from bakeoff.judge.table.verdict import verdicts
from bakeoff.records import Disturbance, Outcome, RunRecord, Status, Trial

pytestmark = pytest.mark.unit

PLAN = a_plan(models=("m",), engines=("a", "b"), batch_sizes=(1,), threads=2)


def seen(others: float = 0.0, steal: float = 0.0, cpus: float = 2.0) -> Disturbance:
    return Disturbance(others_cpu_s=others, steal_s=steal, wall_s=1.0, cpus=cpus, resolution_s=0.04)


def trial(
    engine: str, round_: int, fps: float = 100.0, *, busy: bool = False, repeat: bool = False, cold: bool = True
) -> Trial:
    return Trial(
        round=round_,
        case=a_case(engine=engine, model="m", batch_size=1, threads=2),
        status=Status.OK,
        measurement=a_measurement(
            latencies=((1 / fps, 1 / fps),),
            load_s=1.0,
            first_inference_s=0.5,
            import_s=0.1,
            cpu_s=({"1": 4 / fps},),
            peak_rss_mb=100.0,
            cold=cold,
        ),
        disturbance=seen(1.0 if busy else 0.0),
        repeat=repeat,
    )


def race(fps: float, rounds: int, busy: Sequence[int] = ()) -> list[Trial]:
    """Engine b at 100, engine a at `fps`; in the rounds `busy`, others slow a down to a quarter."""
    wobble = [0.99, 1.0, 1.01]
    return [
        each
        for r in range(1, rounds + 1)
        for each in (
            trial("a", r, fps * wobble[r % 3] * (0.25 if r in busy else 1), busy=r in busy),
            trial("b", r, 100.0 * wobble[r % 2]),
        )
    ]


def row(trials: Sequence[Trial]) -> tuple[float | None, int, list[str]]:
    run = RunRecord(name="1", started_at=0.0, plan=PLAN, machine={}, bakeoff_version="0", state="finished")
    summary = summarise(run, trials)[0]
    return summary.fps, summary.trials, [line for line in summary.cautions if line.startswith("disturbed")]


# Which trials are disturbed


@pytest.mark.parametrize(
    ("disturbance", "is_disturbed"),
    [
        (None, False),
        (seen(), False),
        (seen(others=SHARE * 2 - 0.001), False),
        (seen(others=SHARE * 2 + 0.001), True),
        (seen(others=0.06, steal=0.06), True),
        (seen(others=0.4, cpus=64), False),
        (seen(others=MOST_CPUS + 0.01, cpus=64), True),
        (seen(others=0.03, cpus=0.5), False),  # beyond the share, but nothing that counters of 10 ms can tell
    ],
)
def test_a_trial_is_disturbed_beyond_a_share_of_the_cpus_or_half_of_one(
    disturbance: Disturbance | None, is_disturbed: bool
) -> None:
    assert disturbed(msgspec.structs.replace(trial("a", 1), disturbance=disturbance)) is is_disturbed


# Which count


def test_a_repeat_stands_for_all_that_its_case_did_before_in_the_round() -> None:
    first, other, again = trial("a", 1, busy=True), trial("b", 1), trial("a", 1, repeat=True)
    later = trial("a", 2)
    assert last_tries([first, other, again, later]) == [other, again, later]


def test_a_repeat_that_failed_stands_too() -> None:
    failed = msgspec.structs.replace(trial("a", 1, repeat=True), status=Status.FAILED, measurement=None)
    assert last_tries([trial("a", 1, busy=True), failed]) == [failed]


def test_rounds_are_left_out_where_five_others_are() -> None:
    assert quiet(range(1, 8), {2, 3}) == {1, 4, 5, 6, 7}
    assert quiet(range(1, 7), {2, 3}) == {1, 2, 3, 4, 5, 6}
    trials = race(100.0, 7, busy=[2, 3])
    assert {t.round for t in counted(trials) if t.case.contender.name == "a"} == {1, 4, 5, 6, 7}
    assert {t.round for t in counted(trials) if t.case.contender.name == "b"} == set(range(1, 8))


def test_the_choice_of_rounds_does_not_know_the_speeds() -> None:
    slow = [msgspec.structs.replace(t, measurement=trial("x", 1, 3.0).measurement) for t in race(100.0, 7, busy=[2])]
    assert [(t.case, t.round) for t in counted(slow)] == [(t.case, t.round) for t in counted(race(100.0, 7, busy=[2]))]


# What rests on them


def test_a_row_rests_on_undisturbed_rounds_and_says_so() -> None:
    fps, trials, cautions = row(race(100.0, 7, busy=[2, 3]))
    assert fps == pytest.approx(100, rel=0.01)
    assert trials == 5
    assert cautions == ["disturbed: 2 of 7 rounds left out, since others used the CPUs in them"]


def test_a_row_with_too_few_undisturbed_rounds_counts_all_and_says_so() -> None:
    fps, trials, cautions = row(race(100.0, 4, busy=[2]))
    assert fps == pytest.approx(100 * 0.25**0.25, rel=0.01)
    assert trials == 4
    assert cautions == ["disturbed: others used up to 50% of the CPU time in 1 of 4 rounds"]


def test_a_round_that_was_raced_again_in_peace_needs_no_caution_and_counts_once() -> None:
    spoilt = trial("a", 1, 25.0, busy=True)
    fps, trials, cautions = row([spoilt, trial("a", 1, 100.0, repeat=True, cold=False)])
    assert fps == pytest.approx(100.0)
    assert (trials, cautions) == (1, [])


def test_what_a_fresh_process_showed_is_kept_though_its_bursts_were_disturbed() -> None:
    run = RunRecord(name="1", started_at=0.0, plan=PLAN, machine={}, bakeoff_version="0", state="finished")
    summary = summarise(run, [trial("a", 1, busy=True), trial("a", 1, repeat=True, cold=False)])[0]
    assert (summary.load_s, summary.peak_rss_mb) == (1.0, 100.0)


def test_a_verdict_rests_on_undisturbed_rounds() -> None:
    (verdict,) = verdicts(race(150.0, 8, busy=[1, 2]))
    b = next(standing for standing in verdict.standings if standing.contender == "b")
    assert verdict.leader == "a"
    assert (b.outcome, b.rounds) == (Outcome.SLOWER, 6)
    assert b.ratio == pytest.approx(1.5, rel=0.01)
    (all_count,) = verdicts(race(150.0, 6, busy=[1, 2]))
    assert [standing.rounds for standing in all_count.standings] == [6, 6]


def test_the_race_goes_by_undisturbed_rounds() -> None:
    assert not wanted(PLAN, race(150.0, 7, busy=[2, 3]), 8)
    assert wanted(PLAN, race(150.0, 7, busy=[2, 3, 4]), 8)  # all seven count, and scatter


def test_a_look_spends_its_own_error_however_many_of_its_rounds_it_rests_on() -> None:
    """Seven rounds are the fourth look, whether two of them are left out or not; five would be the third again."""
    rounds = {r: math.log(100 + r % 3) for r in range(1, 8)}
    other = {r: math.log(90 + r % 2) for r in range(1, 8)}
    pair = compare({"a": rounds, "b": other}, spoilt={"a": {2}, "b": {5}})
    assert (pair.rounds[0, 1], pair.last[0, 1]) == (5, 7)
    assert pair.half_width[0, 1] == pytest.approx(sequential(5, 1, 7) * pair.sd[0, 1] / math.sqrt(5))
    assert sequential(5, 1, 7) > sequential(5, 1)


# Whether to go on racing again


def repeats(*busy: bool) -> list[Trial]:
    return [trial("a", number, busy=was, repeat=True) for number, was in enumerate(busy, 1)]


@pytest.mark.parametrize(
    ("busy", "help_"),
    [
        ((), True),
        ((True,), True),
        ((True, True), False),
        ((True, False, True), True),
        ((False, True, True, True), False),
    ],
)
def test_repeats_go_on_while_they_are_of_use(busy: tuple[bool, ...], help_: bool) -> None:
    assert repeats_help([trial("b", 1, busy=True), *repeats(*busy)]) is help_
