import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_measurement, a_plan

from bakeoff.judge.table.stopping import wanted
from bakeoff.judge.table.verdict import verdicts
from bakeoff.records import Case, Outcome, Plan, Status, Trial

pytestmark = pytest.mark.unit


def plan(*engines: str, batch_sizes: tuple[int, ...] = (1,)) -> Plan:
    return a_plan(models=("m",), engines=engines, batch_sizes=batch_sizes, threads=2)


def trial(case: Case, round_: int, fps: float) -> Trial:
    latency = case.batch_size / fps
    return Trial(
        round=round_,
        case=case,
        status=Status.OK,
        measurement=a_measurement(latencies=((latency,),), load_s=1.0, first_inference_s=0.5, import_s=0.1),
    )


def race(
    of: Plan, true: Mapping[str, float | tuple[float, ...]], rounds: int, sd: float = 0.01, seed: int = 0
) -> list[Trial]:
    """Trials of every case; an engine's throughput is one number, or one for each batch size."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.08, rounds)
    trials = []
    for r in range(rounds):
        for case in of.cases():
            fps = true[case.contender.name]
            level = fps if isinstance(fps, float) else fps[of.batch_sizes.index(case.batch_size)]
            trials.append(trial(case, r + 1, level * math.exp(drift[r] + rng.normal(0, sd))))
    return trials


def enough(of: Plan, trials: list[Trial], **options: Any) -> bool:
    """Whether no case wants the round after the last one."""
    return not wanted(of, trials, max((trial.round for trial in trials), default=0) + 1, **options)


def cells(cases: set[Case]) -> set[tuple[str, int]]:
    return {(case.contender.name, case.batch_size) for case in cases}


CLEAR = {"fast": 100.0, "slow": 40.0}
CLOSE = {"a": 100.0, "b": 99.0, "slow": 40.0}


def test_it_rests_on_the_same_intervals_as_the_verdict() -> None:
    """At a look which four batch sizes together decide, and one alone does not."""
    true, sd = {"fast": 100.0, "slow": 80.0}, 0.07
    apart = [race(plan(*true, batch_sizes=(size,)), true, 5, sd, seed) for seed, size in enumerate((1, 2, 4, 8))]
    together = [trial for trials in apart for trial in trials]
    for trials in (*apart, together):
        sizes = tuple(sorted({trial.case.batch_size for trial in trials}))
        undecided = {
            (standing.contender, verdict.batch_size)
            for verdict in verdicts(trials)
            for standing in verdict.standings
            if standing.outcome is Outcome.UNDECIDED
        }
        assert undecided <= cells(wanted(plan(*true, batch_sizes=sizes), trials, 6))
    loose = {"target_ci": 1.0, "target_ci_rest": 1.0}
    assert enough(plan(*true, batch_sizes=(1, 2, 4, 8)), together, **loose)
    assert not all(enough(plan(*true, batch_sizes=(trials[0].case.batch_size,)), trials, **loose) for trials in apart)


def test_before_the_first_look_every_case_is_wanted() -> None:
    p = plan(*CLEAR)
    for round_ in (1, 2):
        assert wanted(p, race(p, CLEAR, round_ - 1), round_) == set(p.cases())
    assert not enough(p, race(p, CLEAR, 1))


def test_a_clear_race_is_over_at_the_floor() -> None:
    p = plan(*CLEAR)
    assert wanted(p, race(p, CLEAR, 5), 6) == set()
    assert enough(p, race(p, CLEAR, 5))


def test_contenders_get_more_rounds_and_the_beaten_do_not() -> None:
    p = plan(*CLOSE)
    assert cells(wanted(p, race(p, CLOSE, 5), 6)) == {("a", 1), ("b", 1)}
    assert not enough(p, race(p, CLOSE, 5))


def test_contenders_are_raced_until_they_are_equivalent() -> None:
    p = plan("a", "b")
    trials = race(p, {"a": 100.0, "b": 100.0}, 40, sd=0.008)
    stops = [n for n in range(1, 41) if enough(p, [t for t in trials if t.round <= n])]
    assert stops
    assert stops[0] in {7, 10, 14, 20, 28, 40}


def test_each_batch_size_is_judged_by_itself() -> None:
    """An engine stays where it contends and leaves where it is beaten."""
    p = plan("a", "b", batch_sizes=(1, 8))
    trials = race(p, {"a": (100.0, 100.0), "b": (99.0, 50.0)}, 5)
    assert cells(wanted(p, trials, 6)) == {("a", 1), ("b", 1)}


def test_an_engine_beaten_everywhere_leaves_and_one_that_contends_somewhere_stays() -> None:
    p = plan("a", "b", "slow", batch_sizes=(1, 8))
    trials = race(p, {"a": (100.0, 60.0), "b": (60.0, 100.0), "slow": (30.0, 99.0)}, 5)
    assert cells(wanted(p, trials, 6)) == {("b", 8), ("slow", 8)}


def test_between_looks_the_answer_does_not_change_whatever_is_measured() -> None:
    p = plan(*CLOSE)
    trials = race(p, CLOSE, 7, sd=0.02)
    after_look = wanted(p, trials, 8)
    assert cells(after_look) == {("a", 1), ("b", 1)}
    surprise = [
        trial(case, round_, 1.0 if case.contender.name == "b" else 100.0) for round_ in (8, 9) for case in p.cases()
    ]
    assert wanted(p, [*trials, *surprise[:3]], 9) == after_look
    assert wanted(p, [*trials, *surprise], 10) == after_look


def test_a_beaten_engine_too_noisy_for_its_target_is_raced_on_beside_the_leader() -> None:
    p = plan("fast", "noisy", "slow")
    rng = np.random.default_rng(3)
    trials = race(p, {"fast": 100.0, "noisy": 10.0, "slow": 50.0}, 5, sd=0.002)
    trials = [
        trial(t.case, t.round, 10.0 * math.exp(rng.normal(0, 0.4))) if t.case.contender.name == "noisy" else t
        for t in trials
    ]
    assert {("fast", 1), ("noisy", 1)} <= cells(wanted(p, trials, 6))
    assert wanted(p, trials, 6, target_ci_rest=1.0) == set()


def test_targets_can_be_tightened() -> None:
    p = plan(*CLEAR)
    trials = race(p, CLEAR, 5)
    assert wanted(p, trials, 6, target_ci_rest=0.001) == set(p.cases())
    assert not enough(p, trials, target_ci_rest=0.001)


@pytest.mark.parametrize("status", [Status.FAILED, Status.WRONG, Status.TIMED_OUT, Status.UNAVAILABLE])
def test_a_case_that_failed_gets_no_more_rounds_and_holds_nobody_up(status: Status) -> None:
    p = plan(*CLOSE)
    trials = race(p, CLOSE, 5)
    trials[3] = msgspec.structs.replace(trials[3], status=status, measurement=None)
    failed = trials[3].case
    assert failed not in wanted(p, trials, 2)
    assert failed not in wanted(p, trials, 6)
    rest = [t for t in trials if t.case.contender.name != failed.contender.name]
    assert wanted(p, trials, 6) == wanted(plan(*(e for e in CLOSE if e != failed.contender.name)), rest, 6)


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT])
def test_a_profile_trial_that_failed_takes_no_case_out_of_a_race_that_goes_on(status: Status) -> None:
    p = plan(*CLOSE)
    trials = race(p, CLOSE, 5)
    profile = msgspec.structs.replace(trials[3], status=status, measurement=None, profile=True)
    assert wanted(p, [*trials, profile], 6) == wanted(p, trials, 6)
    assert profile.case in wanted(p, trials, 6)


def test_a_wrong_answer_in_a_profile_trial_is_the_end_of_its_case() -> None:
    p = plan(*CLOSE)
    trials = race(p, CLOSE, 5)
    profile = msgspec.structs.replace(trials[3], status=Status.WRONG, measurement=None, profile=True)
    assert profile.case not in wanted(p, [*trials, profile], 6)


def test_a_case_that_time_cut_short_is_still_wanted() -> None:
    p = plan("fast", "slow", "never")
    trials = race(plan(*CLEAR), CLEAR, 5)
    assert cells(wanted(p, trials, 6)) == {("never", 1)}
    skipped = Trial(round=5, case=p.cases()[2], status=Status.NOT_RUN, reason="budget")
    assert cells(wanted(p, [*trials, skipped], 6)) == {("never", 1)}


def test_an_engine_with_one_round_in_common_is_wanted_with_the_leader() -> None:
    p = plan("fast", "slow")
    trials = [t for t in race(p, CLEAR, 5) if t.case.contender.name == "fast" or t.round == 1]
    assert wanted(p, trials, 6) == set(p.cases())


@pytest.mark.parametrize(("sd", "done"), [(0.0005, True), (0.05, False)])
def test_an_engine_alone_is_held_against_its_own_interval(sd: float, done: bool) -> None:
    p = plan("only")
    rng = np.random.default_rng(0)
    trials = [trial(p.cases()[0], r, 100.0 * math.exp(rng.normal(0, sd))) for r in range(1, 6)]
    assert enough(p, trials) is done


def test_without_any_trial_all_are_wanted_whatever_the_round() -> None:
    p = plan(*CLEAR)
    assert wanted(p, [], 1) == wanted(p, [], 6) == set(p.cases())
    assert not enough(p, [])


def test_a_race_of_failures_only_has_enough() -> None:
    p = plan("a")
    assert enough(p, [Trial(round=1, case=p.cases()[0], status=Status.FAILED)])


def test_models_are_judged_apart() -> None:
    p = msgspec.structs.replace(plan(*CLEAR), models=("m", "n"))
    trials = [t for t in race(p, CLEAR, 5) if t.case.model == "m" or t.round <= 1]
    assert {case.model for case in wanted(p, trials, 6)} == {"n"}


def test_leagues_do_not_race_each_other() -> None:
    """int8 is fastest, but what it beats are not its rivals."""
    p = plan("a", "b", "int8")
    trials = race(p, {"a": 100.0, "b": 99.0, "int8": 300.0}, 5)
    assert wanted(p, trials, 6) == set()
    leagues = {"a": "fp32", "b": "fp32", "int8": "int8"}
    apart = wanted(p, trials, 6, league=lambda case: leagues[case.contender.name])
    assert cells(apart) >= {("a", 1), ("b", 1)}
    assert not enough(p, trials, league=lambda case: leagues[case.contender.name])


def test_a_race_for_a_wide_indifference_ends_sooner() -> None:
    narrow = plan(*CLOSE, batch_sizes=(1,))
    wide = msgspec.structs.replace(narrow, indifference=0.05)
    trials = race(narrow, CLOSE, 5, sd=0.01)
    assert not enough(narrow, trials, target_ci=0.05)
    assert enough(wide, trials, target_ci=0.05)
