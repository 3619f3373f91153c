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
    "changes-its-input": "while timed",
}
REDUCED = {"computes-in-bf16"}
"""right in a coarser precision than was asked: ranked there"""
CAUTIONED = {"sleeps-to-look-steady", "uses-another-thread", "works-in-another-process"}
"""their answers are right; how they come by them shows in the CPU time of their threads"""


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any], rogues: str) -> Any:
    run = bakeoff_in(tmp_path_factory.mktemp("liars"))
    arguments = ["run", "resnet-tiny", "--batch", "4", "--threads", "1", "--rounds", "1", "--json"]
    return run(*arguments, "--engines", "liars,honest", "--engines-dir", rogues)


@pytest.mark.parametrize("liar", WRONG)
def test_a_wrong_answer_is_wrong_however_fast(race: Any, liar: str) -> None:
    row = race.rows[liar, 4]
    assert row["status"] == "wrong", row
    assert WRONG[liar] in row["reason"]
    assert row["fps"] is None


@pytest.mark.parametrize("liar", sorted(REDUCED))
def test_less_precision_than_was_asked_is_never_ranked_as_fp32(race: Any, liar: str) -> None:
    row = race.rows[liar, 4]
    assert row["status"] == "ok", row["reason"]
    assert row["league"] in {"fp16", "bf16"}
    assert any(caution.startswith("precision: fp32 asked") for caution in row["cautions"]), row


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="CPU time per thread is read from /proc")
@pytest.mark.parametrize("liar", sorted(CAUTIONED))
def test_work_that_is_not_where_it_should_be_is_a_caution(race: Any, liar: str) -> None:
    row = race.rows[liar, 4]
    assert row["status"] == "ok", row["reason"]
    assert any(caution.startswith("cores: ") for caution in row["cautions"]), row


def test_an_honest_engine_is_not_accused(race: Any) -> None:
    row = race.rows["honest", 4]
    assert row["status"] == "ok"
    assert not [caution for caution in row["cautions"] if caution.startswith(("cores", "threads", "failures"))]


def test_every_liar_is_expected(race: Any) -> None:
    assert {engine for engine, _ in race.rows} == {*WRONG, *REDUCED, *CAUTIONED, "honest"}
