import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.judge.between_runs import across
from bakeoff.judge.between_runs.across import BETWEEN_RUNS, Estimate, compared, estimate, paired, rounds_to_tell
from bakeoff.judge.between_runs.scorecard import from_interval, of_values
from bakeoff.judge.figures.statistics import degrees_of_freedom, geometric_mean_interval
from bakeoff.scorecards import Change, Method, Moments, Scorecard

pytestmark = pytest.mark.unit

MakeCard = Callable[..., Scorecard]
NOISE = [0.01, -0.02, 0.015, 0.0, -0.005]


def with_noise(centre: float, noise: Sequence[float] = NOISE) -> list[float]:
    return [centre + value for value in noise]


def between(before: Scorecard, after: Scorecard) -> Estimate:
    found = estimate(before, after, before.scores[0], after.scores[0])
    assert found
    return found


samples = st.lists(st.floats(-1, 1), min_size=2, max_size=12).filter(lambda v: max(v) - min(v) > 1e-3)


@given(first=samples, second=samples)
def test_without_anything_between_runs_it_is_welch_s_test(first: list[float], second: list[float]) -> None:
    oracle = scipy.stats.ttest_ind(second, first, equal_var=False)
    found = Estimate(Method.CANARY, 0.0, of_values(first), of_values(second))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(across, "BETWEEN_RUNS", dict.fromkeys(Method, 1e-12))
        reach = found.reach(0.025)
    interval = oracle.confidence_interval(0.95)
    exact = (interval.high - interval.low) / 2
    # Ours rounds the degrees of freedom down: the same where they are whole, else a little wider, never narrower.
    widest = scipy.special.stdtrit(math.floor(oracle.df - 1e-6), 0.975) / scipy.special.stdtrit(oracle.df, 0.975)
    assert exact * (1 - 1e-6) <= reach <= exact * widest * (1 + 1e-6)


def test_the_canary_takes_the_machine_s_drift_out(a_card: MakeCard) -> None:
    canary = [0.0, 0.1, -0.1, 0.05, 0.2]
    before = a_card({"a": [2.0 + c + n for c, n in zip(canary, NOISE, strict=True)]}, canary=canary)
    slow = [c - 0.3 for c in canary]
    after = a_card({"a": [2.0 + c + n for c, n in zip(slow, NOISE, strict=True)]}, canary=slow)
    found = between(before, after)
    assert found.method is Method.CANARY
    assert found.mean == pytest.approx(-0.3 * (1 - found.canary.share) if found.canary else None)
    assert abs(found.mean) < 0.05
    raw = between(a_card({"a": [*before.scores[0].rounds.values()]}), after)
    assert raw.method is Method.NONE
    assert raw.mean == pytest.approx(-0.3)
    assert raw.reach(0.025) > 2 * found.reach(0.025)


DRIFT = [0.0, 0.1, -0.1, 0.05, 0.2, -0.05, 0.15, 0.0]


def test_of_a_canary_that_explains_nothing_nothing_is_taken_out_and_the_interval_allows_for_all(
    a_card: MakeCard,
) -> None:
    case = {"a": [2.0 + n for n in (*NOISE, *NOISE[:3])]}
    before = a_card(case, canary=DRIFT)
    quiet, other_hour = (between(before, a_card(case, canary=[c - by for c in DRIFT])) for by in (0.0, 0.3))
    assert quiet.canary
    assert quiet.canary.share < 0.1
    assert abs(other_hour.mean) < 0.03
    assert other_hour.reach(0.025) > max(0.3, 3 * quiet.reach(0.025))


@pytest.mark.parametrize(
    ("then", "now"),
    [({"version": 1, "canary_threads": 2}, {"version": 1, "canary_threads": 1}), ({"version": 1}, {"version": 2})],
)
def test_unlike_canaries_are_never_set_against_each_other(
    a_card: MakeCard, then: dict[str, Any], now: dict[str, Any]
) -> None:
    """A canary on two threads is twice as fast: through it, a case that a second thread helps would be slower."""
    before = a_card({"a": with_noise(2.8)}, canary=with_noise(5.7), threads=2, **then)
    after = a_card({"a": with_noise(2.0)}, canary=with_noise(5.0), threads=1, **now)
    found = between(before, after)
    assert (found.method, found.canary) == (Method.NONE, None)
    assert found.mean == pytest.approx(-0.8)
    (note,) = across.method_notes(before, after, [found])
    assert f"unlike (version 1 on {then.get('canary_threads', 1)} thread" in note


def test_the_canary_is_the_same_for_runs_on_unlike_threads(a_card: MakeCard) -> None:
    before = a_card({"a": with_noise(2.0)}, canary=with_noise(5.0), threads=1)
    after = a_card({"a": with_noise(2.8)}, canary=with_noise(4.9), threads=2)
    found = between(before, after)
    assert found.method is Method.CANARY
    assert compared(before.scores[0], after.scores[0], found).change is Change.FASTER


def test_rounds_that_others_disturbed_are_left_out_or_leave_it_without_bounds(a_card: MakeCard) -> None:
    before = a_card({"a": [2.0, 2.01, 2.0, 2.01]}, canary=[0.0] * 4)
    after = a_card({"a": [2.0, 1.0, 2.01, 1.0]}, canary=[0.0, -1.0, 0.0, -1.0], disturbed=[2, 4])
    some = between(before, after)
    assert some.mean == pytest.approx(0.0)
    assert some.rounds == 2
    assert some.bounded
    most = between(before, a_card({"a": [2.0, 1.0, 1.0, 1.0]}, canary=[0.0] * 4, disturbed=[2, 3, 4]))
    assert not most.bounded
    assert math.isinf(most.reach(0.01))
    line = compared(before.scores[0], after.scores[0], most)
    assert (line.change, line.interval) == (Change.UNDECIDED, None)


def test_on_another_machine_the_canary_is_left_out_since_it_would_hide_the_difference(a_card: MakeCard) -> None:
    other = {"cpu": "another", "digest": "b"}
    before = a_card({"a": with_noise(2.0)}, canary=[0.0] * 5)
    after = a_card({"a": with_noise(3.0)}, canary=[1.0] * 5, machine=other)
    found = between(before, after)
    assert found.method is Method.NONE
    assert found.mean == pytest.approx(1.0)


def test_more_rounds_never_reach_below_what_differs_between_runs(a_card: MakeCard) -> None:
    card = a_card({"a": with_noise(2.0)}, canary=[0.0] * 5)
    found = between(card, card)
    assert found.reach(0.025, more_rounds=10_000) > 1.96 * math.sqrt(2) * BETWEEN_RUNS[Method.CANARY]
    assert rounds_to_tell(found, 0.001, 0.05) is None
    more = rounds_to_tell(found, found.reach(0.05) * 0.99, 0.05)
    assert more is not None
    assert found.reach(0.05, more_rounds=more) < found.reach(0.05) * 0.99


def test_a_pair_of_one_run_uses_the_rounds_that_both_have(a_card: MakeCard) -> None:
    drift = [0.0, 0.5, -0.5, 0.3, 0.1]
    card = a_card({"a": [1 + d for d in drift], "b": [1.2 + d + n for d, n in zip(drift, NOISE, strict=True)][:4]})
    found = paired(*card.scores)
    assert found
    oracle = scipy.stats.ttest_1samp(with_noise(0.2)[:4], 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(0.2 + sum(NOISE[:4]) / 4)
    assert found.rounds == 4
    assert found.reach(0.025) == pytest.approx((oracle.high - oracle.low) / 2)
    assert paired(card.scores[0], a_card({"a": []}).scores[0]) is None


@pytest.mark.parametrize(
    ("by", "change"),
    [(0.3, Change.FASTER), (-0.3, Change.SLOWER), (0.0, Change.EQUIVALENT), (0.02, Change.UNDECIDED)],
)
def test_a_change_is_called_at_the_minimum_effect(a_card: MakeCard, by: float, change: Change) -> None:
    card = a_card({"a": [1.0] * 5, "b": with_noise(1.0 + by, [n / 4 for n in NOISE])})
    a, b = card.scores
    found = paired(a, b)
    assert found
    assert compared(a, b, found).change is change


def test_a_single_round_gives_a_ratio_and_decides_nothing(a_card: MakeCard) -> None:
    card = a_card({"a": [1.0], "b": [2.0]})
    a, b = card.scores
    found = paired(a, b)
    assert found
    line = compared(a, b, found)
    assert (line.change, line.interval) == (Change.UNDECIDED, None)
    assert line.ratio == pytest.approx(math.e)


@given(samples)
def test_moments_are_found_back_from_a_published_interval(logs: list[float]) -> None:
    speeds = [math.exp(value) for value in logs]
    fps, interval = geometric_mean_interval(speeds)
    found = from_interval(fps, interval, len(logs))
    assert found.mean == pytest.approx(of_values(logs).mean)
    assert found.sd == pytest.approx(of_values(logs).sd)
    assert found.count == len(logs)
    as_noisy = [[2 * speed for speed in speeds]]
    moderated = from_interval(
        *geometric_mean_interval(speeds, beside=as_noisy), len(logs), degrees_of_freedom(speeds, as_noisy)
    )
    assert moderated.sd == pytest.approx(found.sd)


def test_one_trial_has_no_spread() -> None:
    assert from_interval(math.e, None, 1) == Moments(mean=1.0, sd=0.0, count=1)
