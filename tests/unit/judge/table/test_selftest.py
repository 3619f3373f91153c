import math

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_contender, a_measurement

from bakeoff.judge.table import selftest
from bakeoff.judge.table.best import Comparison
from bakeoff.judge.table.selftest import Finding, Names, examine, resolvable, rounds_to_resolve
from bakeoff.judge.table.verdict import standings
from bakeoff.records import Outcome, Standing, Status, Trial

pytestmark = pytest.mark.unit

NAMES = Names(plain="e", again="e-again", delayed="e-delayed")
DELAY = 0.05


def trials(rounds: int, sd: float = 0.005, *, again: float = 1.0, delayed: float = 1 + DELAY) -> list[Trial]:
    rng = np.random.default_rng(rounds)
    found = []
    for r in range(rounds):
        drift = 0.1 * rng.standard_normal()
        for engine, factor in ((NAMES.plain, 1.0), (NAMES.again, again), (NAMES.delayed, delayed)):
            latency = 0.1 * factor * math.exp(drift + sd / math.sqrt(2) * rng.standard_normal())
            measured = a_measurement(latencies=((latency,),))
            case = a_case(engine=engine, model="m", batch_size=1, threads=1)
            found.append(Trial(round=r + 1, case=case, status=Status.OK, measurement=measured))
    return found


def examined(of: list[Trial]) -> Finding:
    finding = examine(of, NAMES, DELAY)
    assert finding
    return finding


def test_a_sound_race_passes() -> None:
    finding = examined(trials(20))
    assert finding.passed
    assert (finding.equal.outcome, finding.delayed.outcome) == (Outcome.EQUIVALENT, Outcome.SLOWER)
    assert finding.delayed.ratio == pytest.approx(1.05, abs=0.005)
    assert finding.sd == pytest.approx(0.005, rel=0.4)


@pytest.mark.parametrize("outcome", [Outcome.EQUIVALENT, Outcome.UNDECIDED])
def test_a_judge_that_always_says_the_same_fails(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    def always(pairs: Comparison) -> tuple[Standing, ...]:
        leader, *rest = standings(pairs)
        return (leader, *(msgspec.structs.replace(standing, outcome=outcome) for standing in rest))

    monkeypatch.setattr(selftest, "standings", always)
    finding = examined(trials(20))
    assert finding.equal.passed
    assert not finding.passed


def test_a_delay_that_is_not_there_is_not_found() -> None:
    assert not examined(trials(20, delayed=1.0)).passed


def test_a_machine_too_noisy_to_say_anything_fails() -> None:
    finding = examined(trials(6, sd=0.2))
    assert finding.equal.passed
    assert not finding.delayed.passed


def test_equals_that_are_called_different_fail() -> None:
    finding = examined(trials(20, again=1.06))
    assert not finding.equal.passed


def test_a_delay_of_the_wrong_size_fails() -> None:
    finding = examined(trials(20, delayed=1.12))
    assert finding.delayed.outcome is Outcome.SLOWER
    assert not finding.delayed.passed


def test_trials_of_others_do_not_matter() -> None:
    own = trials(8)
    canary = [
        msgspec.structs.replace(t, case=msgspec.structs.replace(t.case, contender=a_contender("canary"))) for t in own
    ]
    assert examine([*own, *canary], NAMES, DELAY) == examine(own, NAMES, DELAY)


@pytest.mark.parametrize("rounds", [0, 1, 4])
def test_few_rounds_tell_nothing(rounds: int) -> None:
    assert examine(trials(rounds), NAMES, DELAY) is None


def test_more_rounds_resolve_less_but_never_the_minimum_effect() -> None:
    sizes = [resolvable(0.03, rounds) for rounds in (5, 10, 40, 1000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0.02


def test_the_rounds_advised_are_the_fewest_that_resolve() -> None:
    rounds = rounds_to_resolve(0.05, 0.035)
    assert rounds
    assert resolvable(0.035, rounds) <= 0.05 < resolvable(0.035, rounds - 1)
    assert rounds_to_resolve(0.0201, 0.05) is None
    assert rounds_to_resolve(0.10, 0.0001) == 5
