"""`bakeoff show` from a store to its output."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from bakeoff.cli.show import show
from bakeoff.errors import StoreError, UsageError
from bakeoff.records import RunRecord, Summary
from bakeoff.store import Store

pytestmark = pytest.mark.unit


@pytest.fixture
def output(tmp_path: Path, run: RunRecord) -> Path:
    with Store.open(tmp_path / "results") as store:
        store.create_run(run)
    return tmp_path / "results"


def shown(output: Path, *arguments: str) -> str:
    result = CliRunner().invoke(show, [*arguments, "--output", str(output)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(
    ("format_", "start"),
    [
        ("table", "resnet18: nothing was measured"),
        ("md", "# bakeoff 2026-11-23-1"),
        ("csv", "contender,"),
        ("json", "{"),
    ],
)
def test_every_format_is_printed_without_colour_codes(output: Path, format_: str, start: str) -> None:
    text = shown(output, "--format", format_)
    assert text.startswith(start)
    assert "\x1b" not in text


def test_every_case_is_shown_even_if_nothing_was_measured(output: Path, rows: Sequence[Summary]) -> None:
    cases = json.loads(shown(output, "2026-11-23-1", "--format", "json"))["cases"]
    assert [case["status"] for case in cases] == ["not_run"] * len(rows)


def test_a_narrower_indifference_than_raced_for_is_refused(output: Path) -> None:
    assert shown(output, "--indifference", "5%")
    with pytest.raises(UsageError, match="raced for an indifference of 2%"):
        shown(output, "--indifference", "1%")


def test_an_unknown_run_and_a_missing_store_are_errors(output: Path) -> None:
    with pytest.raises(StoreError, match="no run 'nosuch'"):
        shown(output, "nosuch")
    with pytest.raises(StoreError, match="no results at"):
        shown(output / "elsewhere")
