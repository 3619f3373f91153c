from itertools import pairwise

import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.judge.table.looks import at_once, error_of_look, last_look, look_rounds, looks_done, sequential

pytestmark = pytest.mark.unit


def test_looks_happen_at_fixed_rounds_that_grow_by_about_the_root_of_two() -> None:
    looks = [look_rounds(number) for number in range(12)]
    assert looks == [2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 112]
    assert all(1.39 < later / sooner < 1.44 for sooner, later in pairwise(looks[2:]))


@pytest.mark.parametrize(
    ("rounds", "look"), [(0, None), (1, None), (2, 2), (4, 3), (5, 5), (6, 5), (7, 7), (9, 7), (10, 10), (41, 40)]
)
def test_the_last_look_is_at_or_before_a_round(rounds: int, look: int | None) -> None:
    assert last_look(rounds) == look


@pytest.mark.parametrize(
    ("rounds", "error"),
    [(2, 0.011), (3, 0.009), (4, 0.0075), (5, 0.0075), (14, 0.004), (15, 0.00375), (20, 0.00375), (28, 0.001875)],
)
def test_the_first_looks_spend_what_is_set_and_each_further_one_half_of_what_is_left(rounds: int, error: float) -> None:
    assert error_of_look(rounds) == pytest.approx(error)


def test_all_looks_together_spend_no_more_than_5_percent() -> None:
    spent = sum(error_of_look(look_rounds(number)) for number in range(30))
    assert 0.0499 < spent <= 0.05


def test_each_look_spends_less_than_the_one_before() -> None:
    spent = [error_of_look(look_rounds(number)) for number in range(30)]
    assert all(later < sooner for sooner, later in pairwise(spent))


@given(rounds=st.integers(2, 500), comparisons=st.integers(1, 14))
def test_critical_values_are_scipy_s_bonferroni_t(rounds: int, comparisons: int) -> None:
    tail = error_of_look(rounds) / comparisons / 2
    assert sequential(rounds, comparisons) == pytest.approx(-scipy.special.stdtrit(rounds - 1, tail), rel=1e-6)
    assert at_once(rounds, comparisons) == pytest.approx(
        -scipy.special.stdtrit(rounds - 1, 0.05 / comparisons / 2), rel=1e-6
    )
    assert sequential(rounds, comparisons) > at_once(rounds, comparisons)


@given(rounds=st.integers(0, 1000))
def test_looks_done_counts_them(rounds: int) -> None:
    done = looks_done(rounds)
    assert look_rounds(done) > rounds
    assert not done or look_rounds(done - 1) <= rounds
