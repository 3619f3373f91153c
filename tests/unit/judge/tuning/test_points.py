"""What a search tells of its points."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.judge.tuning.found import Point
from bakeoff.judge.tuning.points import best_few, effects, values
from bakeoff.records import Contender, Scalar, ordered

pytestmark = pytest.mark.unit


def a_point(name: str, default: str = "d", **settings: Scalar) -> Point:
    turned = {knob: value for knob, value in settings.items() if value not in (0, "own")}
    contender = Contender(name=name, engine=default).having(threads=1)
    return Point(contender=contender, default=default, values=ordered(settings), turned=ordered(turned))


def a_factorial() -> list[Point]:
    return [
        a_point("d" if not (a or b) else f"d[a={a},b={b}]", a=a, b=b) for a, b in itertools.product((0, 1), (0, 1, 2))
    ]


def test_a_value_is_the_mean_log_ratio_where_all_raced_in_the_same_rounds() -> None:
    found = values({"a": {1: 1.0, 2: 3.0}, "b": {1: 0.5, 2: 2.1}})
    assert found["a"] - found["b"] == pytest.approx((0.5 + 0.9) / 2)
    assert sum(found.values()) == pytest.approx(0.0)


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=6), st.lists(st.floats(-1, 1), min_size=4, max_size=6), st.data()
)
def test_without_noise_values_are_the_truth_whichever_rounds_are_missing(
    true: list[float], drift: list[float], data: Any
) -> None:
    table = {}
    for i, value in enumerate(true):
        raced = data.draw(st.sets(st.integers(0, len(drift) - 1)))
        table[str(i)] = {number: value + drift[number] for number in raced | {0}}
    found = values(table)
    for i, j in itertools.combinations(range(len(true)), 2):
        assert found[str(i)] - found[str(j)] == pytest.approx(true[i] - true[j], abs=1e-9)


def test_who_shares_no_round_with_the_rest_has_no_value() -> None:
    found = values({"a": {1: 1.0, 2: 1.0}, "b": {2: 1.0, 3: 1.0}, "c": {3: 2.0}, "alone": {9: 5.0}, "unraced": {}})
    assert set(found) == {"a", "b", "c"}
    assert found["c"] - found["a"] == pytest.approx(1.0)
    assert values({}) == {}


def test_the_best_few_are_no_defaults_and_not_unfit() -> None:
    points = [a_point("d", a=0), a_point("x", a=1), a_point("y", a=2), a_point("z", a=3), a_point("unraced", a=4)]
    found = {"d": 9.0, "x": 1.0, "y": 2.0, "z": 3.0}
    assert best_few(points, found, {"z"}) == ["y", "x"]
    assert best_few(points, found, (), most=1) == ["z"]


def test_effects_are_those_that_points_are_made_of() -> None:
    points = a_factorial()
    worth = {"a": {1: 0.3}, "b": {1: -0.2, 2: 0.1}}
    rng = np.random.default_rng(1)
    true = {
        point.name: sum(worth[knob][int(value)] for knob, value in point.turned) + rng.normal(0, 0.01)
        for point in points
    }
    found = {(effect.knob, effect.value): effect for effect in effects(points, true)}
    assert set(found) == {("a", 1), ("b", 1), ("b", 2)}
    for (knob, value), effect in found.items():
        assert math.log(effect.ratio) == pytest.approx(worth[knob][int(value)], abs=0.03)
        assert effect.interval[0] < math.exp(worth[knob][int(value)]) < effect.interval[1]
        assert (effect.default, effect.points, effect.engine) == (0, 6, "d")


def test_what_points_cannot_tell_has_no_effect() -> None:
    default, one, two = a_point("d", a=0, b=0), a_point("x", a=1, b=0), a_point("y", a=1, b=1)
    assert effects([default, one], {"d": 0.0, "x": 0.2}) == []  # no residuals: nothing tells how sure it is
    assert effects([default, one, two], {"d": 0.0, "x": 0.2, "y": 0.3}) == []
    together = [default, two, a_point("z", a=2, b=0), a_point("u", a=2, b=0, c=0)]
    found = effects(together, {"d": 0.0, "y": 0.2, "z": 0.5, "u": 0.6})
    assert [(effect.knob, effect.value) for effect in found] == [("a", 2)]  # a or b of y?


def test_engines_do_not_mix() -> None:
    points = [a_point("d", a=0), a_point("x", a=1), a_point("e", "e", a=0), a_point("ex", "e", a=1)]
    points += [a_point("again", a=1), a_point("e-again", "e", a=1)]
    found = effects(points, {"d": 0.0, "x": 0.1, "again": 0.1, "e": 1.0, "ex": 1.5, "e-again": 1.5})
    assert [(effect.engine, round(math.log(effect.ratio), 6)) for effect in found] == [("d", 0.1), ("e", 0.5)]
