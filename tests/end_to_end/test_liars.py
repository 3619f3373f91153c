"""Engines that look fast or sound and are not: each must be caught, with a status or a caution."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.end_to_end

WRONG = {
    "caches-its-first-answer": "error",
    "answers-the-previous-question": "error",
    "drops-a-layer": "error",
    "swaps-height-and-width": "error",
    "mixes-up-the-images-of-a-batch": "error",
    "gives-up-on-the-last-image": "not finite",
    "garbage-while-timed": "(while timed)",
    "changes-its-input": "changes its inputs: input of set",
    "scribbles-on-its-input": "changes its inputs: input of set",
    "caches-repeated-inputs": "a new input takes",
    "caches-while-timed": "a new input takes",
    "works-in-prepare": "preparing an input takes",
    "returns-before-it-is-done": "its outputs come",
    "works-when-asked-for-outputs": "its outputs come",
}
REDUCED = {"computes-in-bf16"}
"""right in a coarser precision than was asked: ranked there"""
FAILED = {"dies-before-replying": "exited with code 5 during `measure`"}
CAUTIONED = {
    "uses-another-thread": "cores: 1 thread asked, ",
    "sleeps-to-look-steady": "idle: nothing of it ran",
    "works-in-another-process": "helpers: ",
    "claims-a-provider": "provider: FastExecutionProvider asked, of ",
    "takes-other-threads": "threads: 1 asked, 4 took effect",
    "writes-to-stdout": "chatter: 25 bytes",
}
CAUTIONED_OVER_TIME = {
    "leaks-memory": "leak: memory grew by 2.",
    "slows-down": "% slower",
    "has-two-speeds": "bimodal: ",
}
"""by the profile trial"""
CAUTIONED_IN_TWO_THREADS = {
    "uses-one-thread-of-two": "cores: 2 threads asked, ",
    "spins-to-look-busy": "when idle threads do not spin",
}
CAUTIONED_FOR_A_KNOB = {
    "ignores-a-knob": "pace: slow asked, and nothing tells what took effect",
    "applies-another-value": "pace: slow asked, fast took effect",
}
NEEDS_LINUX = {"uses-another-thread", "sleeps-to-look-steady", *CAUTIONED_IN_TWO_THREADS}
"""CPU time per thread is read from /proc"""
INNOCENT = ("provisional", "spread", "disturbed", "unsettled", "slowdown", "step", "bimodal")
"""cautions on the race and the machine, which an honest engine may get: latencies go to and fro on a shared machine"""


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any], rogues: str) -> Any:
    run = bakeoff_in(tmp_path_factory.mktemp("liars"))
    arguments = ["run", "resnet-tiny", "--batch", "4", "--threads", "1", "--rounds", "1", "--json"]
    return run(*arguments, "--engines", "liars,honest", "--engines-dir", rogues).rows


@pytest.fixture(scope="module")
def race_in_two_threads(
    tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any], rogues: str
) -> Any:
    run = bakeoff_in(tmp_path_factory.mktemp("liars"))
    arguments = ["run", "resnet-tiny", "--batch", "16", "--threads", "2", "--rounds", "1", "--json"]
    return run(*arguments, "--engines", "liars-in-two", "--engines-dir", rogues).rows


@pytest.fixture(scope="module")
def race_at_another_pace(
    tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any], rogues: str
) -> Any:
    run = bakeoff_in(tmp_path_factory.mktemp("liars"))
    arguments = ["run", "resnet-tiny", "--batch", "1", "--threads", "1", "--rounds", "1", "--json"]
    asked = ["--engines", "liars-with-a-knob", "--set", "liars-with-a-knob.pace=slow"]
    rows = run(*arguments, *asked, "--engines-dir", rogues).rows
    return {(name.removesuffix("[pace=slow]"), size): row for (name, size), row in rows.items()}


@pytest.mark.parametrize("liar", WRONG)
def test_a_wrong_answer_or_work_off_the_clock_is_wrong_however_fast(race: Any, liar: str) -> None:
    row = race[liar, 4]
    assert row["status"] == "wrong", row
    assert WRONG[liar] in row["reason"]
    assert row["fps"] is None


@pytest.mark.parametrize("liar", sorted(REDUCED))
def test_less_precision_than_was_asked_is_never_ranked_as_fp32(race: Any, liar: str) -> None:
    row = race[liar, 4]
    assert row["status"] == "ok", row["reason"]
    assert row["league"] in {"fp16", "bf16"}
    assert any(caution.startswith("precision: fp32 asked") for caution in row["cautions"]), row


@pytest.mark.parametrize("liar", FAILED)
def test_who_does_not_live_to_reply_has_failed(race: Any, liar: str) -> None:
    row = race[liar, 4]
    assert row["status"] == "failed", row
    assert FAILED[liar] in row["reason"]


@pytest.mark.parametrize("liar", [*CAUTIONED, *CAUTIONED_OVER_TIME])
def test_a_right_answer_that_is_come_by_oddly_is_a_caution(race: Any, liar: str) -> None:
    check_caution(race[liar, 4], (CAUTIONED | CAUTIONED_OVER_TIME)[liar], liar)


@pytest.mark.parametrize("liar", CAUTIONED_IN_TWO_THREADS)
def test_a_second_thread_that_does_nothing_is_a_caution(race_in_two_threads: Any, liar: str) -> None:
    check_caution(race_in_two_threads[liar, 16], CAUTIONED_IN_TWO_THREADS[liar], liar)


@pytest.mark.parametrize("liar", CAUTIONED_FOR_A_KNOB)
def test_a_knob_that_does_not_do_what_was_asked_is_a_caution(race_at_another_pace: Any, liar: str) -> None:
    check_caution(race_at_another_pace[liar, 1], CAUTIONED_FOR_A_KNOB[liar], liar)


def check_caution(row: Any, expected: str, liar: str) -> None:
    if liar in NEEDS_LINUX and not sys.platform.startswith("linux"):
        pytest.skip("CPU time per thread is read from /proc")
    assert row["status"] == "ok", row["reason"]
    assert any(expected in caution for caution in row["cautions"]), row


def test_honest_engines_are_not_accused(race: Any, race_in_two_threads: Any, race_at_another_pace: Any) -> None:
    honest = (race["honest", 4], race_in_two_threads["honest-in-two", 16], race_at_another_pace["turns-its-knob", 1])
    for row in honest:
        assert row["status"] == "ok"
        assert not [caution for caution in row["cautions"] if not caution.startswith(INNOCENT)]


def test_every_liar_is_expected(race: Any, race_in_two_threads: Any, race_at_another_pace: Any) -> None:
    alone = {*WRONG, *REDUCED, *FAILED, *CAUTIONED, *CAUTIONED_OVER_TIME}
    caught = {*alone, *CAUTIONED_IN_TWO_THREADS, *CAUTIONED_FOR_A_KNOB}
    raced = {engine for engine, _ in [*race, *race_in_two_threads, *race_at_another_pace]}
    assert raced == {*caught, "honest", "honest-in-two", "turns-its-knob"}
    assert len(caught) >= 20
