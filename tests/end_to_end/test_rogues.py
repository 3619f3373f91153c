"""One race of an honest engine against every way to misbehave: each becomes a row with a reason, and no more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.end_to_end

EXPECTED = {
    "unsupported": ("unsupported", "it has no such kernel"),
    "no-python": ("unavailable", "3.2"),
    "dies-at-import": ("failed", "exited with code 127 during `hello`"),
    "fails-at-import": ("failed", "No module named 'a_framework_that_nobody_has'"),
    "describes-itself-in-a-word": ("failed", "what it returns to `hello` is no reply: Expected `object`, got `str`"),
    "returns-a-list": ("failed", "what it returns to `load` is no reply: Expected `object`, got `array`"),
    "raises-in-load": ("failed", "RuntimeError: the weights look odd"),
    "crashes-in-load": ("failed", "SIGSEGV"),
    "hangs": ("timed_out", "no answer to `outputs` within 6 s"),
    "out-of-memory": ("failed", "out of memory"),
    "exits": ("failed", "exited with code 3"),
    "dies-while-timed": ("failed", "exited with code 4 during `measure`"),
    "raises-memory-error": ("failed", "MemoryError: cannot allocate 40 GB"),
    "nan": ("wrong", "not finite"),
    "wrong-shape": ("wrong", "shape [1, 9] instead of [1, 10]"),
    "too-few-outputs": ("wrong", "0 outputs instead of 1"),
    "off-by-a-percent": ("ok", ""),  # as rounding to fp16 makes on this network: ranked there, see below
    "off-by-half": ("wrong", "error 5.0e-01 is beyond"),
    "fills-the-disk": ("failed", "No space left on device"),
    "prints": ("ok", ""),
    "reads-stdin": ("ok", ""),
    "honest": ("ok", ""),
    "delayed": ("ok", ""),
}

WITHOUT = "liars,liars-in-two,liars-with-a-knob,with-knobs"
"""groups that other tests race"""


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any], rogues: str) -> Any:
    run = bakeoff_in(tmp_path_factory.mktemp("rogues"))
    arguments = ["run", "resnet-tiny", "--batch", "1", "--rounds", "1", "--timeout", "6s", "--json"]
    return run(*arguments, "--engines", "rogues", "--exclude", WITHOUT, "--engines-dir", rogues)


@pytest.mark.parametrize(("engine", "status", "reason"), [(name, *what) for name, what in EXPECTED.items()])
def test_each_misdeed_is_a_row_with_its_reason(race: Any, engine: str, status: str, reason: str) -> None:
    row = race.rows[engine, 1]
    assert row["status"] == status, row["reason"]
    assert reason in row["reason"]
    if status != "ok":
        assert row["fps"] is None


def test_every_rogue_is_expected_and_the_race_ends_with_code_1(race: Any) -> None:
    assert {engine for engine, _ in race.rows} == set(EXPECTED)
    assert race.code == 1


def test_an_error_that_reduced_precision_explains_is_never_ranked_as_fp32(race: Any) -> None:
    row = race.rows["off-by-a-percent", 1]
    assert row["league"] in {"fp16", "bf16"}
    assert f"precision: fp32 asked, error 1.0e-02: ranked in the {row['league']} league" in row["cautions"]
    assert race.rows["honest", 1]["league"] == "fp32"


def test_the_honest_engine_is_measured_all_the_same(race: Any) -> None:
    row = race.rows["honest", 1]
    assert row["fps"] > 0
    assert row["parity"]["max_rel_error"] < 1e-5
    assert row["parity"]["top1_agreement"] == 1.0
