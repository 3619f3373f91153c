import itertools
import math
import statistics

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.judge.figures.statistics import geometric_mean_interval, minimum_sample, percentile, quantile, t_quantile

pytestmark = pytest.mark.unit

throughputs = st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=30)


@pytest.mark.parametrize("probability", [0.025, 0.5, 0.9, 0.975, 0.995, 0.9995])
def test_t_quantiles_are_scipy_s(probability: float) -> None:
    degrees = [*range(1, 201), 999]
    ours = [t_quantile(probability, df) for df in degrees]
    assert ours == pytest.approx(scipy.special.stdtrit(degrees, probability), rel=1e-9, abs=1e-12)


@settings(max_examples=25)
@given(probability=st.floats(0.001, 0.999), df=st.integers(1, 300))
def test_t_quantiles_are_odd_around_one_half(probability: float, df: int) -> None:
    assert t_quantile(probability, df) == pytest.approx(-t_quantile(1 - probability, df), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("probability", "df"), [(0.0, 5), (1.0, 5), (0.975, 0)])
def test_a_t_quantile_that_does_not_exist_is_refused(probability: float, df: int) -> None:
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(probability, df)


def test_five_trials_have_the_interval_of_the_textbook() -> None:
    values = [10.0, 11.0, 9.5, 10.4, 10.1]
    logs = np.log(values)
    half_width = scipy.special.stdtrit(4, 0.975) * logs.std(ddof=1) / math.sqrt(5)
    centre, interval = geometric_mean_interval(values)
    assert centre == pytest.approx(math.exp(logs.mean()))
    assert interval == pytest.approx((centre * math.exp(-half_width), centre * math.exp(half_width)))


def test_one_trial_has_a_mean_and_no_interval() -> None:
    centre, interval = geometric_mean_interval([12.5])
    assert centre == pytest.approx(12.5)
    assert interval is None


def test_no_trial_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        geometric_mean_interval([])


@given(values=throughputs)
def test_the_interval_holds_the_mean_and_is_symmetric_in_the_logarithm(values: list[float]) -> None:
    centre, interval = geometric_mean_interval(values)
    assert interval
    low, high = interval
    assert low <= centre * (1 + 1e-9)
    assert centre <= high * (1 + 1e-9)
    assert math.log(low) + math.log(high) == pytest.approx(2 * math.log(centre), abs=1e-6)


@given(values=throughputs, factor=st.floats(0.01, 100))
def test_the_interval_does_not_care_for_the_unit(values: list[float], factor: float) -> None:
    _, interval = geometric_mean_interval(values)
    _, scaled = geometric_mean_interval([factor * value for value in values])
    assert interval
    assert scaled == pytest.approx([factor * bound for bound in interval], rel=1e-6)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    races = np.exp(rng.normal(math.log(40), 0.05, size=(2000, 5)))
    intervals = [interval for race in races if (interval := geometric_mean_interval(race.tolist())[1])]
    assert len(intervals) == 2000
    covered = statistics.fmean(low <= 40 <= high for low, high in intervals)
    assert 0.93 < covered < 0.97


def test_two_equal_trials_are_not_exact_where_others_differ() -> None:
    assert geometric_mean_interval([30, 30])[1] == pytest.approx((30, 30))
    _, interval = geometric_mean_interval([30, 30], beside=[[40, 50, 45], [12]])
    assert interval
    assert interval[1] / interval[0] > 1.2


@pytest.mark.parametrize(("percent", "least"), [(50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636)])
def test_percentiles_need_as_many_latencies_as_mlperf_asks_for(percent: float, least: int) -> None:
    assert minimum_sample(percent) == least
    # The criterion itself, by an oracle: at most one of n beyond the true percentile.
    beyond = 1 - percent / 100
    assert scipy.special.bdtr(1, least, beyond) <= 0.01 < scipy.special.bdtr(1, least - 1, beyond)


@pytest.mark.parametrize("percent", [0, 100, -1])
def test_no_sample_supports_a_percentile_beyond_the_sample(percent: float) -> None:
    with pytest.raises(ValueError, match="no sample"):
        minimum_sample(percent)


def test_a_percentile_is_refused_one_latency_short() -> None:
    assert percentile([0.1] * 63, 90) is None
    assert percentile([0.1] * 64, 90) == 0.1


@given(values=st.lists(st.floats(0, 1e3), min_size=1, max_size=50), fraction=st.floats(0, 1))
def test_quantiles_are_numpy_s(values: list[float], fraction: float) -> None:
    assert quantile(sorted(values), fraction) == pytest.approx(float(np.quantile(values, fraction)), abs=1e-9)


@given(values=st.lists(st.floats(0, 1e3), min_size=1, max_size=20))
def test_quantiles_rise(values: list[float]) -> None:
    found = [quantile(sorted(values), fraction) for fraction in (0.0, 0.5, 0.9, 0.99, 1.0)]
    assert all(a <= b or a == pytest.approx(b) for a, b in itertools.pairwise(found))
