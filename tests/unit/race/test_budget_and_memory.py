import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_case, a_contender, a_measurement

from bakeoff.race.budget import FULL, ROUNDS, Budget
from bakeoff.race.heats.memory import ROOM_TO_SPARE, groups
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import EngineSpec, EnvironmentSpec, Installed, ModelForm, Status, Trial

pytestmark = pytest.mark.unit


def runnable(name: str, disk_mb: int = 0) -> Runnable:
    here = Path()
    engine = EngineSpec(
        name=name,
        title=name,
        framework="test",
        release="today",
        league="fp32",
        adapter=here,
        environment=EnvironmentSpec(name="e", kind="uv", lock=here, disk_mb=disk_mb),
        model=ModelForm(format="onnx"),
    )
    return Runnable(a_contender(name), engine, Installed(name="e", digest="", path=here, command=()), here)


def names(heats: list[list[Runnable]]) -> list[list[str]]:
    return [[runnable.name for runnable in heat] for heat in heats]


def test_a_budget_counts_what_an_earlier_sitting_has_used() -> None:
    budget = Budget(100.0, spent_before_s=99.9)
    assert 99.9 <= budget.spent_s < 101
    assert budget.left_s <= 0.1


def a_trial(model: str, load_s: float) -> Trial:
    measured = a_measurement(((0.5,), (0.5,)), load_s=load_s)
    return Trial(
        round=1, case=a_case(engine="a", model=model, batch_size=1, threads=1), status=Status.OK, measurement=measured
    )


def test_a_heat_is_expected_to_take_what_its_trials_tell_and_as_much_more_as_the_last_one_did() -> None:
    budget, trial = Budget(60.0), a_trial("resnet50", load_s=8.0)
    assert trial.measurement
    assert budget.expected_s("resnet50", [trial], {trial.case}) == 0  # given its chance
    budget.learn("resnet50", 15.0, [trial.measurement])  # of which the trial tells 10
    assert budget.expected_s("resnet50", [trial], {trial.case}) == pytest.approx(15.0)
    assert budget.expected_s("resnet50", [trial], set()) == 0
    assert budget.holds(59.0)
    assert not budget.holds(61.0)


def test_a_round_takes_its_share_of_the_budget_and_the_last_one_all() -> None:
    budget = Budget(100.0)
    third = budget.round_ends_s(ROUNDS)
    assert budget.aim_s("a", {"a": 0.0, "b": 0.0}, third) == pytest.approx(100 / 3 / 2, rel=0.01)
    assert budget.aim_s("a", {"a": 3.0, "b": 1.0}, third) == pytest.approx(100 / 3 * 0.75, rel=0.01)
    assert budget.aim_s("b", {"b": 1.0}, budget.round_ends_s(1)) == pytest.approx(100, rel=0.01)
    assert budget.aim_s("b", {"b": 1.0}, until_s=-1.0) == 0.0


def test_what_is_left_is_divided_into_rounds_that_can_tell_something() -> None:
    budget = Budget(100.0)
    assert [budget.rounds(least) for least in (0.0, 1.0, 100 / (2 * FULL + 0.1), 60.0, 99.0)] == [3, 3, 2, 1, 1]


def test_a_spent_budget_holds_nothing() -> None:
    budget = Budget(1.0, spent_before_s=2.0)
    assert budget.share(1)()
    assert budget.left_s == 0
    assert not budget.holds(0.0)


def test_a_first_heat_leaves_its_share_to_the_second() -> None:
    budget = Budget(100.0)
    is_up = budget.share(2)
    assert not is_up()
    later = Budget(0.2)
    is_up = later.share(4)
    time.sleep(0.06)
    assert is_up()
    assert later.left_s > 0


def test_engines_that_fit_into_memory_share_one_heat() -> None:
    assert names(groups([runnable("a"), runnable("b")], {"a": 100, "b": 100}, 1000)) == [["a", "b"]]


def test_heats_split_by_memory_race_each_engine_once() -> None:
    peaks = {"a": 600, "b": 600, "c": 50, "d": 100}
    assert names(groups([runnable(n) for n in "abcd"], peaks, 1000)) == [["a"], ["b", "c", "d"]]
    assert groups([], {}, 1000) == []


@given(st.lists(st.floats(1, 5000), min_size=1, max_size=12), st.floats(100, 20_000))
def test_every_engine_is_in_one_heat_and_no_heat_of_several_outgrows_memory(peaks: list[float], memory: float) -> None:
    sizes = {f"e{i}": peak for i, peak in enumerate(peaks)}
    heats = names(groups([runnable(name) for name in sizes], sizes, memory))
    assert [name for heat in heats for name in heat] == [*sizes]
    for heat in heats:
        if len(heat) > 1:
            assert sum(sizes[name] for name in heat) <= memory * ROOM_TO_SPARE + 1e-6
