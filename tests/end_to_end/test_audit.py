"""A machine that others use: found before the race, seen during it, and a reason to stop if that is asked for."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from bakeoff.judge.case.disturbance import disturbed
from bakeoff.records import CANARY
from bakeoff.store import Store

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the machine's counters are read from /proc"),
]

TINY = ("run", "resnet-tiny", "--engines", "honest", "--batch", "8", "--threads", "1", "--rounds", "1")


@contextmanager
def busy_neighbours() -> Iterator[None]:
    """Somebody else's process on every CPU, for as long as the block takes."""
    code = "import os\nos.nice(10)\nprint(flush=True)\nwhile True: pass"
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            neighbour = stack.enter_context(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE))
            stack.callback(neighbour.kill)
            assert neighbour.stdout
            neighbour.stdout.readline()
        yield


def topics(document: Any) -> set[str]:
    return {finding["topic"] for finding in document["audit"]}


def test_trials_beside_a_busy_neighbour_are_kept_marked_and_raced_again(bakeoff: Any, rogues: str) -> None:
    with busy_neighbours():
        result = bakeoff(*TINY, "--engines-dir", rogues, "--json")
    assert result.code == 0, result.err
    assert "other processes" in topics(json.loads(result.out)["run"])
    assert "caution: other processes: took" in result.err
    assert "measured again, since others disturbed it" in result.err
    row = result.rows["honest", 8]
    assert row["trials"] == 1
    assert any(caution.startswith("disturbed: others used up to") for caution in row["cautions"]), row

    with Store.open(bakeoff.folder / "results", create=False) as store:
        first, again = (t for t in store.trials() if t.case.contender.name != CANARY and not t.profile)
    assert (first.repeat, again.repeat) == (False, True)
    for trial in (first, again):
        assert disturbed(trial)
        assert trial.disturbance
        assert trial.disturbance.share > 0.2
    table = bakeoff("show").out
    assert "The machine, before the race:" in table
    assert "other processes: took" in table
    assert "other processes: took" in bakeoff("show", "--format", "md").out


def test_strict_measures_nothing_on_a_machine_that_others_use(bakeoff: Any, rogues: str) -> None:
    with busy_neighbours():
        result = bakeoff(*TINY, "--engines-dir", rogues, "--strict")
    assert result.code == 4
    assert result.err.startswith("bakeoff: --strict: the machine is not fit to measure")
    assert "other processes: took" in result.err
    assert "end them or wait until they are done" in result.err
    assert "Traceback" not in result.err
    assert bakeoff("show").code == 2  # there is no run


def test_strict_stops_resume_too(bakeoff: Any, rogues: str) -> None:
    assert bakeoff(*TINY, "--engines-dir", rogues).code == 0
    with busy_neighbours():
        result = bakeoff("resume", "--strict")
    assert result.code == 4
    assert "other processes" in result.err


def test_the_audit_can_be_asked_for_by_itself(bakeoff: Any) -> None:
    with busy_neighbours():
        told = bakeoff("machine", "--audit")
        document = json.loads(bakeoff("machine", "--audit", "--json").out)
    assert told.code == 0
    assert "what may spoil a measurement:" in told.out
    assert "other processes: took" in told.out
    assert "other processes" in topics(document)
    assert document["digest"] == json.loads(bakeoff("machine", "--json").out)["digest"]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one CPU cannot be narrowed")
def test_an_affinity_narrower_than_the_machine_is_found(bakeoff: Any) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        document = json.loads(bakeoff("machine", "--audit", "--json").out)
    finally:
        os.sched_setaffinity(0, before)
    assert "affinity" in topics(document)
