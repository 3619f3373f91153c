"""The straight line of a race, its heats replaced by what they would yield."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.errors import LostFilesError, StoreError
from bakeoff.judge.case.summary import summarise
from bakeoff.models.library import ModelLibrary
from bakeoff.race import race as racing
from bakeoff.race.budget import Budget
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.host import Host
from bakeoff.race.race import Race, Setup, run_rounds
from bakeoff.race.ready.prepare import Preparation
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import (
    Case,
    Contender,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    ModelForm,
    ModelRecord,
    Plan,
    RunRecord,
    Status,
    Trial,
)
from bakeoff.store import Spool, Store
from bakeoff.views.racing import Silence

pytestmark = pytest.mark.unit

PLAN = a_plan(models=("m",), engines=("a", "b"), batch_sizes=(1,), threads=1, rounds=8)


class Listener(Silence):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def note(self, what: str) -> None:
        self.noted.append(what)


def a_run(name: str = "2026-11-23-1", plan: Plan = PLAN) -> RunRecord:
    return RunRecord(name=name, started_at=1.5e9, plan=plan, machine={}, bakeoff_version="0")


def a_trial(engine: str, round_: int, latency_s: float = 0.1) -> Trial:
    case = a_case(engine=engine, model="m", batch_size=1, threads=1)
    return Trial(round=round_, case=case, status=Status.OK, measurement=a_measurement([[latency_s, latency_s]]))


MODEL = ModelRecord(name="m", digest="d" * 64, weights="seeded", inputs=(), outputs=())
GONE = "its environment a-1 is gone, and cannot be built without network"


class Clock(Host):
    """Stands still but for heats."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def a_runnable(contender: Contender, folder: Path) -> Runnable:
    name = contender.name
    environment = EnvironmentSpec(name=f"{name}-1", kind="uv", python="3.11", requirements=(), lock=folder / "a.lock")
    engine = EngineSpec(
        name=name,
        title=name,
        framework=name,
        release="today",
        league="fp32",
        adapter=folder / "adapter.py",
        environment=environment,
        model=ModelForm(format="onnx"),
    )
    return Runnable(contender, engine, Installed(name=environment.name, path=folder, command=(), digest="0"), folder)


Resumed = Callable[..., Race]


@pytest.fixture
def resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resumed:
    """Race on from `trials` with the engines that are `ready`, a second for each heat."""
    clock = Clock()
    heats: list[int] = []

    def one_heat(race: Race, context: HeatContext, _runnables: Any, wanted: set[Case], _canary: Any) -> None:
        heats.append(context.round)
        assert len(heats) < 50, "it does not come to an end"
        clock.now += 1.0
        race.keep([a_trial(case.contender.name, context.round) for case in sorted(wanted)])

    monkeypatch.setattr(racing, "run_one_heat", one_heat)

    def go_on(trials: Sequence[Trial], ready: Sequence[str], plan: Plan = PLAN) -> Race:
        with Store.open(tmp_path) as store:
            run = a_run(f"2026-11-23-{len(store.runs()) + 1}", plan)
            store.create_run(run)
            budget = Budget(60.0, host=clock)
            race = Race(run=run, store=store, output=tmp_path, observer=Silence(), budget=budget, trials=list(trials))
            preparation = Preparation(
                exams={},
                runnables={"m": [a_runnable(each, tmp_path) for each in plan.contenders if each.name in ready]},
                engines=(),
                standing={},
                unready=[
                    Trial(round=0, case=case, status=Status.UNAVAILABLE, reason=GONE)
                    for case in plan.cases()
                    if case.contender.name not in ready
                ],
            )
            context = HeatContext(
                plan=plan,
                round=0,
                model=MODEL,
                inputs={},
                tolerance=0.0,
                logs=tmp_path,
                scratch=tmp_path,
                time_is_up=lambda: False,
                say=print,
            )
            run_rounds(race, preparation, Setup({"m": context}, None))
            return race

    return go_on


def raced(race: Race, engine: str, status: Status = Status.OK) -> list[int]:
    return [trial.round for trial in race.trials if trial.case.contender.name == engine and trial.status is status]


def test_rounds_with_nothing_to_race_end_the_race(resumed: Resumed) -> None:
    """Every environment has gone since the run was interrupted: nothing is left to do, however long the budget."""
    before = [
        a_trial(engine, round_, 0.1 + 0.02 * (engine == "ab"[round_ % 2])) for round_ in (1, 2) for engine in "ab"
    ]
    race = resumed(before, ready=())
    assert raced(race, "a") == raced(race, "b") == [1, 2]
    assert raced(race, "a", Status.NOT_RUN) == raced(race, "b", Status.NOT_RUN) == [3]
    rows = summarise(race.run, race.trials)
    assert [row.status for row in rows] == [Status.OK, Status.OK]
    assert all(f"missed: 1 round not run: {GONE}" in row.cautions for row in rows)


def test_a_race_ends_when_nothing_is_wanted_though_there_is_time(resumed: Resumed) -> None:
    """Equal to the last digit: two rounds decide, and the rest of the budget is nobody's."""
    race = resumed([], ready="ab", plan=msgspec.structs.replace(PLAN, rounds=None))
    assert raced(race, "a") == raced(race, "b") == [1, 2]


def test_an_engine_whose_environment_is_gone_is_a_row_with_the_reason_and_the_others_go_on(resumed: Resumed) -> None:
    race = resumed([], ready="b", plan=msgspec.structs.replace(PLAN, rounds=3))
    assert raced(race, "b") == [1, 2]  # which decide, as steady as heats are here
    assert raced(race, "a", Status.NOT_RUN) == [1, 2, 3]
    row = summarise(race.run, race.trials)[0]
    assert (row.status, row.reason) == (Status.NOT_RUN, GONE)


def test_an_environment_that_is_back_is_raced_again_in_rounds_that_others_run_too(resumed: Resumed) -> None:
    """Never alone in a round that it missed: there is nobody to pair with."""
    missed = resumed([a_trial(engine, 1) for engine in "ab"], ready="b", plan=msgspec.structs.replace(PLAN, rounds=3))
    back = resumed(missed.trials, ready="ab")
    assert raced(back, "b") == [1, 2, 3, 4, 5]
    assert raced(back, "a") == [1, 4, 5]


def test_what_can_no_longer_be_raced_keeps_nobody_else_racing(resumed: Resumed) -> None:
    """Two whose difference is open race on for it, but not once one of them cannot."""
    close = [
        a_trial(engine, round_, 0.1 + (0.001 if engine == "a" else 0.003) * round_)
        for round_ in range(1, 6)
        for engine in "ab"
    ]
    together = resumed(close, ready="ab")
    assert raced(together, "b")[5:]
    steady = [
        a_trial(engine, round_, 0.1 if engine == "b" else 0.1 + 0.01 * round_)
        for round_ in range(1, 6)
        for engine in "ab"
    ]
    alone = resumed(steady, ready="b")
    assert raced(alone, "b") == [1, 2, 3, 4, 5]
    assert raced(alone, "a", Status.NOT_RUN) == [6]


def test_no_run_takes_a_name_whose_folder_exists(tmp_path: Path) -> None:
    """As it was advised for a damaged store: moved away, so that the next run begins a new one."""
    with Store.open(tmp_path) as store:
        first = racing.new_name(store, tmp_path)
    table = tmp_path / first / "table.md"
    table.write_text("of the first run")
    (tmp_path / "bakeoff.sqlite").rename(tmp_path / "damaged")
    with Store.open(tmp_path) as store:
        assert racing.new_name(store, tmp_path) != first
    assert table.read_text() == "of the first run"


def test_a_race_whose_own_files_are_gone_ends_with_what_it_has_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_on_without(race: Race, *_: object) -> None:
        race.keep([a_trial("a", 1)])
        raise LostFilesError("/cache/scratch/1 is gone")

    monkeypatch.setattr(racing, "lay_out", lambda *_: None)
    monkeypatch.setattr(racing, "run_rounds", goes_on_without)
    with Store.open(tmp_path) as store:
        store.create_run(a_run())
        race = Race(run=a_run(), store=store, output=tmp_path, observer=Silence(), budget=Budget(60.0))
        preparation = Preparation(exams={}, runnables={}, engines=(), standing={})
        outcome = racing.finish(race, preparation, ModelLibrary(tmp_path))
        assert [trial.status for trial in store.trials()] == [Status.OK]
        assert store.run().state == outcome.results.run.state == "interrupted"
    assert outcome.stopped == "the race could not go on: /cache/scratch/1 is gone"


def test_what_could_not_be_stored_or_written_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StoreError("no space left")

    with Store.open(tmp_path) as store:
        store.create_run(a_run())
        race = Race(run=a_run(), store=store, output=tmp_path, observer=Silence(), budget=Budget(0.0))
        monkeypatch.setattr(store, "add_trials", fails)
        monkeypatch.setattr(racing, "lay_out", lambda *_: None)
        monkeypatch.setattr(racing, "run_rounds", lambda *_: None)
        monkeypatch.setattr(racing, "write_all", fails)
        race.keep([a_trial("a", 1)])
        race.keep([a_trial("a", 2)])
        preparation = Preparation(exams={}, runnables={}, engines=(), standing={})
        outcome = racing.finish(race, preparation, ModelLibrary(tmp_path))
    assert (outcome.unsaved, outcome.waiting, outcome.unwritten) == (0, 2, "no space left")


def test_a_run_that_the_store_lost_does_not_keep_a_later_race_from_storing(tmp_path: Path) -> None:
    listener = Listener()
    with Store.open(tmp_path) as store:
        Spool(tmp_path).keep(store, a_run("2026-11-22-1"), [a_trial("a", 1)])
        store.create_run(a_run())
        race = Race(run=a_run(), store=store, output=tmp_path, observer=listener, budget=Budget(60.0))
        race.keep([a_trial("a", 1)])
        race.keep([a_trial("a", 2)])
        assert [trial.round for trial in store.trials()] == [1, 2]
    assert not race.unsaved
    assert len(listener.noted) == 1
