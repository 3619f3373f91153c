import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bakeoff.errors import StoreError
from bakeoff.records import RunRecord, Trial
from bakeoff.store import FILE_NAME, Store, sqlite

pytestmark = pytest.mark.unit

MakeRun = Callable[..., RunRecord]
MakeTrial = Callable[..., Trial]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="uses what only Linux has")


@pytest.fixture
def filled(tmp_path: Path, a_run: MakeRun, a_trial: MakeTrial) -> Path:
    with Store.open(tmp_path) as store:
        store.create_run(a_run())
        store.add_trials("latest", [a_trial(round_) for round_ in range(1, 200)])
    return tmp_path / FILE_NAME


# Making and migrating


def test_a_store_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a" / "b 100% ü") as store:
        assert store.runs() == []
    assert (tmp_path / "a" / "b 100% ü" / FILE_NAME).is_file()


def test_a_store_opens_by_folder_by_file_and_by_url(filled: Path) -> None:
    for target in (filled.parent, filled, str(filled), f"sqlite:///{filled}"):
        with Store.open(target, create=False) as store:
            assert len(store.runs()) == 1


def test_a_new_store_writes_ahead_so_that_readers_never_wait(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_store_at_head_opens_without_loading_alembic(filled: Path) -> None:
    program = "import sys; from bakeoff.store import Store; Store.open(sys.argv[1]).close()"
    program += "; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program, str(filled)], check=False).returncode == 0


def make(folder: Path) -> None:
    Store.open(folder).close()


def test_processes_that_make_one_store_at_once_all_succeed(tmp_path: Path) -> None:
    context: Any = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    makers = [context.Process(target=make, args=(tmp_path / "new",)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(30)
    assert [maker.exitcode for maker in makers] == [0, 0, 0, 0]


# What is no store, or not ours


def test_asking_for_results_where_there_are_none_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results at") as caught:
        Store.open(tmp_path / "nowhere", create=False)
    assert "bakeoff run" in str(caught.value.advice)
    assert not (tmp_path / "nowhere").exists()


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE recipes (cake TEXT)")
    connection.close()
    with pytest.raises(StoreError, match=r"no bakeoff store.*recipes"):
        Store.open(tmp_path)


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("dear diary, " * 500)
    with pytest.raises(StoreError, match="is not a database"):
        Store.open(tmp_path)


def test_a_directory_in_the_store_s_place_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path)


def test_an_output_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"output folder .* cannot be made"):
        Store.open(tmp_path / "file" / "results")


@pytest.mark.parametrize("url", ["mysql://me:secret@host/db", "sqlite://", "nonsense://", "sqlite:///:memory:"])
def test_a_url_that_cannot_be_a_store_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)


# Damage


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_truncated_store_says_that_it_is_damaged(filled: Path, keep: float) -> None:
    os.truncate(filled, int(filled.stat().st_size * keep))
    with pytest.raises(StoreError, match="is damaged"), Store.open(filled, create=False) as store:
        store.trials()


def test_an_emptied_store_is_not_taken_for_results(filled: Path) -> None:
    os.truncate(filled, 0)
    with pytest.raises(StoreError, match="it is empty"):
        Store.open(filled, create=False)


def damage(store: Path, table: str, column: str, row: int) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute(f"UPDATE {table} SET {column} = x'9143c1' WHERE id = {row}")  # noqa: S608 - literals
    connection.close()


@pytest.mark.parametrize("column", ["record", "samples"])
def test_a_trial_of_rubbish_is_left_out_with_a_line_that_names_it(filled: Path, column: str) -> None:
    damage(filled, "trials", column, 7)
    said: list[str] = []
    with Store.open(filled, create=False, say=said.append) as store:
        assert [trial.round for trial in store.trials()] == [*range(1, 7), *range(8, 200)]
    (line,) = said
    assert line.startswith("trial 7 (onnxruntime, resnet18, batch 1, round 7) of the store ")
    assert "damaged" in line
    assert "\n" not in line


def test_a_trial_whose_settings_are_a_list_is_left_out(filled: Path, a_trial: MakeTrial) -> None:
    """As bakeoff itself once stored what an adapter gave it."""
    listed = msgspec.structs.replace(a_trial(200), effective=["threads", 2])
    with Store.open(filled) as store:
        store.add_trials("latest", [listed])
    with Store.open(filled) as store, pytest.warns(UserWarning, match="Expected `object`, got `array`"):
        assert len(store.trials()) == 199


@pytest.mark.parametrize("column", ["plan", "machine", "models", "engines", "tags"])
def test_a_run_of_rubbish_costs_no_other_run(filled: Path, a_run: MakeRun, column: str) -> None:
    said: list[str] = []
    with Store.open(filled, say=said.append) as store:
        store.create_run(a_run("another", started_at=2e9))
        damage(filled, "runs", column, 1)
        assert [run.name for run in store.runs()] == ["another"]
        assert [run.name for run in store.history()] == ["another"]
        assert store.run().name == "another"
        assert len(said) == 2
        assert all(line.startswith("run 2026-11-23-1 of the store ") for line in said)
        with pytest.raises(StoreError, match=r"^run 2026-11-23-1 of the store .* is damaged") as caught:
            store.run("2026-11-23-1")
        assert "\n" not in str(caught.value)


# Locked, read-only, full, killed


def test_a_store_locked_for_too_long_says_so(filled: Path, a_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Store.open(filled) as store:
        with pytest.raises(StoreError, match="is locked by another process"):
            store.add_trials("latest", [a_trial(200)])
        assert len(store.trials()) == 199, "a reader does not wait for a writer"
        other.execute("ROLLBACK")
        store.add_trials("latest", [a_trial(200)])
        assert len(store.trials()) == 200
    other.close()


@pytest.mark.parametrize("in_log", [False, True])
def test_a_store_that_may_not_be_written_can_still_be_shown(
    filled: Path, a_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch, in_log: bool
) -> None:
    monkeypatch.setattr(sqlite, "_writable", lambda _path: False)  # root may write whatever its mode
    with Store.open(filled) as writer:
        if in_log:  # kept open, the writer's last trial stands in the write-ahead log alone
            writer.add_trials("latest", [a_trial(200)])
        with Store.open(filled, create=False) as store:
            assert len(store.trials()) == 199 + in_log
            with pytest.raises(StoreError, match="is read-only"):
                store.add_trials("latest", [a_trial(200)])


@linux_only
def test_a_full_disk_is_named_and_what_was_stored_is_intact(filled: Path) -> None:
    program = """
        import resource, signal, sys, msgspec
        from bakeoff.errors import StoreError
        from bakeoff.store import Store
        store = Store.open(sys.argv[1])
        trials = store.trials()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        again = [msgspec.structs.replace(t, started_at=t.started_at + n) for n in range(1, 21) for t in trials]
        try:
            store.add_trials("latest", again)
        except StoreError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(filled)], capture_output=True, text=True, check=True
    )
    assert "no space left" in done.stdout
    with Store.open(filled, create=False) as store:
        assert len(store.trials()) == 199


@linux_only
def test_what_is_stored_can_be_read_on_a_full_disk(filled: Path) -> None:
    """Where not even the empty files fit that a reader of a write-ahead log leaves beside it."""
    program = """
        import resource, signal, sys
        from bakeoff.store import Store
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        with Store.open(sys.argv[1], create=False) as store:
            sys.exit(len(store.trials()))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(filled)], check=False)
    assert done.returncode == 199


@linux_only
def test_a_store_that_is_removed_while_it_is_open_is_put_back_whole(filled: Path, a_trial: MakeTrial) -> None:
    with Store.open(filled) as store:
        assert len(store.trials()) == 199
        shutil.rmtree(filled.parent)
        store.add_trials("latest", [a_trial(200)])
        assert len(store.trials()) == 200
    with Store.open(filled, create=False) as store:
        assert len(store.trials()) == 200


@linux_only
def test_a_store_that_is_removed_and_cannot_be_put_back_is_named(filled: Path, a_trial: MakeTrial) -> None:
    with Store.open(filled) as store:
        shutil.rmtree(filled.parent)
        filled.parent.write_text("a file where the folder was")
        with pytest.raises(StoreError, match="was removed, and cannot be put back"):
            store.add_trials("latest", [a_trial(200)])


@linux_only
def test_a_writer_killed_in_the_middle_leaves_nothing_half_done(filled: Path, a_trial: MakeTrial) -> None:
    program = """
        import os, signal, sys
        from sqlalchemy import text
        from bakeoff.store import Store
        store = Store.open(sys.argv[1])
        with store._writing() as connection:
            connection.execute(text("DELETE FROM trials WHERE id > 50"))
            connection.execute(text("UPDATE runs SET state = 'finished'"))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(filled)], check=False)
    assert done.returncode == -signal.SIGKILL
    with Store.open(filled) as store:
        assert (len(store.trials()), store.run().state) == (199, "running")
        store.add_trials("latest", [a_trial(200)])
        assert len(store.trials()) == 200
