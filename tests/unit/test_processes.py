"""Processes that left: found by the mark that they were started with, and ended."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bakeoff import processes
from bakeoff.environments import programs

pytestmark = pytest.mark.unit

SLEEPS = "import time; time.sleep(600)"
LEAVES = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], start_new_session=True)
open(sys.argv[1], "w").write(str(child.pid))
"""
STARTS = f"""
import os, subprocess, sys
from bakeoff import processes
print(subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], env=processes.marked(os.environ)).pid, flush=True)
{SLEEPS}
"""


def ends(process: psutil.Process) -> bool:
    _, alive = psutil.wait_procs([process], timeout=10)
    return not alive


def test_what_left_for_a_session_of_its_own_is_found_by_its_mark(tmp_path: Path) -> None:
    mine, other = processes.marked(os.environ), processes.marked(os.environ)
    subprocess.run([sys.executable, "-c", LEAVES, str(tmp_path / "pid")], env=mine, check=True)
    left = psutil.Process(int((tmp_path / "pid").read_text()))
    with subprocess.Popen([sys.executable, "-c", SLEEPS], env=other) as another:
        processes.end_family(mine)
        assert ends(left)
        assert another.poll() is None
        another.kill()


def test_what_a_killed_bakeoff_left_behind_is_ended_by_the_next_and_a_living_one_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout
        started = psutil.Process(int(controller.stdout.readline()))
        assert processes.end_left_behind() == 0
        assert started.is_running()
        controller.kill()
    assert processes.end_left_behind() == 1
    assert ends(started)


def test_a_program_s_helpers_end_with_it(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(programs.ProgramFailedError, match="within 3 s"):
        programs.run(
            [sys.executable, "-c", LEAVES + SLEEPS, str(tmp_path / "pid")],
            env=os.environ,
            cwd=tmp_path,
            log=tmp_path / "log",
            timeout_s=3,
        )
    assert time.monotonic() - begin < 20
    helper = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(helper) or ends(psutil.Process(helper))
