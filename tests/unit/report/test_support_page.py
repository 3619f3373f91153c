"""docs/make_support.py, which makes a page of stored runs."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bakeoff.records import Accuracy, RunRecord, Summary

pytestmark = pytest.mark.unit

SCRIPT = Path(__file__).parents[3] / "docs" / "make_support.py"


@pytest.fixture
def script() -> Any:
    spec = importlib.util.spec_from_file_location("make_support", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_cell_is_league_and_error_or_what_became_of_it_with_the_reason_as_a_note(
    script: Any, run: RunRecord, rows: Sequence[Summary]
) -> None:
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, batch_sizes=(1,)))
    rows = [row for row in rows if row.case.batch_size == 1]
    rows[0] = msgspec.structs.replace(rows[0], accuracy=Accuracy(right=18, pictures=20), league="bf16")
    lines = script.page([(run, rows)]).splitlines()
    cells = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines if "|" in line
    }
    assert cells["engine"] == ["resnet18", "resnet50"]
    assert cells["openvino"] == ["bf16 3.1e-07, 18/20", "fp32 3.1e-07"]
    assert cells["ncnn"] == ["wrong [1]"] * 2
    assert cells["pytorch-2019"] == ["unavailable [2]"] * 2
    assert "1. error 3.1e-02 is beyond 1e-04" in lines
    assert r"2. no Python 3.6 | \`pyenv install 3.6\`" in lines
    assert cells["mxnet"] == ["not run [3]"] * 2


def test_a_model_raced_twice_counts_as_it_was_last(script: Any, run: RunRecord, rows: Sequence[Summary]) -> None:
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, batch_sizes=(1,)))
    rows = [row for row in rows if row.case.batch_size == 1]
    later = [msgspec.structs.replace(row, league="int8") for row in rows]
    page = script.page([(run, rows), (run, later)])
    assert "int8 3.1e-07" in page
    assert "fp32 3.1e-07" not in page
