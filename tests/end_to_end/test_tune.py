"""`bakeoff tune` on an engine whose knobs are known: one doubles its speed, one does nothing, one makes trouble."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bakeoff

pytestmark = pytest.mark.end_to_end

ARGUMENTS = ["tune", "resnet-tiny", "--engines", "tunable", "--threads", "1", "--batch", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tune")


@pytest.fixture(scope="module")
def tuned(folder: Path, bakeoff_in: Callable[[Path], Any], rogues: str) -> Any:
    done = bakeoff_in(folder)(*ARGUMENTS, "--budget", "75s", "--tag", "mine", "--json", "--engines-dir", rogues)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_the_knob_that_matters_is_found_and_its_gain_is_what_it_is_known_to_be(tuned: Any) -> None:
    answer = next(each for each in tuned["confirmed"] if each["point"]["contender"]["name"] == tuned["answer"])
    assert ["pace", "fast"] in answer["point"]["turned"]
    assert answer["change"] == "faster"
    low, high = answer["interval"]
    assert 1.02 < low < 2.1
    assert high > 1.7
    assert "faster than its default" in tuned["sentence"]
    assert answer["pareto"]


def test_what_is_confirmed_are_the_default_and_at_most_four_without_trouble(tuned: Any) -> None:
    names = [each["point"]["contender"]["name"] for each in tuned["confirmed"]]
    assert names[0] == "tunable"
    assert len(names) <= 5
    assert not [name for name in names if "trouble" in name]
    assert not any(each["unfit"] for each in tuned["confirmed"])


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [("crashes", "SIGSEGV"), ("lies", "trouble: lies asked, none took effect"), ("answers-wrongly", "wrong: ")],
)
def test_what_makes_trouble_is_left_out_with_its_reason(tuned: Any, trouble: str, reason: str) -> None:
    reasons = {each["name"]: each["reason"] for each in tuned["left_out"]}
    told = [why for name, why in reasons.items() if f"trouble={trouble}" in name]
    assert len(told) == 4
    assert all(reason in why for why in told)
    assert len(reasons) == 12


def test_each_setting_is_told_its_worth(tuned: Any) -> None:
    worth = {(each["knob"], each["value"]): each for each in tuned["effects"]}
    assert worth["pace", "fast"]["ratio"] > 1.5
    assert worth["idle", True]["ratio"] < worth["pace", "fast"]["ratio"]
    low, high = worth["idle", True]["interval"]
    assert low < 1.05
    assert high > 0.95
    assert tuned["points"] == 16


def test_search_and_confirmation_are_runs_of_their_own(tuned: Any, folder: Path) -> None:
    confirmed = bakeoff.stored("tune", output=folder / "results")
    searched = bakeoff.stored("tune-search", output=folder / "results")
    assert confirmed.name == bakeoff.stored("mine", output=folder / "results").name == tuned["run"]
    assert searched.name == tuned["searched"][0] != tuned["run"]
    assert len(searched.record.plan.names) == 16
    assert confirmed.trials[0].started_at > searched.trials[-1].started_at
    page = (folder / "results" / confirmed.name / "tune.md").read_text(encoding="utf-8")
    assert tuned["sentence"].partition(" with ")[0] in page
    assert f"bakeoff recipe {tuned['run']}" in page


def test_where_no_knob_does_anything_the_answer_is_the_default(bakeoff: Any, rogues: str) -> None:
    done = bakeoff(*ARGUMENTS, "--set", "tunable.idle=true,false", "--budget", "40s", "--engines-dir", rogues)
    assert done.code == 0, done.err
    answer = done.out.splitlines()[0]
    assert answer.startswith("resnet-tiny, batch 8, for latency: tunable: ")
    assert "faster than its default" not in answer


def test_a_limit_that_nothing_holds_leaves_no_answer(bakeoff: Any, rogues: str) -> None:
    arguments = ["--set", "tunable.idle=true", "--max-memory", "1MB", "--budget", "20s", "--engines-dir", rogues]
    done = bakeoff(*ARGUMENTS, *arguments)
    assert done.code == 1
    assert "nothing that was confirmed is fit to be used" in done.out
    assert "is over 1 MB" in done.out


def test_an_interruption_of_the_search_says_that_nothing_is_confirmed(bakeoff: Any, rogues: str) -> None:
    process = bakeoff.start(*ARGUMENTS, "--budget", "10m", "--engines-dir", rogues)
    database = bakeoff.folder / "results" / "bakeoff.sqlite"
    until = time.monotonic() + 120
    while not database.exists() and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "nothing is confirmed" in err
    assert "`bakeoff resume 20" in err
