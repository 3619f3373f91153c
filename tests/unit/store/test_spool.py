import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bakeoff.errors import StoreError
from bakeoff.records import RunRecord, Trial
from bakeoff.store import FILE_NAME, Spool, Store, sqlite
from bakeoff.store.spool import Delivery

pytestmark = pytest.mark.unit

MakeRun = Callable[..., RunRecord]
MakeTrial = Callable[..., Trial]


@pytest.fixture
def spool(tmp_path: Path, store: Store, a_run: MakeRun, a_trial: MakeTrial) -> Spool:
    """Three trials that wait, of a run that the store has."""
    store.create_run(a_run())
    spool = Spool(tmp_path / "results")
    spool.keep(store, "2026-11-23-1", [a_trial(1), a_trial(2)], "running", 5.0)
    spool.keep(store, "2026-11-23-1", [a_trial(3)], "finished", 9.0)
    return spool


def test_what_was_spooled_is_delivered_as_it_was_with_the_run_s_state(
    spool: Spool, store: Store, a_trial: MakeTrial
) -> None:
    assert spool.deliver(store) == Delivery(trials=3, torn=0)
    assert store.trials() == [a_trial(1), a_trial(2), a_trial(3)]
    assert (store.run().state, store.run().elapsed_s) == ("finished", 9.0)
    assert not spool.path.exists()
    assert spool.deliver(store) == Delivery(0, 0)


def test_what_the_store_had_already_is_not_added_twice(spool: Spool, store: Store, a_trial: MakeTrial) -> None:
    store.add_trials("latest", [a_trial(2), a_trial(3)])  # stored, and the server went away before it said so
    spool.deliver(store)
    assert sorted(trial.round for trial in store.trials()) == [1, 2, 3]


def test_a_delivery_broken_off_is_made_again(spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def go_away(*_: object, **__: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "update_run", go_away)
        with pytest.raises(StoreError, match="gone"):
            spool.deliver(store)
    assert spool.deliver(store).trials == 3
    assert len(store.trials()) == 3


def test_what_waits_for_another_store_goes_on_waiting(
    spool: Spool, store: Store, tmp_path: Path, a_run: MakeRun
) -> None:
    with Store.open(tmp_path / "another") as other:
        other.create_run(a_run())
        assert spool.deliver(other) == Delivery(0, 0)
        assert other.trials() == []
    assert spool.deliver(store).trials == 3


def test_a_line_that_its_writer_was_killed_over_costs_no_other(spool: Spool, store: Store, a_trial: MakeTrial) -> None:
    with spool.path.open("ab") as file:
        file.write(spool.path.read_bytes()[:100])
    spool.keep(store, "2026-11-23-1", [a_trial(4)], "finished", 9.0)
    assert spool.deliver(store) == Delivery(trials=4, torn=1)
    assert spool.path.with_suffix(".torn").read_bytes()


def test_a_locked_store_loses_nothing(
    tmp_path: Path, a_run: MakeRun, a_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    with Store.open(tmp_path) as store:
        store.create_run(a_run())
        other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked"):
            store.add_trials("latest", [a_trial()])
        Spool(tmp_path).keep(store, "2026-11-23-1", [a_trial()], "running", 1.0)
        other.execute("ROLLBACK")
        other.close()
        assert Spool(tmp_path).deliver(store).trials == 1
        assert store.trials() == [a_trial()]


def test_a_spool_that_cannot_be_written_says_so(store: Store, tmp_path: Path, a_trial: MakeTrial) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"spool .* could not be written"):
        Spool(tmp_path / "file" / "results").keep(store, "a run", [a_trial()], "running", 1.0)


def test_a_trial_survives_the_spool_to_the_last_bit(spool: Spool, store: Store, a_trial: MakeTrial) -> None:
    spool.deliver(store)
    assert msgspec.msgpack.encode(store.trials()[0]) == msgspec.msgpack.encode(a_trial(1))
