"""Latencies of real engines, recorded by benchmarks/traces.py: what happened in each is known from how it was made."""

import json
from pathlib import Path
from typing import Any

import pytest

from bakeoff.judge.case.steady_state import Kind, Shape, shape, warmed_up

pytestmark = pytest.mark.unit

FILES = sorted((Path(__file__).parent / "data").glob("*.json"))


def recorded(trace: str) -> list[Any]:
    """Those of the files: without any, pytest skips the test and says so."""
    return [pytest.param(latencies(path), id=path.stem) for path in FILES if path.stem.endswith(f"-{trace}")]


def latencies(path: Path) -> list[float]:
    return [us * 1e-6 for us in json.loads(path.read_text(encoding="utf-8"))["latencies_us"]]


def shape_of(trace: list[float]) -> Shape:
    found = shape(trace)
    assert found
    return found


@pytest.mark.parametrize("trace", recorded("joined"))
def test_an_engine_that_others_join_half_way_is_slower_from_there_on(trace: list[float]) -> None:
    found = shape_of(trace)
    assert found.kind in (Kind.STEP, Kind.SLOWDOWN)
    assert found.change > 0.2


@pytest.mark.parametrize("trace", recorded("steady"))
def test_an_engine_left_alone_is_steady(trace: list[float]) -> None:
    found = shape_of(trace)
    assert found.steady_after is not None
    assert abs(found.change) < 0.1
    assert any(warmed_up(trace[:n]) for n in (9, 12, 15))


@pytest.mark.parametrize("trace", recorded("start"))
def test_an_engine_settles_after_its_first_calls_and_is_no_slower_then(trace: list[float]) -> None:
    found = shape_of(trace)
    assert found.steady_after is not None
    assert found.change < 0.1
