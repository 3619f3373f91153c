from collections.abc import Callable

import msgspec
import pytest

from bakeoff.errors import UsageError
from bakeoff.judge.between_runs.comparing import compare_engines, compare_runs, knows
from bakeoff.scorecards import Change, Method, Scorecard

pytestmark = pytest.mark.unit

MakeCard = Callable[..., Scorecard]
SPEEDS = {"keras": [1.0, 1.01, 0.99, 1.0, 1.0], "keras-2019": [0.0, 0.01, -0.01, 0.0, 0.0], "jax": [2.0] * 5}


def test_two_runs_are_compared_case_by_case(a_card: MakeCard) -> None:
    report = compare_runs(a_card(SPEEDS, canary=[0.0] * 5), a_card(SPEEDS, canary=[0.0] * 5, name="now"))
    assert [(case.after.contender.name, case.method) for case in report.cases] == [(e, Method.CANARY) for e in SPEEDS]
    assert report.notes == ()


def test_a_comparison_without_a_canary_says_so(a_card: MakeCard) -> None:
    report = compare_runs(a_card(SPEEDS), a_card(SPEEDS, name="now"))
    assert "not normalised" in report.notes[0]
    assert "8% of drift" in report.notes[0]


def test_runs_with_nothing_alike_are_refused_with_the_reason(a_card: MakeCard) -> None:
    with pytest.raises(UsageError, match="not the same network"):
        compare_runs(a_card(SPEEDS), a_card(SPEEDS, digest="2" * 64))
    with pytest.raises(UsageError, match="only in then: engine a"):
        compare_runs(a_card({"a": [1.0]}), a_card({"b": [1.0]}))


def test_two_engines_of_a_run_are_paired_by_round(a_card: MakeCard) -> None:
    report = compare_engines(a_card(SPEEDS), "keras", "jax")
    (case,) = report.cases
    assert (case.before.contender.name, case.after.contender.name, case.change) == ("keras", "jax", Change.FASTER)
    assert case.method is Method.PAIRED


def test_rounds_that_a_pair_missed_buy_it_no_earlier_look(a_card: MakeCard) -> None:
    """Its interval is that of the race's second look, though it has five rounds as at the first."""
    speeds = {"keras": [1.0, 1.01, 0.99, 1.0, 1.0], "jax": [2.0] * 5}
    first = a_card(speeds)
    late = [msgspec.structs.replace(s, rounds={r + 2: v for r, v in s.rounds.items()}) for s in first.scores]
    second = msgspec.structs.replace(first, scores=tuple(late))
    intervals = [compare_engines(card, "keras", "jax").cases[0].interval for card in (first, second)]
    assert intervals[0]
    assert intervals[1]
    assert intervals[1][0] < intervals[0][0] < intervals[0][1] < intervals[1][1]


def test_releases_pair_namesakes(a_card: MakeCard) -> None:
    (case,) = compare_engines(a_card(SPEEDS), "2019", "today").cases
    assert (case.before.contender.name, case.after.contender.name) == ("keras-2019", "keras")
    with pytest.raises(UsageError, match="no engine both in release"):
        compare_engines(a_card({"jax": [1.0]}), "2019", "today")


def test_a_run_knows_its_engines_and_releases(a_card: MakeCard) -> None:
    assert all(knows(a_card(SPEEDS), name) for name in ("jax", "2019", "today"))
    assert not knows(a_card(SPEEDS), "onnxruntime")


def test_equivalent_is_what_was_asked_for_but_never_narrower_than_raced_for(a_card: MakeCard) -> None:
    card = a_card({"keras": [1.0, 1.001, 0.999, 1.0, 1.0], "jax": [1.03, 1.03, 1.031, 1.03, 1.029]})
    changes = [compare_engines(card, "keras", "jax", wide).cases[0].change for wide in (None, 0.05)]
    assert changes == [Change.FASTER, Change.EQUIVALENT]
    wide = msgspec.structs.replace(card, plan=msgspec.structs.replace(card.plan, indifference=0.05))
    assert compare_engines(wide, "keras", "jax").cases[0].change is Change.EQUIVALENT
    assert compare_runs(card, wide).indifference == 0.05
    with pytest.raises(UsageError, match="cannot be judged"):
        compare_runs(card, wide, 0.02)
