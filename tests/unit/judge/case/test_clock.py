from typing import Any

import pytest

from bakeoff.judge.case.clock import Evidence, work_outside

pytestmark = pytest.mark.unit


def seen(**fields: Any) -> Evidence:
    """An honest engine of 10 ms on a batch of eight photographs and their scores."""
    usual: dict[str, Any] = {
        "prepare": [0.003, 0.002],
        "new": [0.015, 0.011],
        "fetch": [1e-5, 1e-5],
        "known": 0.0102,
        "latency": 0.01,
        "input_bytes": 8 * 3 * 224 * 224 * 4,
        "output_bytes": 8 * 1000 * 4,
    }
    return Evidence(**(usual | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prepare": [0.5, 0.02]},
        {"new": [0.3, 0.012]},
        {"known": 0.1, "new": [0.15, 0.12]},
        {"latency": 2e-5, "known": 1e-4, "new": [4e-4, 3e-4], "input_bytes": 12, "output_bytes": 4, "prepare": [1e-4]},
        {"fetch": [0.1], "output_bytes": 80_000_000},
    ],
    ids=["usual", "prepare disturbed", "once slow", "all slow", "tiny", "large outputs in another layout"],
)
def test_an_honest_engine_is_not_accused(fields: dict[str, Any]) -> None:
    assert work_outside(seen(**fields)) == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"latency": 1e-6, "fetch": [0.3, 0.01]},
            "its outputs come 10 ms after an inference",
        ),
        ({"latency": 1e-6, "prepare": [0.04, 0.05]}, "preparing an input takes 40 ms, the inference then 0.001 ms"),
        (
            {"latency": 1e-6, "known": 2e-6, "new": [0.01, 0.02]},
            "a new input takes 10 ms, one that it has seen before 0.002 ms",
        ),
        ({"new": [0.03, 0.025]}, "a new input takes 25 ms, one that it has seen before 10 ms"),
    ],
)
def test_work_before_after_or_once_is_found(fields: dict[str, Any], expected: str) -> None:
    assert work_outside(seen(**fields)).startswith(expected)
