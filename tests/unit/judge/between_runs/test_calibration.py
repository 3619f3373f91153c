import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.judge.between_runs.calibration import PRIOR, Side, calibrated, coefficient
from bakeoff.judge.between_runs.scorecard import of_values

pytestmark = pytest.mark.unit

Rounds = Sequence[tuple[float, float]]
values = st.floats(-1, 1).map(lambda value: round(value, 6))
runs = st.lists(st.lists(st.tuples(values, values), min_size=2, max_size=8), min_size=1, max_size=2)


def side(rounds: Rounds) -> Side:
    canary, case = zip(*rounds, strict=True)
    return Side(of_values(case), of_values(canary), rounds)


@given(runs)
def test_it_is_least_squares_with_a_mean_for_each_run_drawn_towards_nothing(found: Sequence[Rounds]) -> None:
    centred = np.concatenate([np.array(rounds) - np.mean(rounds, axis=0) for rounds in found])
    x, y = centred.T
    share, variance = coefficient(found)
    assert 0 <= variance <= PRIOR * (1 + 1e-9)
    if x @ x < 1e-9:
        return
    least_squares = float(x @ y / (x @ x))
    assert 0 <= share <= max(0.0, least_squares) + 1e-9


def test_a_case_that_follows_the_canary_to_the_letter_has_its_whole_change_taken_out() -> None:
    x = np.linspace(-0.1, 0.1, 9)
    share, variance = coefficient([[*zip(x, x * 0.5, strict=True)]])
    assert share == pytest.approx(0.5, rel=0.05)
    assert variance < 0.02


def test_of_a_canary_that_stood_still_nothing_is_known() -> None:
    assert coefficient([[(0.0, 0.1), (0.0, -0.1)]]) == (0.0, PRIOR)
    assert coefficient([]) == (0.0, PRIOR)


def test_doubt_grows_with_what_the_canary_says_and_is_not_taken_out() -> None:
    rng = np.random.default_rng(0)
    case, canary = 0.02 * rng.standard_normal((2, 10))
    here = side([*zip(canary, case, strict=True)])
    there = side([*zip(canary - 0.2, case, strict=True)])
    near, far = calibrated(here, here), calibrated(here, there)
    assert far.drift == pytest.approx(-0.2)
    assert math.sqrt(far.doubt) > 0.1 * (1 - far.share)
    assert math.sqrt(near.doubt) < 0.01
    assert far.second.mean - far.first.mean == pytest.approx(0.2 * far.share)


def test_a_side_of_which_single_rounds_are_not_known_is_taken_by_its_means() -> None:
    x = np.linspace(-0.1, 0.1, 9)
    known = side([*zip(x, x, strict=True)])
    published = Side(of_values([2.0, 2.2]), of_values([1.0, 1.1, 1.2]))
    found = calibrated(published, known)
    assert found.first.mean == pytest.approx(2.1 - found.share * 1.1)
    assert found.first.sd**2 / 2 == pytest.approx(
        published.case.sd**2 / 2 + found.share**2 * published.canary.sd**2 / 3
    )
