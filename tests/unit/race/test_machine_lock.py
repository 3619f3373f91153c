import subprocess
import sys
import time
from pathlib import Path

import pytest

from bakeoff.race import machine_lock

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine_lock, "lock_path", lambda: tmp_path / "race.lock")
    return tmp_path / "race.lock"


def test_the_second_race_waits_and_says_who_holds_the_machine(own_lock: Path) -> None:
    first = f"""
import time
from pathlib import Path
from bakeoff.race import machine_lock
machine_lock.lock_path = lambda: Path({str(own_lock)!r})
with machine_lock.held("run 1 in results", print):
    print("held", flush=True)
    time.sleep(0.5)
"""
    said: list[str] = []
    with subprocess.Popen([sys.executable, "-c", first], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        begin = time.monotonic()
        with machine_lock.held("run 2", said.append):
            assert time.monotonic() - begin > 0.1
    assert len(said) == 1
    assert f"waiting: run 1 in results (process {process.pid}" in said[0]


def test_a_holder_that_was_killed_holds_nothing(own_lock: Path) -> None:
    own_lock.with_suffix(".json").write_text("{")
    said: list[str] = []
    with machine_lock.held("run 2", said.append):
        assert machine_lock.holder().startswith("run 2 (process ")
    assert said == []
    assert machine_lock.holder() == "another bakeoff run"
