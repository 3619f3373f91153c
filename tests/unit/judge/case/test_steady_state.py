import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bakeoff.judge.case.modes import modes
from bakeoff.judge.case.steady_state import FEWEST_BLOCKS, LONG_BLOCK, Kind, Shape, shape, warmed_up

pytestmark = pytest.mark.unit

CALLS = 200
T = np.arange(CALLS)
SEEDS = 40

Trace = NDArray[np.floating]

latencies_ = st.lists(st.floats(1e-6, 1e3), max_size=300)


def noisy(trace: Trace, seed: int, sd: float = 0.03) -> list[float]:
    """`trace` with lognormal noise, and 2% of wild latencies."""
    rng = np.random.default_rng(seed)
    wild = np.where(rng.random(len(trace)) < 0.02, 1 + rng.exponential(1.0, len(trace)), 1.0)
    return [float(value) for value in 0.1 * trace * np.exp(sd * rng.standard_normal(len(trace))) * wild]


def shapes(trace: Trace, sd: float = 0.03) -> list[Shape]:
    found = [shape(noisy(trace, seed, sd)) for seed in range(SEEDS)]
    return [one for one in found if one is not None]


def share(found: list[Shape], kind: Kind) -> float:
    return sum(one.kind is kind for one in found) / SEEDS


# The shape of a long trace

TRACES = {
    "flat": (np.ones(CALLS), Kind.FLAT),
    "warm-up": (1 + 0.5 * np.exp(-T / 10), Kind.WARM_UP),
    "long warm-up": (1 + 0.3 * np.exp(-T / 30), Kind.WARM_UP),
    "a disturbance that passes": (np.where((T > 80) & (T < 110), 1.2, 1.0), Kind.WARM_UP),
    "slowdown that settles": (np.where(T < 40, 1.0, 1.2 - 0.2 * np.exp(-(T - 40) / 15)), Kind.SLOWDOWN),
    "slowdown to the end": (1 + 0.15 * T / CALLS, Kind.SLOWDOWN),
    "slower just before the end": (np.where(T < 180, 1.0, 1.2), Kind.SLOWDOWN),
    "step up": (np.where(T < 90, 1.0, 1.15), Kind.STEP),
    "step down": (np.where(T < 90, 1.15, 1.0), Kind.STEP),
    "slow oscillation": (1 + 0.1 * np.sign(np.sin(T / CALLS * 2 * np.pi * 4)), Kind.OSCILLATION),
    "sine": (1 + 0.15 * np.sin(T / CALLS * 2 * np.pi * 3), Kind.OSCILLATION),
    "every other call slower": (1 + 0.3 * (T % 2), Kind.OSCILLATION),
    "faster to the end": (1 - 0.3 * T / CALLS, Kind.UNSETTLED),
}


@pytest.mark.parametrize(("trace", "kind"), TRACES.values(), ids=TRACES)
def test_each_trace_is_known_through_noise(trace: Trace, kind: Kind) -> None:
    assert share(shapes(trace), kind) >= 0.9


def test_a_warm_up_settles_where_it_does() -> None:
    after = [one.steady_after for one in shapes(1 + 0.5 * (T < 60))]
    assert np.median([k for k in after if k is not None]) == 60


def test_a_step_settles_at_the_step_and_its_size_is_told() -> None:
    found = shapes(np.where(T < 90, 1.0, 1.15))
    assert np.median([one.steady_after or 0 for one in found]) == 90
    assert np.median([one.change for one in found]) == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("name", ["slowdown to the end", "faster to the end", "sine", "slower just before the end"])
def test_what_never_settles_says_so(name: str) -> None:
    found = shapes(TRACES[name][0])
    assert sum(one.steady_after is None for one in found) >= 0.85 * SEEDS


def test_a_slowdown_with_a_dip_in_it_is_no_oscillation() -> None:
    trace = 1 + 0.05 * np.arange(200.0)
    trace[60:80] *= 0.6
    found = shape(noisy(trace, seed=1, sd=0.02))
    assert found
    assert found.kind is Kind.SLOWDOWN
    assert found.change > 1


def test_a_slowdown_on_a_machine_that_gets_faster_meanwhile_is_no_oscillation() -> None:
    machine = np.repeat([1.0, 1.0, 1.3, 0.75, 0.9, 0.75], 25)
    found = shape(noisy((1 + 0.02 * np.arange(150.0)) * machine, seed=1, sd=0.02))
    assert found
    assert found.kind is Kind.SLOWDOWN


@pytest.mark.parametrize("highs", [(1, 3), (1, 3, 5)])
def test_equal_swings_have_no_direction(highs: tuple[int, ...]) -> None:
    swings = np.repeat([1.3 if k in highs else 1.0 for k in range(highs[-1] + 1)], 50)
    found = shape(noisy(swings, seed=1, sd=0.02))
    assert found
    assert found.kind is Kind.OSCILLATION


def test_a_change_within_the_tolerance_is_flat() -> None:
    assert share(shapes(np.where(T < 90, 1.0, 1.01), sd=0.001), Kind.FLAT) == 1.0


def test_a_trace_too_short_has_no_shape() -> None:
    assert shape([0.1] * (FEWEST_BLOCKS * LONG_BLOCK - 1)) is None
    assert shape([0.1] * (FEWEST_BLOCKS * LONG_BLOCK)) == Shape(kind=Kind.FLAT, steady_after=0, change=0.0, modes=None)


@settings(max_examples=50)
@given(values=latencies_, scale=st.sampled_from([0.25, 8.0]))
def test_the_unit_of_time_changes_nothing(values: list[float], scale: float) -> None:
    here, there = shape(values), shape([value * scale for value in values])
    assert (here is None) == (there is None) == (len(values) < 60)
    if here and there:
        assert here.steady_after is None or 0 <= here.steady_after < len(values)
        assert math.isfinite(here.change)
        assert here.change > -1


# Two kinds of latencies


def test_two_modes_are_found_with_their_places_and_shares() -> None:
    rng = np.random.default_rng(0)
    found = modes(noisy(1 + 0.3 * (rng.random(CALLS) < 0.4), seed=1))
    assert found is not None
    assert (found.fast, found.slow) == pytest.approx((0.1, 0.13), rel=0.02)
    assert found.slow_share == pytest.approx(0.4, abs=0.08)
    assert found.interleaved


def test_a_step_has_two_modes_one_after_the_other() -> None:
    found = modes(noisy(np.where(T < 90, 1.0, 1.3), seed=2))
    assert found is not None
    assert not found.interleaved


@pytest.mark.parametrize("name", ["normal", "uniform", "exponential", "drift"])
def test_one_wide_mode_is_not_two(name: str) -> None:
    rng = np.random.default_rng(3)

    def drawn() -> Trace:
        if name == "normal":
            return np.exp(0.1 * rng.standard_normal(CALLS))
        if name == "uniform":
            return rng.uniform(1, 2, CALLS)
        if name == "exponential":
            return 1 + rng.exponential(0.3, CALLS)
        return (1 + 0.5 * T / CALLS) * np.exp(0.02 * rng.standard_normal(CALLS))

    assert sum(modes(drawn().tolist()) is not None for _ in range(SEEDS)) <= 1


@pytest.mark.parametrize("trace", [np.ones(19), 1 + 0.04 * (T % 2), np.where(T < 12, 3.0, 1.0)])
def test_too_few_too_near_or_a_few_outliers_are_no_modes(trace: Trace) -> None:
    assert modes(noisy(trace, seed=4, sd=0.001)) is None


# The end of warm-up


def test_a_flat_trace_settles_after_nine_calls() -> None:
    assert not warmed_up([0.1] * 8)
    assert warmed_up([0.1] * 9)


def test_a_warm_up_is_not_settled_while_it_falls_and_is_afterwards() -> None:
    trace = [1 + 0.9**k for k in range(60)]
    ends = [k for k in range(61) if warmed_up(trace[:k])]
    assert ends == list(range(ends[0], 61))
    assert abs(trace[ends[0] - 9] / trace[ends[0] - 1] - 1) < 0.06


def test_a_rise_is_a_trend_too() -> None:
    assert not warmed_up([1 + 0.02 * k for k in range(9)])


def test_one_wild_call_a_block_does_not_keep_a_trace_from_settling() -> None:
    assert warmed_up([0.1, 0.9, 0.1, 0.8, 0.1, 0.1, 0.1, 0.1, 0.7])


def test_noise_seldom_keeps_a_flat_trace_from_settling_for_long() -> None:
    waits = []
    for seed in range(SEEDS):
        trace = noisy(np.ones(60), seed, sd=0.05)
        waits.append(next(k for k in range(9, 61, 3) if warmed_up(trace[:k])))
    assert np.mean(waits) <= 12
    assert max(waits) <= 24


@given(values=st.lists(st.floats(1e-3, 1e3), min_size=9, max_size=30))
def test_only_the_last_nine_calls_matter(values: list[float]) -> None:
    assert warmed_up(values) == warmed_up(values[-9:])
