"""What only a server can do: be unreachable, go away, come back, refuse."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from bakeoff.errors import StoreError
from bakeoff.records import RunRecord, Status, Trial
from bakeoff.store import Store, postgres

pytestmark = pytest.mark.unit

MakeRun = Callable[..., RunRecord]
MakeTrial = Callable[..., Trial]


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Store]:
    with Store.open(postgres_url) as store:
        yield store


def test_many_that_make_one_store_at_once_all_succeed(postgres_url: str) -> None:
    def make(_: int) -> int:
        with Store.open(postgres_url) as store:
            return len(store.runs())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make, range(4))) == [0, 0, 0, 0]


def test_the_address_for_people_holds_no_password(shared: Store) -> None:
    assert "unused" not in shared.where
    assert "bakeoff:***@" in shared.where


def test_a_server_that_went_away_is_named_and_found_again_when_it_is_back(
    postgres: Any, shared: Store, a_run: MakeRun, a_trial: MakeTrial
) -> None:
    shared.create_run(a_run())
    postgres.stop()
    try:
        with pytest.raises(StoreError, match=r"cannot be reached|went away") as caught:
            shared.add_trials("latest", [a_trial()])
        assert "\n" not in str(caught.value)
    finally:
        postgres.start()
    shared.add_trials("latest", [a_trial()])
    assert len(shared.trials()) == 1


def test_a_server_that_is_not_there_is_an_error_in_one_line() -> None:
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        Store.open("postgresql://me:secret@/results?host=/no/such/folder")
    assert "secret" not in f"{caught.value} {caught.value.advice}"


def test_the_missing_driver_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match="needs the driver psycopg") as caught:
        Store.open("postgresql://host/db")
    assert "bakeoff[postgres]" in str(caught.value.advice)


def test_a_schema_that_something_else_lives_in_is_left_alone(postgres: Any, postgres_url: str) -> None:
    schema = postgres_url.rpartition("%3D")[2]
    postgres.execute(f"CREATE TABLE {schema}.recipes (cake text)")
    with pytest.raises(StoreError, match=r"no bakeoff store.*recipes") as caught:
        Store.open(postgres_url)
    assert "search_path" in str(caught.value.advice)


def test_a_user_who_may_not_write_is_told_so(postgres: Any, shared: Store, postgres_url: str, a_run: MakeRun) -> None:
    shared.create_run(a_run())
    schema = postgres_url.rpartition("%3D")[2]
    postgres.execute("DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    postgres.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader")
    postgres.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")
    with Store.open(postgres_url.replace("bakeoff:unused@", "reader@"), create=False) as store:
        assert store.run().name == "2026-11-23-1"
        with pytest.raises(StoreError, match="does not let this user"):
            store.update_run("latest", state="finished")


def test_a_table_that_somebody_locked_for_too_long_says_so(
    shared: Store, postgres_url: str, a_run: MakeRun, a_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.create_run(a_run())
    monkeypatch.setattr(postgres, "BUSY_TIMEOUT_S", 0.1)
    with Store.open(postgres_url) as hasty, shared._writing() as connection:
        connection.execute(text("LOCK TABLE trials IN EXCLUSIVE MODE"))
        with pytest.raises(StoreError, match="is locked by another session"):
            hasty.add_trials("latest", [a_trial()])


def test_a_reason_with_a_nul_in_it_is_stored_all_the_same(shared: Store, a_run: MakeRun, a_trial: MakeTrial) -> None:
    shared.create_run(a_run())
    shared.add_trials("latest", [msgspec.structs.replace(a_trial(status=Status.FAILED), reason="a\0b")])
    assert shared.trials()[0].reason == "a\0b"
