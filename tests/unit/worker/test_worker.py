"""The worker runs where nothing of ours does: on old Pythons, from one file."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import vermin

from bakeoff.worker import session, worker
from bakeoff.worker.session import WORKER

pytestmark = pytest.mark.unit

ENGINES = WORKER.parents[1] / "engines"
RUNS_ELSEWHERE = [WORKER, *sorted(ENGINES.glob("*/*.py"))]


@pytest.mark.parametrize("path", RUNS_ELSEWHERE, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_files_that_run_in_foreign_environments_need_no_more_than_python_3_6(path: Path) -> None:
    visitor = vermin.visit(path.read_text(encoding="utf-8"))
    needed = visitor.minimum_versions()[1]
    assert needed is None or needed <= (3, 6)


def test_both_ends_speak_the_same_protocol() -> None:
    assert session.PROTOCOL == worker.PROTOCOL


def test_another_protocol_is_refused(adapter: Callable[..., Path]) -> None:
    run = subprocess.run(
        [sys.executable, "-I", str(WORKER), str(adapter())],
        input='{"op": "hello", "protocol": 99}\n',
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this worker speaks protocol 1, not 99" in json.loads(run.stdout)["error"]["message"]


def test_a_worker_ends_when_its_controller_hangs_up(adapter: Callable[..., Path]) -> None:
    command = [sys.executable, "-I", str(WORKER), str(adapter())]
    subprocess.run(command, input="", capture_output=True, timeout=30, check=True)
