"""The straight line of a race, its heats replaced by what they would yield."""

from pathlib import Path

import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.race.budget import Budget
from bakeoff.race.race import Race
from bakeoff.records import Plan, RunRecord, Status, Trial
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


def a_trial(engine: str, round_: int) -> Trial:
    case = a_case(engine=engine, model="m", batch_size=1, threads=1)
    return Trial(round=round_, case=case, status=Status.OK, measurement=a_measurement([[0.1, 0.1]]))


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
