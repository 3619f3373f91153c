"""The gate, proved on synthetic runs whose truth is known. `pytest -s` prints the figures for docs/method.md.

A trial's log throughput is the engine's own, plus what the machine did in that run and that round (shared with the
rival of the same round, and in part with the canary), plus what the run as a whole did to this engine and not to the
canary, plus the trial's own deviation, minus now and then a disturbance that went unnoticed.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.judge.between_runs.comparing import compare_runs
from bakeoff.judge.between_runs.gate import decided, gate_across, gate_within
from bakeoff.judge.between_runs.pairing import Pairs, pair
from bakeoff.records import ModelRecord, Status
from bakeoff.scorecards import CanaryRounds, Gate, GateOutcome, Score, Scorecard

pytestmark = pytest.mark.simulation

MARGIN = 0.05
LOOKS = (5, 7, 10, 14, 20, 28, 40)
MODEL = ModelRecord(name="m", digest="d" * 64, weights="seeded", inputs=(), outputs=())


@dataclass(frozen=True)
class Machine:
    """Standard deviations of log throughput."""

    trial: float
    between_runs: float
    """of one engine against the canary (which comes last), from run to run, beyond what trials show"""
    drift: tuple[float, float] = (0.05, 0.11)
    """between rounds: from, to"""
    level: float = 0.08
    """between runs"""
    canary: float | None = None
    """of the canary's trials, if not as of an engine's"""
    follows: float = 1.0
    """of what the machine does to the canary, how much it does to an engine"""
    disturbed: float = 0.01
    slowdown: float = 0.1

    def rounds(
        self, rng: np.random.Generator, true: Sequence[float], rounds: int
    ) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        """Log throughputs of shape (engines, rounds); in a run that is compared with another the last is the canary."""
        shape = (len(true), rounds)
        drift = self.level * rng.standard_normal() + rng.uniform(*self.drift) * rng.standard_normal(rounds)
        of_run = self.between_runs * rng.standard_normal((len(true), 1))
        of_run[-1] = 0.0  # the canary's own share is in everybody's
        own = self.trial * rng.standard_normal(shape)
        if self.canary is not None:
            own[-1] *= self.canary / self.trial
        follows = np.full((len(true), 1), self.follows)
        follows[-1] = 1.0
        disturbance = np.where(rng.random(shape) < self.disturbed, rng.exponential(self.slowdown, shape), 0.0)
        return np.asarray(np.array(true)[:, None] + follows * drift + of_run + own - disturbance)


MEASURED = Machine(trial=0.025, between_runs=0.015)
"""2.5% between trials and 3.5% between two, as measured; 1.5% between runs, as `across.BETWEEN_RUNS` has it"""
WORSE = Machine(trial=0.036, between_runs=0.025)
WITHIN = Machine(trial=0.025, between_runs=0.0, level=0.0)
"""a rerace is one run: what it does to an engine from round to round is in its trials"""


def card(name: str, speeds: Iterable[Iterable[float]], canary: Iterable[float] | None = None) -> Scorecard:
    """A run of engines a0, a1 ... with these log throughputs, round by round."""
    speeds = [list(values) for values in speeds]
    plan = a_plan(models=("m",), engines=tuple(f"a{i}" for i in range(len(speeds))), batch_sizes=(1,), threads=2)
    scores = tuple(
        Score(
            case=a_case(engine=f"a{i}", model="m", batch_size=1, threads=2),
            league="fp32",
            status=Status.OK,
            rounds=dict(enumerate(values, 1)),
        )
        for i, values in enumerate(speeds)
    )
    return Scorecard(
        name=name,
        started_at=0.0,
        bakeoff_version="0",
        machine={"cpu": "one", "digest": "d"},
        plan=plan,
        models=(MODEL,),
        engines=(),
        scores=scores,
        canary=()
        if canary is None
        else (CanaryRounds(model="m", batch_size=1, threads=1, version=2, rounds=dict(enumerate(canary, 1))),),
        elapsed_s=60.0,
    )


def two_runs(
    machine: Machine, rng: np.random.Generator, *, engines: int, rounds: int, slower: float = 0.0
) -> tuple[Scorecard, Scorecard]:
    """At other levels of the machine; the last engine became slower."""
    true = np.zeros(engines)
    before = machine.rounds(rng, [*true, 0.0], rounds)
    true[-1] = math.log1p(-slower)
    after = machine.rounds(rng, [*true, 0.0], rounds)
    return card("then", before[:-1], before[-1]), card("now", after[:-1], after[-1])


def across(machine: Machine, rng: np.random.Generator, *, engines: int, rounds: int, slower: float) -> Gate:
    """A gate through the canary."""
    then, now = two_runs(machine, rng, engines=engines, rounds=rounds, slower=slower)
    return gate_across(then, now, pair(then, now), MARGIN)


def rerace(machine: Machine, rng: np.random.Generator, *, engines: int, slower: float) -> tuple[Gate, int]:
    """A rerace that goes on until it is decided; and the rounds it took."""
    then_and_now = [0.0] * engines * 2
    then_and_now[-1] = math.log1p(-slower)
    logs = machine.rounds(rng, then_and_now, LOOKS[-1])
    for look in LOOKS:
        found = card("rerace", logs[:, :look])
        if decided(found, sides(found, engines), MARGIN):
            break
    return gate_within(found, sides(found, engines), MARGIN, "then"), look


def sides(found: Scorecard, engines: int) -> Pairs:
    return Pairs(tuple(zip(found.scores[:engines], found.scores[engines:], strict=True)), (), (), ())


def share(gates: Sequence[Gate], outcome: GateOutcome) -> float:
    return sum(gate.outcome is outcome for gate in gates) / len(gates)


@pytest.mark.parametrize("machine", [MEASURED, WORSE], ids=["measured", "worse"])
@pytest.mark.parametrize("engines", [1, 8])
@pytest.mark.parametrize("rounds", [5, 20])
def test_a_gate_through_the_canary_never_fails_two_runs_of_the_same(
    machine: Machine, engines: int, rounds: int
) -> None:
    rng = np.random.default_rng(1)
    gates = [across(machine, rng, engines=engines, rounds=rounds, slower=0.0) for _ in range(1_000)]
    print(f"\nA/A, canary, {engines} engines, {rounds} rounds: fails {share(gates, GateOutcome.FAIL):.2%}")
    assert share(gates, GateOutcome.FAIL) < 0.002


@pytest.mark.parametrize("engines", [1, 8])
def test_even_a_slowdown_of_just_the_margin_fails_a_gate_rarely(engines: int) -> None:
    rng = np.random.default_rng(2)
    gates = [across(MEASURED, rng, engines=engines, rounds=10, slower=MARGIN) for _ in range(1_000)]
    reraces = [rerace(WITHIN, rng, engines=engines, slower=MARGIN)[0] for _ in range(1_000)]
    print(f"\nat the margin, {engines} engines: canary fails {share(gates, GateOutcome.FAIL):.2%}")
    print(f"rerace fails {share(reraces, GateOutcome.FAIL):.2%}, passes {share(reraces, GateOutcome.PASS):.2%}")
    assert share(gates, GateOutcome.FAIL) < 0.02
    assert share(reraces, GateOutcome.FAIL) < 0.02
    assert share(reraces, GateOutcome.PASS) < 0.05


def test_through_the_canary_a_slowdown_is_found_where_it_outgrows_what_differs_between_runs() -> None:
    rng = np.random.default_rng(3)
    found = {
        slower: share(
            [across(MEASURED, rng, engines=1, rounds=20, slower=slower) for _ in range(1_000)], GateOutcome.FAIL
        )
        for slower in (0.10, 0.20)
    }
    print(f"\na true slowdown found through the canary, 20 rounds: {found}")
    assert found[0.20] > 0.95


UNLIKE = {
    "ignores the machine": Machine(trial=0.025, between_runs=0.015, follows=0.0),
    "half": Machine(trial=0.025, between_runs=0.015, follows=0.5),
    "more": Machine(trial=0.025, between_runs=0.015, follows=1.5),
    "calm rounds, another level": Machine(trial=0.025, between_runs=0.015, drift=(0.01, 0.01), level=0.15, canary=0.05),
    "a noisy canary": Machine(trial=0.09, between_runs=0.015, drift=(0.05, 0.05), level=0.15, canary=0.16),
}


@pytest.mark.parametrize("rounds", [2, 5, 20])
@pytest.mark.parametrize("kind", UNLIKE)
def test_intervals_across_runs_hold_however_little_the_canary_explains(kind: str, rounds: int) -> None:
    rng = np.random.default_rng(6)
    machine, held, fails = UNLIKE[kind], 0, 0
    for _ in range(1_000):
        runs = two_runs(machine, rng, engines=1, rounds=rounds)
        (case,) = compare_runs(*runs).cases
        assert case.interval
        held += case.interval[0] <= 1 <= case.interval[1]
        fails += gate_across(*runs, pair(*runs), MARGIN).outcome is GateOutcome.FAIL
    print(f"\n{kind}, {rounds} rounds: 95% intervals hold {held / 10:.1f}%, A/A gate fails {fails / 10:.1f}%")
    assert held >= 930
    assert fails <= 5


def test_a_canary_that_explains_nothing_adds_little_noise() -> None:
    """Where a whole canary would: its trials deviate by 16% and the case's by 9%, as on a machine with neighbours."""
    rng = np.random.default_rng(7)
    machine = Machine(trial=0.09, between_runs=0.0, drift=(0.0, 0.0), level=0.0, canary=0.16)
    runs = [two_runs(machine, rng, engines=1, rounds=10) for _ in range(1_000)]
    without = [tuple(msgspec.structs.replace(each, canary=()) for each in pair_) for pair_ in runs]
    by, bare = (
        np.std([math.log(compare_runs(then, now).cases[0].ratio) for then, now in cards]) for cards in (runs, without)
    )
    print(f"\na canary of noise alone: ratios deviate by {by:.1%}, without it by {bare:.1%}")
    assert by < 1.1 * bare


@pytest.mark.parametrize(("machine", "least"), [(MEASURED, 0.97), (WORSE, 0.9)], ids=["measured", "worse"])
@pytest.mark.parametrize("engines", [1, 4])
def test_a_rerace_finds_a_slowdown_of_ten_percent(machine: Machine, least: float, engines: int) -> None:
    rng = np.random.default_rng(4)
    within = Machine(trial=machine.trial, between_runs=0.0)
    found = [rerace(within, rng, engines=engines, slower=0.10) for _ in range(1_000)]
    caught = share([gate for gate, _ in found], GateOutcome.FAIL)
    print(f"\n10% found in a rerace of {engines}: {caught:.1%}, in {np.median([rounds for _, rounds in found])} rounds")
    assert caught >= least


@pytest.mark.parametrize("engines", [1, 4])
def test_a_rerace_of_the_same_twice_passes_and_does_not_fail(engines: int) -> None:
    rng = np.random.default_rng(5)
    found = [rerace(WITHIN, rng, engines=engines, slower=0.0) for _ in range(1_000)]
    gates = [gate for gate, _ in found]
    rounds = np.median([rounds for _, rounds in found])
    print(f"\nA/A, rerace of {engines}: fails {share(gates, GateOutcome.FAIL):.2%}, passes in {rounds} rounds, median")
    assert share(gates, GateOutcome.FAIL) < 0.02
    assert share(gates, GateOutcome.PASS) > 0.9
