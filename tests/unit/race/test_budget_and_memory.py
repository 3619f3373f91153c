import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_contender

from bakeoff.race.budget import Budget
from bakeoff.race.heats.memory import ROOM_TO_SPARE, groups
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import EngineSpec, EnvironmentSpec, Installed, ModelForm

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


def test_a_heat_is_only_begun_if_one_like_it_would_end_in_time() -> None:
    budget = Budget(60.0)
    assert budget.holds_a_heat_of("resnet50")
    budget.learn("resnet50", 61.0)
    assert not budget.holds_a_heat_of("resnet50")
    assert budget.holds_a_heat_of("resnet18")


def test_a_spent_budget_holds_nothing() -> None:
    budget = Budget(1.0, spent_before_s=2.0)
    assert budget.share(1)()
    assert budget.left_s == 0
    assert not budget.holds_a_heat_of("resnet18")


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
