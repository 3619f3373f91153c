from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_row

from bakeoff.judge.case.settings_check import busy_threads, cores_used, mismatches, settings_not_taken
from bakeoff.records import Measurement, Summary

pytestmark = pytest.mark.unit


def row(threads: int, requested: Any = (), effective: Any = ()) -> Summary:
    return a_row(
        a_case(engine="a", model="m", batch_size=1, threads=threads),
        framework_version="1.0",
        requested=dict(requested),
        effective=dict(effective),
        trials=1,
    )


def bursts(*cpu: float, helpers: float = 0.0, queued: float | None = 0.0) -> Measurement:
    """Two bursts of a second in each of which threads got so much CPU time."""
    return a_measurement(
        latencies=((0.5, 0.5), (0.5, 0.5)),
        burst_s=(1.0, 1.0),
        cpu_s=({str(i): seconds for i, seconds in enumerate(cpu)},) * 2,
        cold=False,
        helper_cpu_s=(helpers,) * 2,
        queued_s=(queued,) * 2,
    )


def cautions(threads: int, *measured: Measurement, quiet: Sequence[float] = ()) -> list[str]:
    return mismatches(row(threads), measured, quiet)


def test_cores_used_count_helper_processes_and_busy_threads_those_that_wait_for_a_cpu() -> None:
    measured = bursts(0.4, 0.3, helpers=0.1, queued=0.7)
    assert cores_used(measured) == pytest.approx(0.8)
    assert busy_threads(measured) == pytest.approx(1.5)
    assert cores_used(bursts()) is busy_threads(bursts()) is None


@pytest.mark.parametrize(
    ("threads", "cpu"), [(1, [0.97]), (1, [1.0, 0.1]), (2, [1.0, 0.3]), (2, [0.98, 0.95]), (4, [0.8] * 3)]
)
def test_threads_that_work_as_asked_are_no_caution(threads: int, cpu: Sequence[float]) -> None:
    assert cautions(threads, bursts(*cpu)) == []


@pytest.mark.parametrize(
    ("threads", "cpu", "expected"),
    [
        (1, [1.0, 0.9], "cores: 1 thread asked, 1.9 busy"),
        (2, [1.0, 0.1], "cores: 2 threads asked, 1.1 busy"),
        (4, [1.0, 0.5], "cores: 4 threads asked, 1.5 busy"),
        (2, [0.9, 0.9, 0.9], "cores: 2 threads asked, 2.7 busy"),
    ],
)
def test_other_threads_than_asked_are_a_caution(threads: int, cpu: Sequence[float], expected: str) -> None:
    assert cautions(threads, bursts(*cpu)) == [expected]


def test_a_crowded_machine_neither_accuses_nor_excuses() -> None:
    assert cautions(2, bursts(0.5, 0.3, queued=0.9)) == []
    assert cautions(1, bursts(0.5, 0.4, queued=1.0)) == ["cores: 1 thread asked, 1.9 busy"]
    assert cautions(2, bursts(0.6, queued=0.4)) == ["cores: 2 threads asked, 1.0 busy"]


def test_a_thread_that_only_spins_does_not_count() -> None:
    assert cautions(2, bursts(1.0, 1.0), quiet=[1.0]) == [
        "cores: 2 threads asked, 2.0 busy, 1.0 when idle threads do not spin"
    ]
    assert cautions(2, bursts(1.0, 1.0), quiet=[1.7]) == []


def test_the_median_trial_counts() -> None:
    assert cautions(1, bursts(1.0), bursts(1.0, 1.0), bursts(1.0)) == []


def test_work_in_other_processes_is_a_caution() -> None:
    assert cautions(1, bursts(0.1, helpers=0.9)) == [
        "helpers: 90% of its CPU time goes to other processes that it started"
    ]
    assert cautions(1, bursts(0.97, helpers=0.02)) == []


def test_sleeping_is_a_caution_where_it_can_be_told_from_waiting() -> None:
    line = "idle: nothing of it ran, or wanted to, in 30% of the measured time"
    assert cautions(1, bursts(0.6, queued=0.1)) == [line]
    assert cautions(1, bursts(0.6, queued=0.4)) == []
    assert cautions(1, bursts(0.7, queued=None)) == []


def test_settings_of_other_values_are_mismatches() -> None:
    asked = {"threads": 2, "precision": "fp32", "batch_size": 1, "xla": True}
    assert settings_not_taken(asked, {"threads": 2, "precision": None, "nodes": {"CPU": 3}}) == []
    assert settings_not_taken(asked, {"threads": 1, "precision": "bf16", "mode": "eager"}) == [
        "threads: 2 asked, 1 took effect",
        "precision: fp32 asked, bf16 took effect",
    ]


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        ({"provider": "fast"}, []),
        ({"provider": "fast", "nodes": {"fast": 7}}, []),
        ({"provider": "CPU"}, ["provider: fast asked, CPU took effect"]),
        ({"provider": "fast", "nodes": {"fast": 7, "CPU": 3}}, ["provider: fast asked, of 10 nodes 3 on CPU"]),
        ({}, ["provider: fast asked, and nothing tells what took effect"]),
    ],
)
def test_a_provider_must_have_the_whole_network(effective: dict[str, Any], expected: list[str]) -> None:
    assert settings_not_taken({"provider": "fast"}, effective) == expected


def test_a_knob_that_was_turned_must_be_mentioned_even_as_unknown() -> None:
    requested = {"threads": 2, "spin": False, "arena": True}
    said = ["spin: False asked, and nothing tells what took effect"]
    assert settings_not_taken(requested, {"threads": 2}, ["spin", "threads"]) == said
    assert settings_not_taken(requested, {"threads": 2, "spin": None}, ["spin", "threads"]) == []
    turned = row(2, requested, {"threads": 2, "spin": True})
    case = msgspec.structs.replace(turned.case, contender=turned.case.contender.having(spin=False))
    assert mismatches(msgspec.structs.replace(turned, case=case), []) == ["spin: False asked, True took effect"]
    silent = msgspec.structs.replace(turned, case=case, effective={"threads": 2})
    assert mismatches(silent, []) == said


def test_whose_framework_was_asked_for_no_number_of_threads_may_take_any() -> None:
    free = row(2, {"threads": None}, {"threads": 2})
    case = msgspec.structs.replace(free.case, contender=free.case.contender.having(threads="default"))
    assert mismatches(msgspec.structs.replace(free, case=case), [bursts(0.9, 0.9, 0.9)]) == []
