"""Stores, a baseline and a results.json that earlier bakeoffs wrote open, and say what they said then.

`kept/` holds what bakeoff at commit 6239d65 made of two runs of `stored_runs.keep`, a store at each earlier revision,
and in `said.json` what its commands printed of them.
"""

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bakeoff.cli import bakeoff as command

pytestmark = pytest.mark.unit

KEPT = Path(__file__).parent / "kept"
SAID: Mapping[str, Any] = json.loads((KEPT / "said.json").read_text(encoding="utf-8"))
CASE = {"engine", "model", "batch_size", "threads", "precision", "device"}
FIRST, SECOND = "2026-11-23-1", "2026-11-23-2"


@pytest.fixture(params=["0001", "0002"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copy(KEPT / f"store-{request.param}.sqlite", tmp_path / "bakeoff.sqlite")
    return tmp_path


def printed(*words: str, output: Path, code: int = 0, option: str = "--output") -> str:
    done = CliRunner().invoke(command, [*words, option, str(output)], catch_exceptions=False)
    assert done.exit_code == code, done.stderr
    return done.stdout


def with_names(case: Mapping[str, Any]) -> Any:
    """A case as it was printed before there were contenders, of one as it is printed now."""
    contender = case["contender"]
    threads = dict(contender["settings"])["threads"]
    about = {"threads": threads, "precision": contender["precision"], "device": contender["device"]}
    return {"engine": contender["name"], "model": case["model"], "batch_size": case["batch_size"], **about}


def same(found: Any, then: Any, rel: float = 1e-9) -> bool:
    """Whether `found` has all that `then` has, lists item by item."""
    if isinstance(then, Mapping):
        if then.keys() == CASE:
            return bool(with_names(found) == then)
        return all(key in found and same(found[key], value, rel) for key, value in then.items())
    if isinstance(then, Sequence) and not isinstance(then, str):
        return len(found) == len(then) and all(same(*each, rel) for each in zip(found, then, strict=True))
    if isinstance(then, float):
        return bool(found == pytest.approx(then, rel=rel))
    return bool(found == then)


def test_show_says_of_a_run_what_it_said(output: Path) -> None:
    found = json.loads(printed("show", SECOND, "--format", "json", output=output))
    then = SAID["show"]
    assert found["schema"] == "bakeoff-results/2"
    assert same(found["cases"], then["cases"])
    assert same(found["run"]["plan"], then["run"]["plan"])
    assert same(found["run"]["engines"], [{k: v for k, v in e.items() if k != "kit"} for e in then["run"]["engines"]])
    assert (found["run"]["command"], found["machine"]) == (then["run"]["command"], then["machine"])
    assert same(found["canary"], then["canary"])
    texts = printed("show", SECOND, "--format", "csv", output=output), SAID["csv"]
    rows, then_rows = (list(csv.DictReader(io.StringIO(text))) for text in texts)
    assert same(rows, then_rows)


def test_compare_says_of_two_runs_what_it_said(output: Path) -> None:
    found = json.loads(printed("compare", FIRST, SECOND, "--format", "json", output=output))
    assert same(found, SAID["compare"])
    # Of a results.json it said "not normalised", since it passed over the canary in the file. Rounds are kept to 1e-6.
    found = json.loads(printed("compare", str(KEPT / "results-1.json"), SECOND, "--format", "json", output=output))
    assert same(found, SAID["compare"], rel=1e-6)


@pytest.mark.parametrize(("baseline", "then"), [(FIRST, "gate"), (str(KEPT / "baseline-1.json"), "gate_file")])
def test_gate_says_of_a_baseline_what_it_said(output: Path, baseline: str, then: str) -> None:
    said = SAID[then]
    words = ("gate", SECOND, "--baseline", baseline, "--format", "json")
    assert same(json.loads(printed(*words, output=output, code=said["code"])), said["said"])


def test_report_has_every_figure_that_it_had(output: Path) -> None:
    found = printed("report", SECOND, "--format", "md", output=output, option="--results")
    rows = [line for line in SAID["report"].splitlines() if line.startswith(("| fast", "| slow"))]
    assert len(rows) > 2
    figures = {cell.strip() for row in rows for cell in row.split("|") if any(map(str.isdigit, cell))}
    assert not {figure for figure in figures if figure not in found}


def test_resume_finds_its_run(output: Path) -> None:
    assert FIRST in printed("history", output=output)
