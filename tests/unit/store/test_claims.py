"""A run is raced by one process at a time, whichever machine that runs on."""

import signal
import subprocess
import sys
import time

import pytest

from bakeoff.errors import StoreError
from bakeoff.store import Store

pytestmark = pytest.mark.unit

RACE = """
import sys, time
from bakeoff.store import Store
with Store.open(sys.argv[1]) as store, store.racing("mine"):
    print("racing", flush=True)
    time.sleep(600)
"""


def test_a_run_that_somebody_races_is_nobody_else_s(target: str) -> None:
    with Store.open(target) as one, Store.open(target) as other:
        with one.racing("mine"):
            with pytest.raises(StoreError, match="run mine is still being raced"), other.racing("mine"):
                pass
            with other.racing("yours"):
                pass
        with other.racing("mine"):
            pass


def test_a_race_that_broke_off_leaves_its_run_free(target: str) -> None:
    with Store.open(target) as one, Store.open(target) as other:
        with pytest.raises(KeyboardInterrupt), one.racing("mine"):
            raise KeyboardInterrupt
        with other.racing("mine"):
            pass


def test_a_run_whose_racer_was_killed_can_go_on(target: str) -> None:
    command = [sys.executable, "-c", RACE, target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, Store.open(target) as store:
        assert process.stdout
        assert process.stdout.readline() == "racing\n"
        with pytest.raises(StoreError, match="still being raced"), store.racing("mine"):
            pass
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        process.wait()
        assert soon_free(store)


def soon_free(store: Store) -> bool:
    """A server takes a moment to see that its client has gone."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with store.racing("mine"):
                return True
        except StoreError:
            time.sleep(0.05)
    return False
