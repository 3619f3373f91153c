"""What to use, in one sentence: made of outcomes and intervals, and never more than they say."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.judge.table.answer import answers, at_least, at_most, between, bounds, sentence
from bakeoff.records import Outcome, Standing, Verdict

pytestmark = pytest.mark.unit

L, S, E, U = Outcome.LEADER, Outcome.SLOWER, Outcome.EQUIVALENT, Outcome.UNDECIDED
Interval = tuple[float, float] | None
ZONE = 0.02


def verdict(
    of: Mapping[str, tuple[Outcome, Interval]], batch_size: int = 1, model: str = "m", league: str = "fp32"
) -> Verdict:
    """A verdict on contenders with these outcomes and intervals, the leader first."""
    standings = tuple(
        Standing(
            contender=name,
            outcome=outcome,
            ratio=math.sqrt(interval[0] * interval[1]) if interval else None,
            interval=interval,
            rounds=5,
        )
        for name, (outcome, interval) in of.items()
    )
    leader = standings[0].contender
    return Verdict(
        model=model, batch_size=batch_size, league=league, device="cpu", leader=leader, standings=standings, sentence=""
    )


CERTAIN = verdict({"a": (L, (0.70, 0.80)), "b": (S, (1.25, 1.42)), "c": (S, (4.19, 5.0))})


@pytest.mark.parametrize(
    ("said", "of"),
    [
        ("use a; everything else is at least 1.25x slower", CERTAIN),
        ("use a; b is at least 3% slower", verdict({"a": (L, (0.9, 0.97)), "b": (S, (1.039, 1.11))})),
        (
            "use a or b: equivalent (±2%); everything else is at least 1.31x slower",
            verdict({"a": (L, (0.99, 1.01)), "b": (E, (0.99, 1.02)), "c": (S, (1.319, 2.0)), "d": (S, (2.0, 3.0))}),
        ),
        (
            "use a or any of 4 others: equivalent (±2%)",
            verdict({"a": (L, (0.99, 1.01)), **dict.fromkeys("bcde", (E, (0.99, 1.01)))}),
        ),
        (
            "use a: nothing is more than 3% faster; b is undecided: between 8% slower and 4% faster",
            verdict({"a": (L, (0.93, 1.03)), "b": (U, (0.97, 1.08))}),
        ),
        (
            "use a: nothing is more than 3% faster; b and c are undecided: between 1.41x slower and 4% faster",
            verdict({"a": (L, (0.93, 1.03)), "b": (U, (0.97, 1.08)), "c": (U, (1.0, 1.4001))}),
        ),
        (
            (
                "use a: nothing is more than 3% faster; b is undecided: between 8% slower and 4% faster; "
                "the other 2 are at least 2.0x slower"
            ),
            verdict({"a": (L, (0.93, 1.03)), "b": (U, (0.97, 1.08)), **dict.fromkeys("cd", (S, (2.0, 3.0)))}),
        ),
        (
            "use a: nothing is more than 1.50x faster; 4 others are undecided: between 3.0x slower and 1.43x faster",
            verdict({"a": (L, (0.5, 1.5)), **dict.fromkeys("bcde", (U, (0.7, 3.0)))}),
        ),
        ("a is ahead so far: too few rounds to say more", verdict({"a": (L, None), "b": (U, None)})),
        ("a is ahead so far: too few rounds to say more", verdict({"a": (L, (0.01, 99)), "b": (U, (0.01, 99))})),
        ("only a has a speed", verdict({"a": (L, None)})),
    ],
)
def test_it_names_what_to_use_what_is_open_and_how_far_the_rest_lie_behind(said: str, of: Verdict) -> None:
    assert sentence([of], ZONE) == said


def test_a_contender_that_is_beaten_nowhere_serves_all_batch_sizes() -> None:
    found = sentence(
        [
            verdict({"b": (L, (0.90, 1.05)), "a": (U, (0.95, 1.11)), "c": (S, (1.5, 2.0))}, 8),
            verdict({"a": (L, (0.80, 0.90)), "b": (S, (1.11, 1.25)), "c": (S, (1.2, 1.9))}, 1),
        ],
        ZONE,
    )
    assert found == (
        "use a: nothing is more than 1.11x faster; b is undecided: between 1.25x slower and 1.12x faster; "
        "c is at least 1.20x slower"
    )


def test_batch_sizes_that_no_one_contender_serves_get_an_advice_each() -> None:
    one, two, eight = (
        verdict({best: (L, (0.5, 0.8)), other: (S, (1.25, 2.0))}, size)
        for size, best, other in ((1, "a", "b"), (2, "a", "b"), (8, "b", "a"))
    )
    found = sentence([eight, one, two], ZONE)
    assert found == "at batch 1 to 2 use a; b is at least 1.25x slower; at batch 8 use b; a is at least 1.25x slower"


def test_what_is_decided_at_every_size_but_otherwise_at_each_is_not_called_undecided() -> None:
    found = sentence(
        [
            verdict({"a": (L, (0.80, 0.90)), "b": (S, (1.11, 1.25))}, 1),
            verdict({"a": (L, (0.99, 1.01)), "b": (E, (0.99, 1.01))}, 8),
        ],
        ZONE,
    )
    assert (
        found
        == "use a: nothing is more than 1% faster; b is between 1.25x slower and 2% faster, depending on the batch size"
    )


def test_leagues_and_models_are_answered_apart() -> None:
    found = answers([CERTAIN, verdict({"q": (L, None)}, league="bf16"), verdict({"x": (L, None)}, model="n")], ZONE)
    assert [(each.model, each.league) for each in found] == [("m", "fp32"), ("m", "bf16"), ("n", "fp32")]


@given(st.floats(1.0, 50.0))
def test_rounded_bounds_still_hold(ratio: float) -> None:
    def number(said: str) -> float:
        return 1 + float(said[:-1]) / 100 if said.endswith("%") else float(said[:-1])

    assert number(at_least(ratio)) <= ratio + 1e-9
    assert number(at_most(ratio)) >= ratio - 1e-9


def test_an_interval_reads_as_slower_and_faster() -> None:
    assert between(0.95, 1.03) == "between 3% slower and 6% faster"
    assert between(1.01, 1.08) == "between 1% and 8% slower"
    assert between(0.9, 0.98) == "between 2% and 1.12x faster"


@pytest.mark.parametrize(
    ("interval", "said"),
    [(None, ""), ((1.4, 1.512), "[1.40–1.51]"), ((0.0, 3228.9), "[<0.01–>100]"), ((0.5, 1e9), "[0.50–>100]")],  # noqa: RUF001
)
def test_bounds_that_tell_nothing_have_no_figures(interval: tuple[float, float] | None, said: str) -> None:
    assert bounds(interval) == said
