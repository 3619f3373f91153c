"""Real reduced precision: PyTorch computing in bf16 and fp16 while fp32 was asked, beside engines that keep to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1800)]

REDUCED = str(Path(__file__).parents[1] / "reduced")
LEAGUES = {
    "pytorch": "fp32",
    "honest": "fp32",
    "torch-fp16": "fp16",
    "torch-bf16": "bf16",
    "torch-bf16-autocast": "bf16",
    "torch-in-its-own-league": "bf16",
}


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any], rogues: str) -> Any:
    run = bakeoff_in(tmp_path_factory.mktemp("precision"))
    arguments = ["run", "resnet-tiny", "--engines", ",".join(LEAGUES), "--engines-dir", rogues]
    result = run(*arguments, "--engines-dir", REDUCED, "--batch", "4", "--rounds", "2", "--json")
    if any(row["status"] == "unavailable" for row in result.rows.values()):
        pytest.skip(f"PyTorch is not to be had here: {result.rows['pytorch', 4]['reason']}")
    return result, run("show", "--format", "md").out


@pytest.mark.parametrize("engine", LEAGUES)
def test_each_engine_is_ranked_by_what_it_computed_in(race: Any, engine: str) -> None:
    row = race[0].rows[engine, 4]
    assert row["status"] == "ok", row["reason"]
    assert row["fps"] > 0
    assert row["league"] == LEAGUES[engine], row["parity"]
    told = [caution for caution in row["cautions"] if caution.startswith("precision: fp32 asked")]
    assert len(told) == (LEAGUES[engine] != row["precision"])


def test_the_leagues_have_a_verdict_each_and_the_errors_their_meaning(race: Any) -> None:
    result, markdown = race
    tolerances = json.loads(result.out)["run"]["models"][0]["tolerances"]
    assert tolerances["fp32"] < tolerances["fp16"] < tolerances["bf16"]
    assert set(tolerances["rounding"]) == {"fp32", "fp16", "bf16"}
    for league in ("fp32", "fp16", "bf16"):
        assert f"- **resnet-tiny, {league}**: " in markdown
    assert "- **resnet-tiny, fp16**: only torch-fp16 has a speed" in markdown
    assert f"fp32-sized up to {tolerances['fp32']:.1e}" in markdown


def test_no_sentence_compares_engines_of_different_leagues(race: Any) -> None:
    answers = [line for line in race[1].splitlines() if line.startswith("- **resnet-tiny, fp32**: ")]
    table = race[1].partition("resnet-tiny, fp32: who is faster")[2].partition("##")[0]
    assert len(answers) == 1
    assert "pytorch" in table
    assert "torch-" not in answers[0] + table
