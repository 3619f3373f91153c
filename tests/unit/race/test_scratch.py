import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff.errors import StoreError
from bakeoff.race.scratch import scratch_folder

pytestmark = pytest.mark.unit

RACE = """
import time
from bakeoff.race.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "inputs").mkdir()
    print(folder, flush=True)
    time.sleep(600)
"""


def test_two_races_with_one_cache_leave_each_other_s_inputs_alone(own_cache: Path) -> None:
    with scratch_folder() as mine:
        (mine / "0.npy").write_text("inputs")
        with scratch_folder() as other:
            assert other != mine
            assert (mine / "0.npy").exists()
        assert (mine / "0.npy").exists()
    assert [*(own_cache / "scratch").iterdir()] == []


def test_what_a_killed_race_left_is_removed_by_the_next(own_cache: Path) -> None:
    (own_cache / "scratch" / "inputs").mkdir(parents=True)  # as an older bakeoff left it
    with subprocess.Popen([sys.executable, "-c", RACE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        killed = Path(process.stdout.readline().strip())
        with scratch_folder():
            assert (killed / "inputs").exists()
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    with scratch_folder() as mine:
        assert {path.name for path in mine.parent.iterdir()} == {mine.name, f"{mine.name}.lock"}


def test_a_cache_that_cannot_be_written_is_one_line(own_cache: Path) -> None:
    own_cache.write_text("a file where the cache should be")
    with pytest.raises(StoreError, match="the cache cannot be written"), scratch_folder():
        pass
