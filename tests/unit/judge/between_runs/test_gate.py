import math
from collections.abc import Callable

import msgspec
import pytest

from bakeoff.judge.between_runs.gate import decided, gate_across, gate_within
from bakeoff.judge.between_runs.pairing import Pairs, pair
from bakeoff.records import Status
from bakeoff.scorecards import Gate, GateOutcome, Method, Score, Scorecard

pytestmark = pytest.mark.unit

MakeCard = Callable[..., Scorecard]
NOISE = [0.01, -0.01, 0.005, -0.005, 0.0]


def rerace(make: MakeCard, now: float, rounds: int = 5, other: float = 0.0) -> tuple[Scorecard, Pairs]:
    """A run of two engines, each beside what it was."""
    noise = [NOISE[i % 5] for i in range(rounds)]
    card = make(
        {
            "a.was": [1.0] * rounds,
            "b.was": [1.0] * rounds,
            "a": [1 + now + n for n in noise],
            "b": [1 + other + n for n in noise],
        }
    )
    return card, Pairs(((card.scores[0], card.scores[2]), (card.scores[1], card.scores[3])), (), (), ())


def through_canary(make: MakeCard, now: float, *, noise: float = 0.3) -> Gate:
    values = [n * noise for n in NOISE]
    before = make({"a": [1 + v for v in values]}, canary=[0.0] * 5)
    after = make({"a": [1 + now + v for v in values]}, canary=[0.0] * 5, name="now")
    return gate_across(before, after, pair(before, after), 0.10)


def test_an_unmistakable_slowdown_fails_whatever_the_others_do(a_card: MakeCard) -> None:
    gate = gate_within(*rerace(a_card, -0.3, other=0.5), 0.05, "base")
    assert gate.outcome is GateOutcome.FAIL
    assert [case.outcome for case in gate.cases] == [GateOutcome.FAIL, GateOutcome.PASS]
    assert gate.cases[0].ratio == pytest.approx(math.exp(-0.3))
    assert (gate.method, gate.baseline, gate.run) == (Method.PAIRED, "base", "then")


def test_what_is_as_fast_as_it_was_passes(a_card: MakeCard) -> None:
    gate = gate_within(*rerace(a_card, 0.0, rounds=20), 0.05, "base")
    assert gate.outcome is GateOutcome.PASS
    low, high = gate.cases[0].interval
    assert low is not None
    assert high is not None
    assert 0.95 < low < 1 < high


def test_what_lies_at_the_margin_is_undecided_and_says_what_it_would_take(a_card: MakeCard) -> None:
    gate = gate_within(*rerace(a_card, math.log(0.95) - 0.004), 0.05, "base")
    assert gate.outcome is GateOutcome.UNDECIDED
    assert "more rounds (about" in gate.cases[0].reason


def test_rounds_that_a_case_missed_buy_it_no_earlier_look(a_card: MakeCard) -> None:
    card, pairs = rerace(a_card, -0.05)

    def two_rounds_later(score: Score) -> Score:
        return msgspec.structs.replace(score, rounds={r + 2: v for r, v in score.rounds.items()})

    late = pairs._replace(cases=tuple((two_rounds_later(old), two_rounds_later(new)) for old, new in pairs.cases))
    first, second = (gate_within(card, found, 0.05, "base").cases[0].interval for found in (pairs, late))
    assert None not in {*first, *second}
    assert second[0] < first[0] < first[1] < second[1]  # type: ignore[operator]  # none is None


def test_one_round_is_too_few_to_say_anything(a_card: MakeCard) -> None:
    gate = gate_within(*rerace(a_card, -0.5, rounds=1), 0.05, "base")
    assert gate.outcome is GateOutcome.UNDECIDED
    assert "too few rounds (1)" in gate.cases[0].reason


def test_through_the_canary_what_differs_between_runs_is_allowed_for(a_card: MakeCard) -> None:
    assert through_canary(a_card, 0.0).outcome is GateOutcome.PASS
    assert through_canary(a_card, -0.13).outcome is GateOutcome.UNDECIDED
    assert through_canary(a_card, -0.4).outcome is GateOutcome.FAIL
    assert "--rerace" in through_canary(a_card, -0.13).cases[0].reason


@pytest.mark.parametrize("hit", ["then", "now"])
def test_no_case_fails_or_passes_on_rounds_that_others_disturbed(a_card: MakeCard, hit: str) -> None:
    def gate(now: float) -> Gate:
        before, after = (
            a_card({"a": [speed] * 5}, canary=[0.0] * 5, name=name, disturbed=[1, 2, 3, 4] if name == hit else [])
            for name, speed in (("then", 1.0), ("now", now))
        )
        return gate_across(before, after, pair(before, after), 0.05)

    for now in (0.2, 1.0, 3.0):
        found = gate(now)
        assert found.outcome is GateOutcome.UNDECIDED, now
        assert found.cases[0].interval == (None, None)
        assert "others used the CPUs" in found.cases[0].reason
        assert found.unlike[0].startswith(f"load: others used the CPUs in {hit}")


def test_a_case_that_has_no_speed_any_more_is_nothing_to_pass(a_card: MakeCard) -> None:
    before, after = a_card({"a": [1.0] * 5}), a_card({"a": []}, status=Status.FAILED, name="now")
    gate = gate_across(before, after, pair(before, after), 0.05)
    assert gate.outcome is GateOutcome.UNDECIDED
    assert gate.cases[0].reason == "failed: it broke"


def test_without_a_canary_the_method_is_named_and_the_interval_wide(a_card: MakeCard) -> None:
    before, after = a_card({"a": [1.0] * 5}), a_card({"a": [0.8] * 5}, name="now")
    gate = gate_across(before, after, pair(before, after), 0.05)
    assert (gate.method, gate.outcome) == (Method.NONE, GateOutcome.UNDECIDED)


@pytest.mark.parametrize(("rounds", "enough"), [(4, False), (5, True), (6, False), (7, True)])
def test_a_rerace_looks_at_itself_at_looks_only(a_card: MakeCard, rounds: int, enough: bool) -> None:
    assert decided(*rerace(a_card, -0.5, rounds=rounds), 0.05) is enough


def test_a_rerace_goes_on_while_anything_is_open(a_card: MakeCard) -> None:
    assert not decided(*rerace(a_card, math.log(0.95) - 0.002, other=0.5), 0.05)


def test_a_gate_says_that_a_run_was_raced_for_less_than_it_asks(a_card: MakeCard) -> None:
    before, after = a_card({"a": [1.0] * 5}), a_card({"a": [1.0] * 5}, name="now")
    wide = msgspec.structs.replace(after, plan=msgspec.structs.replace(after.plan, indifference=0.1))
    assert not any("indifference" in note for note in gate_across(before, after, pair(before, after), 0.05).notes)
    (note,) = (n for n in gate_across(before, wide, pair(before, wide), 0.05).notes if "indifference" in n)
    assert note.startswith("now was raced for an indifference of 10%")
