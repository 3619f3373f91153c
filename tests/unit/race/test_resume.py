"""Which run `resume` takes up, and which it leaves alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.made import a_plan

from bakeoff.cli import bakeoff
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import StoreError, UsageError
from bakeoff.machine.fingerprint import fingerprint
from bakeoff.race import machine_lock
from bakeoff.race.race import resumable, resume
from bakeoff.records import RunRecord
from bakeoff.store import Store
from bakeoff.views.racing import Silence

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def keep(store: Store, name: str, started_at: float, state: str = "interrupted", **machine: Any) -> None:
    """A run of this machine, but for what of its fingerprint is given."""
    here = fingerprint()
    store.create_run(
        RunRecord(
            name=name,
            started_at=started_at,
            plan=a_plan(models=("m",), engines=("a",), batch_sizes=(1,)),
            machine={**here, **machine},
            bakeoff_version="0",
            state=state,
        )
    )


def test_it_takes_up_the_last_run_of_this_machine_and_not_a_colleague_s_later_one(store: Store) -> None:
    keep(store, "older", 1.0)
    keep(store, "mine", 2.0)
    keep(store, "theirs", 3.0, cpu="another", digest="0" * 12)
    assert resumable(store, None).name == "mine"
    assert resumable(store, "older").name == "older"


def test_a_run_of_another_machine_is_refused_with_what_is_unlike(store: Store) -> None:
    keep(store, "theirs", 3.0, cpu="Another CPU", digest="0" * 12)
    keep(store, "before the update", 4.0, kernel="1.2.3", digest="1" * 12)
    with pytest.raises(UsageError, match=r"run theirs cannot go on here: the machines differ: cpu Another CPU, now "):
        resumable(store, "theirs")
    with pytest.raises(UsageError, match=r"kernel 1\.2\.3, now "):
        resumable(store, "latest")
    with pytest.raises(UsageError, match="has no run of this machine, and its last one, before the update, cannot"):
        resumable(store, None)


def test_a_run_whose_process_was_killed_is_taken_up(store: Store) -> None:
    keep(store, "killed", 1.0, state="running")
    assert resumable(store, None).name == "killed"


def test_a_run_that_is_still_being_raced_is_refused_before_the_machine_is_waited_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, "mine", 1.0, state="running")
    monkeypatch.setattr(machine_lock, "held", lambda *_: pytest.fail("it waits"))
    with Store.open(tmp_path) as elsewhere, elsewhere.racing("mine"):
        with pytest.raises(StoreError, match="run mine is still being raced"):
            resume("mine", Catalogue.load(), store, tmp_path, Silence())
        result = CliRunner().invoke(bakeoff, ["resume", "--output", str(tmp_path)])
    assert isinstance(result.exception, StoreError)
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)


def test_a_store_without_runs_has_none_to_take_up(store: Store) -> None:
    with pytest.raises(StoreError, match="holds no run yet"):
        resumable(store, None)
