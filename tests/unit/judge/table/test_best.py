import math

import numpy as np
import pytest
import scipy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bakeoff.judge.table.best import LIKENESS, Comparison, Noise, Spoilt, Table, compare, compare_array
from bakeoff.judge.table.looks import at_once, look_rounds, sequential

pytestmark = pytest.mark.unit

NAN = math.nan


def drawn(*true: float, rounds: int = 10, sd: float = 0.01, seed: int = 0) -> Comparison:
    """Engines "0", "1" ... with these log throughputs, noise, and a drift they share."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.2, rounds)
    logs = np.array(true)[:, None] + drift + rng.normal(0, sd, (len(true), rounds))
    return compare_array([str(i) for i in range(len(true))], logs)


def test_an_interval_is_scipy_s_paired_t() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1.0, 0.1, 8), rng.normal(0.9, 0.1, 8)
    pair = compare_array(["a", "b"], np.array([a, b]), critical=at_once)
    low, high = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
    assert pair.mean[0, 1] - pair.half_width[0, 1] == pytest.approx(low)
    assert pair.mean[0, 1] + pair.half_width[0, 1] == pytest.approx(high)
    assert pair.precision(0, 1) == pytest.approx((high - low) / 2)


def test_drift_that_a_round_shares_does_not_widen_intervals() -> None:
    assert drawn(0.1, 0.0, sd=0.001).half_width[0, 1] < 0.005


def test_a_pair_uses_the_rounds_that_both_have() -> None:
    pair = compare({"a": {1: 1.0, 2: 1.2, 3: 9.0}, "b": {1: 0.5, 2: 0.8, 4: 7.0}})
    assert pair.rounds.tolist() == [[3, 2], [2, 3]]
    assert pair.mean[0, 1] == pytest.approx(0.45)


def test_more_engines_make_wider_intervals() -> None:
    rng = np.random.default_rng(2)
    logs = rng.normal(0, 1, (8, 60))
    few, many = compare_array(["a", "b"], logs[:2]), compare_array(list("abcdefgh"), logs)
    assert many.half_width[0, 1] > few.half_width[0, 1]


def test_variances_of_other_batch_sizes_make_narrower_intervals() -> None:
    """Here of two engines: their nine degrees of freedom elsewhere count for less beside the three of their own."""
    rng = np.random.default_rng(3)
    tables = [rng.normal(0, 0.1, (2, 4)) for _ in range(4)]
    own, *others = ((table[0] - table[1]).var(ddof=1) for table in tables)
    siblings = [(table, None, None) for table in tables[1:]]
    pair = compare_array(["a", "b"], tables[0], critical=at_once, siblings=siblings)
    weight = 1 / (1 / 9 + 1 / LIKENESS)
    moderated = math.sqrt((3 * own + weight * np.mean(others)) / (3 + weight))
    assert pair.df[0, 1] == math.floor(3 + weight)
    assert pair.moderated_sd[0, 1] == pytest.approx(moderated)
    assert pair.half_width[0, 1] == pytest.approx(
        scipy.stats.t.isf(0.9 * 0.05 / 2, pair.df[0, 1]) * moderated / math.sqrt(4)
    )
    assert pair.precision(0, 1) == pytest.approx(scipy.stats.t.isf(0.025, pair.df[0, 1]) * moderated / math.sqrt(4))


def test_what_others_tell_counts_for_no_more_than_their_likeness() -> None:
    logs = np.random.default_rng(6).normal(0, 0.1, (8, 40))
    found = compare_array(list("abcdefgh"), logs, siblings=[(logs, None, None)] * 3)
    assert found.df.max() <= 39 + 2 * LIKENESS


def test_pairs_that_were_dropped_lend_those_that_race_on_nothing() -> None:
    """They took few turns, so that they are noisier: only pairs of as many rounds are alike."""
    logs = np.random.default_rng(7).normal(0, 0.01, (6, 9))
    noisy = logs.copy()
    noisy[3:] += np.random.default_rng(8).normal(0, 0.5, (3, 9))
    noisy[3:, 2:] = NAN
    alone = compare_array(list("abc"), logs[:3])
    assert compare_array(list("abcdef"), noisy).moderated_sd[0, 1] == pytest.approx(alone.moderated_sd[0, 1])


def test_pairs_are_pooled_relative_to_the_noise_that_is_expected_of_them() -> None:
    rng = np.random.default_rng(9)
    noise = np.array([1.0, 1.0, 1.0, 16.0, 16.0, 16.0])
    logs = [rng.normal(0, 0.1 * np.sqrt(noise)[:, None], (6, 4)) for _ in range(200)]
    told = [compare_array(list("abcdef"), each, None, noise).moderated_sd ** 2 for each in logs]
    untold = [compare_array(list("abcdef"), each).moderated_sd ** 2 for each in logs]
    expected = 0.01 * (noise[:, None] + noise[None, :])
    assert np.mean(told, axis=0)[0, 1] == pytest.approx(expected[0, 1], rel=0.1)
    assert np.mean(told, axis=0)[3, 4] == pytest.approx(expected[3, 4], rel=0.1)
    assert np.mean(untold, axis=0)[0, 1] > 3 * expected[0, 1]


def test_a_batch_size_quieter_than_the_others_keeps_its_own_interval() -> None:
    rng = np.random.default_rng(4)
    quiet, loud = rng.normal(0, 0.001, (2, 8)), rng.normal(0, 0.5, (2, 8))
    pair = compare_array(["a", "b"], quiet, critical=at_once, siblings=[(loud, None, None)])
    alone = compare_array(["a", "b"], quiet, critical=at_once)
    assert alone.half_width[0, 1] < pair.half_width[0, 1] < 2 * alone.half_width[0, 1]


def test_other_batch_sizes_without_rounds_in_common_change_nothing() -> None:
    table = {"a": {1: 1.0, 2: 1.1, 3: 0.9}, "b": {1: 0.5, 2: 0.5, 3: 0.51}}
    siblings: list[tuple[Table, Spoilt, Noise]] = [({"a": {1: 1.0, 2: 9.0}}, {}, {}), ({"c": {1: 1.0}}, {}, {})]
    assert compare(table, siblings=siblings).half_width[0, 1] == compare(table).half_width[0, 1]


def test_the_rounds_to_decide_are_fewer_with_other_batch_sizes() -> None:
    rng = np.random.default_rng(6)
    logs = np.array([[0.4], [0.0]]) + rng.normal(0, 0.1, (2, 3))
    alone = compare_array(["a", "b"], logs)
    together = compare_array(["a", "b"], logs, siblings=[(logs, None, None)] * 3)
    few, many = together.rounds_to_decide(1, 0.02), alone.rounds_to_decide(1, 0.02)
    assert few is not None
    assert many is not None
    assert few < many


def test_a_clear_best_is_the_only_candidate_and_the_others_lie_within_its_own_intervals() -> None:
    clear = drawn(0.0, 0.5, -0.5)
    assert clear.leader == 1
    assert clear.candidates == {1}
    low, high = clear.behind(0)
    assert (low, high) == pytest.approx(
        (clear.mean[1, 0] - clear.half_width[1, 0], clear.mean[1, 0] + clear.half_width[1, 0])
    )
    low, high = clear.behind(1)
    assert high < 0, "the leader is ahead of the best of the others"
    assert low == pytest.approx(-clear.mean[1, 0] - clear.half_width[1, 0])


def test_engines_that_tie_are_all_candidates_and_may_be_ahead_or_behind() -> None:
    tie = drawn(0.0, 0.0, -0.5)
    assert tie.candidates == {0, 1}
    for engine in (0, 1):
        low, high = tie.behind(engine)
        assert low < 0 < high


def test_who_is_behind_is_so_against_whichever_candidate_is_best() -> None:
    """The union over candidates, and not the interval against the leader alone."""
    tie = drawn(0.0, 0.001, -0.5)
    low, high = tie.behind(2)
    lows = [tie.mean[i, 2] - tie.half_width[i, 2] for i in (0, 1)]
    highs = [tie.mean[i, 2] + tie.half_width[i, 2] for i in (0, 1)]
    assert (low, high) == pytest.approx((min(lows), max(highs)))


def test_the_leader_of_unequal_rounds_is_found_by_pairs_and_not_by_raw_means() -> None:
    """ "slow" ran only in the two rounds in which the machine was fast."""
    fast = {r: (5.0 if r <= 2 else 1.0) + 0.01 * (r % 2) for r in range(1, 7)}
    found = compare({"slow": {1: 4.9, 2: 4.91}, "fast": fast, "middle": {r: v - 0.05 for r, v in fast.items()}})
    assert found.contenders[found.leader] == "fast"


def test_an_engine_with_one_round_in_common_is_out_of_the_field_and_spoils_nothing() -> None:
    table = {"a": {1: 1.0, 2: 1.01, 3: 1.0}, "b": {1: 0.5, 2: 0.5, 3: 0.51}, "late": {3: 9.0, 4: 9.0}}
    found = compare(table)
    assert found.contenders[found.leader] == "a"
    assert found.field == (0, 1)
    assert found.candidates <= {0, 1}


def test_engines_that_never_met_are_left_alone() -> None:
    found = compare({"a": {1: 1.0}, "b": {2: 1.0}})
    assert found.field == (found.leader,)
    assert found.behind(found.leader) == (-math.inf, -math.inf)
    assert found.precision(0, 1) == math.inf
    assert found.rounds_to_decide(1, 0.02) is None


def test_a_pair_that_missed_two_rounds_pays_for_the_race_s_second_look_and_not_for_the_first_again() -> None:
    a = {r: math.log(100 + r % 3) for r in (1, 2, 5, 6, 7)}
    b = {r: math.log(90 + r % 2) for r in range(1, 8)}
    pair = compare({"a": a, "b": b})
    assert (pair.rounds[0, 1], pair.last[0, 1]) == (5, 7)
    assert pair.half_width[0, 1] == pytest.approx(sequential(5, 1, 7) * pair.sd[0, 1] / math.sqrt(5))
    assert sequential(5, 1, 7) > sequential(5, 1)


def test_a_round_that_nobody_of_a_table_raced_counts_as_a_round_of_the_race() -> None:
    rounds = {r: math.log(100 + r % 3) for r in (1, 2, 5, 6, 7)}
    assert compare({"a": rounds, "b": dict.fromkeys(rounds, 1.0)}).last[0, 1] == 7


SPARSE = {1, *(look_rounds(number) for number in range(14))}
"""one round more at each look: by its own count of rounds, a pair would spend 8% over them"""


@given(st.sets(st.integers(1, 224), min_size=2))
@example(SPARSE)
def test_a_pair_spends_no_more_than_5_percent_over_all_looks_whichever_rounds_it_missed(raced: set[int]) -> None:
    """The error of an interval is what its reach leaves outside; saying it again of the same rounds is no new look."""
    logs = np.full((2, 224), NAN)
    logs[0, [r - 1 for r in raced]] = np.random.default_rng(0).normal(size=len(raced))
    logs[1] = 0.0
    spent: dict[int, float] = {}
    for number in range(14):
        pair = compare_array(["a", "b"], logs[:, : look_rounds(number)])
        rounds = int(pair.rounds[0, 1])
        if rounds >= 2:
            reach = float(pair.half_width[0, 1] / pair.sd[0, 1]) * math.sqrt(rounds)
            error = 2 * float(scipy.stats.t.sf(reach, rounds - 1))
            assert spent.setdefault(rounds, error) == pytest.approx(error)
    assert sum(spent.values()) <= 0.05


def test_no_engines_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="no engines"):
        compare({})


def test_the_rounds_to_decide_lead_to_a_look_and_grow_with_the_noise() -> None:
    quiet, loud = drawn(0.05, 0.0, rounds=5, sd=0.02), drawn(0.05, 0.0, rounds=5, sd=0.04)
    few, many = quiet.rounds_to_decide(1, 0.02), loud.rounds_to_decide(1, 0.02)
    assert few is not None
    assert many is not None
    assert few < many
    assert 5 + few in {7, 10, 14, 20, 28, 40, 56, 80}


def test_a_mean_at_the_effect_takes_long_but_not_for_ever_to_decide() -> None:
    logs = np.array([[0.52, 0.48, 0.5, 0.51, 0.49], [0.0, 0.0, 0.0, 0.0, 0.0]])
    close = compare_array(["a", "b"], logs).rounds_to_decide(1, 0.5)
    clear = compare_array(["a", "b"], logs).rounds_to_decide(1, 0.4)
    assert close is not None
    assert clear is not None
    assert close > 10 * clear


def test_without_noise_a_mean_at_the_effect_is_nothing_to_wait_for() -> None:
    exact = compare_array(["a", "b"], np.array([[0.5, 0.5], [0.0, 0.0]]))
    assert exact.rounds_to_decide(1, 0.5) is None


@settings(max_examples=60)
@given(
    engines=st.integers(1, 6),
    rounds=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
    missing=st.floats(0, 0.6),
)
def test_whatever_is_missing_the_bounds_are_in_order_and_hold_the_leader_s_lead(
    engines: int, rounds: int, seed: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    logs = np.where(rng.random((engines, rounds)) < missing, NAN, rng.normal(0, 0.1, (engines, rounds)))
    found = compare_array([str(i) for i in range(engines)], logs)
    assert found.leader in found.candidates <= set(found.field)
    for engine in found.field:
        low, high = found.behind(engine)
        assert low <= high
        if engine not in found.candidates:
            assert low >= 0
