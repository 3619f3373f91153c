import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_measurement

from bakeoff.judge.case.profile import LEAST_S, MOST_S, expected_s, long_enough, profile_cautions
from bakeoff.records import Disturbance, Status, Trial

pytestmark = pytest.mark.unit

CALLS = 200
T = np.arange(CALLS)


def profile(trace: object, rss_mb: object = (), seed: int = 0) -> Trial:
    """A profile trial of twenty bursts whose latencies follow `trace`, with 2% noise."""
    noise = np.exp(0.02 * np.random.default_rng(seed).standard_normal(CALLS))
    latencies = (0.1 * np.broadcast_to(np.asarray(trace), CALLS) * noise).reshape(20, -1)
    measured = a_measurement(
        latencies=tuple(map(tuple, latencies.tolist())),
        burst_s=(),
        rss_mb=tuple(np.asarray(rss_mb, dtype=float).tolist()),
    )
    case = a_case(engine="a", model="m", batch_size=1, threads=1)
    return Trial(round=5, case=case, status=Status.OK, measurement=measured, profile=True)


def test_a_profile_ends_with_enough_latencies_or_enough_time() -> None:
    assert not long_enough(129, 10.0)
    assert long_enough(130, 10.0)
    assert not long_enough(5000, LEAST_S / 2)
    assert long_enough(3, MOST_S)
    assert [expected_s(latency) for latency in (1e-4, 0.1, 5.0)] == [LEAST_S, pytest.approx(13), MOST_S]


TRACES = {
    "unsettled: over 200 calls it became 2": 1 + 0.25 * T / CALLS,
    "step: after 1": np.where(T < 100, 1.0, 1.15),
    "bimodal: ": np.where(T % 3 == 0, 1.5, 1.0),
    "unsettled: over 200 calls its latencies go to and fro": np.array([1.0, 1.1, 1.2, 1.3, 1.2, 1.1])[T // 17 % 6],
}


@pytest.mark.parametrize(("said", "trace"), TRACES.items())
def test_a_trace_that_a_mean_would_hide_is_told(said: str, trace: object) -> None:
    found = profile_cautions(profile(trace))
    assert [line for line in found if line.startswith(said)], found


def test_what_latencies_did_while_others_used_the_cpus_is_told_as_that() -> None:
    others = Disturbance(others_cpu_s=2.0, steal_s=0.0, wall_s=4.0, cpus=2.0, resolution_s=0.1)
    trial = msgspec.structs.replace(profile(TRACES["bimodal: "], [100.0 + 5 * i for i in range(9)]), disturbance=others)
    bimodal, leak = profile_cautions(trial)
    assert bimodal.endswith("mixed) (while others used the CPUs)")
    assert leak.startswith("leak: ")
    assert "others" not in leak


@pytest.mark.parametrize("trace", [1.0, 1 + 0.5 * np.exp(-T / 10), 1 + 0.03 * T / CALLS], ids=["flat", "warm", "drift"])
@pytest.mark.parametrize("seed", range(5))
def test_a_usual_trace_passes_without_a_word(trace: object, seed: int) -> None:
    assert profile_cautions(profile(trace, seed=seed)) == ()


def test_two_modes_are_told_with_their_sizes() -> None:
    (line,) = profile_cautions(profile(np.where(T % 4 == 0, 1.5, 1.0)))
    assert line.startswith("bimodal: 2")
    assert "% of its latencies are 1.49x the others (100 and 149 ms" in line
    assert line.endswith("ms, mixed)")


def test_memory_that_grows_to_the_end_is_a_leak() -> None:
    (line,) = profile_cautions(profile(1.0, 300 + 10 * np.arange(20)))
    assert line == "leak: memory grew by 1 MB a call, to 490 MB"


@pytest.mark.parametrize(
    "memory",
    [np.full(20, 300.0), np.minimum(300 + 20 * np.arange(20), 400), 300 + 0.1 * np.arange(20), [100, 200, 300], ()],
    ids=["steady", "settles", "hardly", "too few", "unknown"],
)
def test_memory_that_settles_is_none(memory: object) -> None:
    assert profile_cautions(profile(1.0, memory)) == ()


def test_without_a_profile_there_is_nothing_to_say() -> None:
    assert profile_cautions(None) == ()
