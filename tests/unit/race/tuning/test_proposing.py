"""What Optuna is asked and told."""

import math

import pytest

from bakeoff.judge.tuning.found import Point
from bakeoff.race.tuning.proposing import Proposer
from bakeoff.records import Contender, Scalar, ordered, word

pytestmark = pytest.mark.unit


def a_point(engine: str, **values: Scalar) -> Point:
    turned = {knob: value for knob, value in values.items() if value}
    settings = ",".join(f"{knob}={word(value)}" for knob, value in turned.items())
    name = f"{engine}[{settings}]" if settings else engine
    contender = Contender(name=name, engine=engine).having(threads=1)
    return Point(contender=contender, default=engine, values=ordered(values), turned=ordered(turned))


POINTS = [
    *(a_point("a", x=x, y=y, z=z) for x in range(4) for y in range(4) for z in (False, True)),
    *(a_point("b", w=w) for w in range(3)),
]
"""of two engines, 35"""


def test_what_turns_one_knob_comes_first_and_other_engines_defaults_as_well() -> None:
    first = Proposer(POINTS, 0, "", {}).propose(10, {"a": 0.0})
    assert [point.name for point in first] == [
        *("a[z=true]", "a[y=1]", "a[y=2]", "a[y=3]", "a[x=1]", "a[x=2]", "a[x=3]", "b", "b[w=1]", "b[w=2]")
    ]


def test_no_point_is_proposed_twice_and_the_search_goes_where_it_is_fast() -> None:
    proposer, known = Proposer(POINTS, 0, "", {}), {"a": 0.0}
    raced: list[Point] = []
    for _ in range(3):
        batch = proposer.propose(6, known)
        raced += batch
        known |= {point.name: math.log(1 + float(dict(point.values).get("x", 0))) for point in batch}
        proposer.tell([point.name for point in batch], known)
    names = [point.name for point in raced]
    assert len(set(names)) == len(names) == 18
    later = [dict(point.values).get("x", 0) for point in raced[-6:]]
    assert sum(value == 3 for value in later) >= 2


def test_a_used_up_space_has_no_more_points() -> None:
    proposer = Proposer(POINTS, 0, "", {})
    assert proposer.propose(5, {point.name: 0.0 for point in POINTS}) == []


def test_what_had_no_turn_is_told_as_such_and_may_come_again() -> None:
    proposer = Proposer(POINTS, 0, "", {})
    (first,) = proposer.propose(1, {"a": 0.0})
    proposer.tell([first.name], {})
    again = [point.name for point in proposer.propose(34, {"a": 0.0})]
    assert set(again) == {point.name for point in POINTS} - {"a"}
