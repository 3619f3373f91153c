import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bakeoff.locks import Lock
from bakeoff.race import machine_lock

pytestmark = pytest.mark.unit


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The machine's lock and the cache's, in a folder of the test's own."""
    places = [tmp_path / "race.lock", tmp_path / "cache" / "race-1.lock"]
    monkeypatch.setattr(machine_lock, "places", lambda: places)
    return places


def another_race(*places: Path) -> "subprocess.Popen[str]":
    """One that has the machine for half a second."""
    code = f"""
import time
from pathlib import Path
from bakeoff.race import machine_lock
machine_lock.places = lambda: [Path(place) for place in {[*map(str, places)]!r}]
with machine_lock.held("run 1 in results", print):
    print("held", flush=True)
    time.sleep(0.5)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("shared", [0, 1], ids=["the machine's", "the cache's alone"])
def test_the_second_race_waits_and_says_who_holds_the_machine(own_places: list[Path], shared: int) -> None:
    said: list[str] = []
    with another_race(*own_places[shared:]) as process:
        begin = time.monotonic()
        with machine_lock.held("run 2", said.append):
            assert time.monotonic() - begin > 0.1
    assert len(said) == 1
    assert f"waiting: run 1 in results (process {process.pid}" in said[0]


def test_every_account_looks_in_the_same_places_whatever_its_tmpdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = machine_lock.places()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert tempfile.gettempdir() == str(tmp_path)
    assert machine_lock.places() == before
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "mine"))
    assert machine_lock.places()[0] == before[0]
    assert machine_lock.places()[1] == tmp_path / "mine" / before[1].name


def test_a_holder_that_was_killed_holds_nothing(own_places: list[Path]) -> None:
    own_places[0].write_text(" {")
    said: list[str] = []
    with machine_lock.held("run 2", said.append):
        assert machine_lock.holder(Lock(own_places[0])).startswith("run 2 (process ")
    assert said == []
    assert machine_lock.holder(Lock(own_places[0])) == "another bakeoff run"


def test_what_anybody_can_write_there_reaches_no_terminal_unless_it_is_text(own_places: list[Path]) -> None:
    who = "\x1b]0;owned\x07"
    own_places[0].write_text(" " + json.dumps({"who": who, "pid": 1, "since": 0.0}))
    assert machine_lock.holder(Lock(own_places[0])) == "another bakeoff run"


def test_a_place_that_cannot_be_locked_is_one_line_and_the_other_still_counts(own_places: list[Path]) -> None:
    own_places[0].mkdir()
    said: list[str] = []
    with machine_lock.held("run 2", said.append):
        assert not Lock(own_places[1]).acquire(wait=False)
    assert len(said) == 1
    assert str(own_places[0]) in said[0]
    assert "another race may run beside this one" in said[0]


def test_a_place_that_cannot_be_locked_is_no_reason_not_to_measure(own_places: list[Path]) -> None:
    own_places[0].mkdir()
    with machine_lock.held_if_free("a measurement") as holder:
        assert holder == ""


def test_who_only_asks_is_told_who_holds_the_machine(own_places: list[Path]) -> None:
    with machine_lock.held_if_free("a measurement") as holder:
        assert holder == ""
        with machine_lock.held_if_free("another") as busy:
            assert busy.startswith("a measurement (process ")
    assert not any(place.exists() for place in own_places)
