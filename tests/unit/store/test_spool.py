import contextlib
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bakeoff.errors import StoreError
from bakeoff.records import RunRecord, Trial
from bakeoff.store import FILE_NAME, Spool, Store, sqlite
from bakeoff.store.spool import SetAside

with contextlib.suppress(ImportError):
    import resource  # POSIX only

pytestmark = pytest.mark.unit

MakeRun = Callable[..., RunRecord]
MakeTrial = Callable[..., Trial]


@pytest.fixture
def spool(tmp_path: Path, store: Store, a_run: MakeRun, a_trial: MakeTrial) -> Spool:
    """Three trials that wait, of a run that the store has."""
    store.create_run(a_run())
    spool = Spool(tmp_path / "results")
    spool.keep(store, msgspec.structs.replace(a_run(), elapsed_s=5.0), [a_trial(1), a_trial(2)])
    spool.keep(store, msgspec.structs.replace(a_run(), state="finished", elapsed_s=9.0), [a_trial(3)])
    return spool


@pytest.fixture
def said() -> list[str]:
    """What a delivery says."""
    return []


def set_aside(spool: Spool) -> list[SetAside]:
    lines = spool.path.with_suffix(".undeliverable.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=SetAside) for line in lines]


def test_what_was_spooled_is_delivered_as_it_was_with_the_run_s_state(
    spool: Spool, store: Store, a_trial: MakeTrial, said: list[str]
) -> None:
    spool.deliver(store, said.append)
    assert store.trials() == [a_trial(1), a_trial(2), a_trial(3)]
    assert (store.run().state, store.run().elapsed_s) == ("finished", 9.0)
    assert not spool.path.exists()
    spool.deliver(store, said.append)
    assert said == [f"3 trials that waited in {spool.path} are now in {store.where}"]


def test_how_many_wait_is_what_would_be_delivered(
    spool: Spool, store: Store, a_run: MakeRun, a_trial: MakeTrial, tmp_path: Path
) -> None:
    with Store.open(tmp_path / "other") as other:
        spool.keep(other, a_run(), [a_trial(9)])
        assert (spool.waiting(store), spool.waiting(other)) == (3, 1)
    with spool.path.open("ab") as file:
        file.write(b'{"half a line')
    assert spool.waiting(store) == 3
    spool.deliver(store, print)
    assert spool.waiting(store) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="limits file sizes as only POSIX can")
def test_what_does_not_fit_on_the_disk_leaves_no_half_line(
    spool: Spool, store: Store, a_run: MakeRun, a_trial: MakeTrial
) -> None:
    before = spool.path.read_bytes()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(StoreError, match="could not be written: File too large"):
            spool.keep(store, a_run(), [a_trial(4)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert spool.path.read_bytes() == before


def test_what_the_store_had_already_is_not_added_twice(spool: Spool, store: Store, a_trial: MakeTrial) -> None:
    store.add_trials("latest", [a_trial(2), a_trial(3)])  # stored, and the server went away before it said so
    spool.deliver(store, print)
    assert sorted(trial.round for trial in store.trials()) == [1, 2, 3]


def test_a_delivery_broken_off_is_made_again(spool: Spool, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def go_away(*_: object, **__: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "update_run", go_away)
        with pytest.raises(StoreError, match="gone"):
            spool.deliver(store, print)
    spool.deliver(store, print)
    assert len(store.trials()) == 3


def test_what_waits_for_another_store_goes_on_waiting(
    spool: Spool, store: Store, tmp_path: Path, a_run: MakeRun
) -> None:
    with Store.open(tmp_path / "another") as other:
        other.create_run(a_run())
        spool.deliver(other, print)
        assert other.trials() == []
    spool.deliver(store, print)
    assert len(store.trials()) == 3


def test_a_line_that_its_writer_was_killed_over_costs_no_other(
    spool: Spool, store: Store, a_run: MakeRun, a_trial: MakeTrial, said: list[str]
) -> None:
    torn = spool.path.read_bytes()[:100]
    with spool.path.open("ab") as file:
        file.write(torn + b"\xff")
    spool.keep(store, a_run(), [a_trial(4)])
    spool.deliver(store, said.append)
    assert len(store.trials()) == 4
    assert "4 trials" in said[0]
    assert "cannot be read" in said[1]
    assert [each.line for each in set_aside(spool)] == [torn.decode() + "\\xff"]


def test_a_run_that_the_store_no_longer_knows_holds_up_no_other(
    spool: Spool, store: Store, a_run: MakeRun, a_trial: MakeTrial, said: list[str]
) -> None:
    for round_ in (1, 2):
        spool.keep(store, a_run("2026-11-22-1"), [a_trial(round_)])
    spool.keep(store, a_run(), [a_trial(4)])
    spool.deliver(store, said.append)
    assert len(store.trials()) == 4
    assert not spool.path.exists()
    assert len([line for line in said if "has no run '2026-11-22-1'" in line]) == 1
    kept = [msgspec.json.decode(each.line)["trials"] for each in set_aside(spool)]
    assert [[trial["round"] for trial in trials] for trials in kept] == [[1], [2]]
    spool.deliver(store, said.append)
    assert len(said) == 2, "what was set aside is said once"


def test_what_waited_for_a_store_that_was_moved_away_is_not_given_to_a_new_run_of_the_same_name(
    spool: Spool, store: Store, a_run: MakeRun, a_trial: MakeTrial, said: list[str], tmp_path: Path
) -> None:
    """Moving a damaged database away is our own advice; the new one then names the day's first run as the old did."""
    with Store.open(tmp_path / "afresh") as afresh:
        afresh.create_run(a_run(started_at=1.7e9))
        afresh.where = store.where
        spool.deliver(afresh, said.append)
        assert afresh.trials() == []
        assert "another one of that name" in said[0]
        spool.keep(afresh, a_run(started_at=1.7e9), [a_trial(1)])
        spool.deliver(afresh, said.append)
        assert afresh.trials() == [a_trial(1)]


def test_values_that_a_database_can_never_hold_hold_up_no_other(
    postgres_url: str, a_run: MakeRun, a_trial: MakeTrial, said: list[str], tmp_path: Path
) -> None:
    """PostgreSQL's text takes no NUL, and a framework's version is its own words."""
    with Store.open(postgres_url) as store:
        store.create_run(a_run())
        spool = Spool(tmp_path)
        spool.keep(store, a_run(), [msgspec.structs.replace(a_trial(1), framework_version="1\0")])
        spool.keep(store, a_run(), [a_trial(2)])
        spool.deliver(store, said.append)
        assert store.trials() == [a_trial(2)]
    assert "NUL" in set_aside(spool)[0].reason


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
        Spool(tmp_path).keep(store, a_run(), [a_trial()])
        other.execute("ROLLBACK")
        other.close()
        Spool(tmp_path).deliver(store, print)
        assert store.trials() == [a_trial()]


def test_a_spool_that_cannot_be_written_says_so(
    store: Store, tmp_path: Path, a_run: MakeRun, a_trial: MakeTrial
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"spool .* could not be written"):
        Spool(tmp_path / "file" / "results").keep(store, a_run(), [a_trial()])


def test_a_trial_survives_the_spool_to_the_last_bit(spool: Spool, store: Store, a_trial: MakeTrial) -> None:
    spool.deliver(store, print)
    assert msgspec.msgpack.encode(store.trials()[0]) == msgspec.msgpack.encode(a_trial(1))
