import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.errors import UsageError
from bakeoff.report.study.order import Pair, Tally, orders
from bakeoff.report.study.results import Ratio, StudyResults
from bakeoff.scorecards import Change

pytestmark = pytest.mark.unit

TableRace = Callable[..., StudyResults]
NOT_MEASURED = math.nan


def wobble(fps: float, rounds: int = 6) -> list[float]:
    """Drift of 10% up and down, the same for every engine."""
    return [fps * (1.1 if round_ % 2 else 0.9) for round_ in range(rounds)]


# Ratios


def test_a_ratios_interval_is_scipys_on_the_logarithms_paired_by_round(table_race: TableRace) -> None:
    today, then = [44.0, 40.0, 47.5, 43.0, 45.2], [21.0, 19.8, 22.6, 20.9, 21.1]
    ratio = table_race({"pytorch": today, "pytorch-2019": then}).ratio("pytorch", "pytorch-2019", "resnet50", 1)
    assert ratio is not None
    logs = np.log(np.array(today) / np.array(then))
    expected = scipy.stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=scipy.stats.sem(logs))
    assert ratio.value == pytest.approx(math.exp(logs.mean()))
    assert ratio.interval == pytest.approx(tuple(np.exp(expected)))


def test_drift_that_hits_both_alike_widens_no_interval(table_race: TableRace) -> None:
    results = table_race({"keras": wobble(30.0), "keras-2019": wobble(10.0)})
    ratio = results.ratio("keras", "keras-2019", "resnet50", 1)
    assert ratio is not None
    assert ratio.interval == pytest.approx((3.0, 3.0))


def test_only_rounds_that_both_have_are_paired(table_race: TableRace) -> None:
    speeds = {"keras": [30.0, 33.0, 100.0], "keras-2019": [10.0, 11.0, NOT_MEASURED]}
    ratio = table_race(speeds).ratio("keras", "keras-2019", "resnet50", 1)
    assert ratio is not None
    assert ratio.value == pytest.approx(3.0)
    assert ratio.rounds == 2


def test_one_common_round_gives_a_ratio_without_an_interval_and_no_verdict(table_race: TableRace) -> None:
    ratio = table_race({"keras": [30.0], "keras-2019": [10.0]}).ratio("keras", "keras-2019", "resnet50", 1)
    assert ratio is not None
    assert ratio.interval is None
    assert ratio.outcome is Change.UNDECIDED


def test_without_a_common_round_there_is_no_ratio(table_race: TableRace) -> None:
    results = table_race({"keras": [30.0, NOT_MEASURED], "keras-2019": [NOT_MEASURED, 10.0]})
    assert results.ratio("keras", "keras-2019", "resnet50", 1) is None
    assert results.ratio("keras", "nobody", "resnet50", 1) is None


def test_engines_in_different_leagues_are_neither_compared_nor_put_in_order(table_race: TableRace) -> None:
    speeds = {"keras-2019": wobble(5.0), "tensorflow-2019": wobble(9.0), "pytorch-2019": wobble(20.0)}
    results = table_race(speeds, bf16=["pytorch-2019"])
    assert results.ratio("pytorch-2019", "keras-2019", "resnet50", 1) is None
    assert results.ranked_fps("pytorch-2019", "resnet50", 1) is None
    (order,) = orders(results, "2019")
    assert order.published == ["Keras", "TensorFlow"]


@pytest.mark.parametrize(
    ("interval", "outcome"),
    [
        ((1.03, 1.5), Change.FASTER),
        ((1.01, 1.5), Change.UNDECIDED),
        ((0.99, 1.01), Change.EQUIVALENT),
        ((0.9, 1.01), Change.UNDECIDED),
        ((0.5, 0.97), Change.SLOWER),
        (None, Change.UNDECIDED),
    ],
)
def test_an_interval_decides_only_beyond_or_within_two_percent(
    interval: tuple[float, float] | None, outcome: Change
) -> None:
    assert Ratio(value=1.0, interval=interval, rounds=5).outcome is outcome


def test_a_run_of_other_networks_is_refused(table_race: TableRace) -> None:
    with pytest.raises(UsageError, match="did not race resnet18 or resnet50"):
        table_race({"keras": [1.0]}, model="mobilenet")


# The order

SLOW_TO_FAST = ("keras-2019", "tensorflow-2019", "pytorch-2019", "caffe2-2019", "onnxruntime-2019")


def speeds_in(order: Sequence[int]) -> dict[str, list[float]]:
    """Every engine at 10 images/s times its place."""
    return {engine: wobble(10.0 * (place + 1)) for engine, place in zip(SLOW_TO_FAST, order, strict=True)}


def test_the_published_order_measured_again_keeps_every_pair(table_race: TableRace) -> None:
    (order,) = orders(table_race(speeds_in(range(5))), "2019")
    tally = Tally(order.pairs)
    assert order.published == ["Keras", "TensorFlow", "PyTorch", "Caffe2", "ONNX Runtime"]
    assert [title for title, _ in order.here()] == order.published
    assert (tally.pairs, tally.kept, tally.swapped, tally.open, tally.tau) == (10, 10, 0, 0, 1.0)


@given(order=st.permutations(range(5)))
def test_tau_is_scipys_where_every_pair_is_told_apart(order: Sequence[int]) -> None:
    pairs = [
        Pair(str(slower), str(faster), Ratio(value=value, interval=(value, value), rounds=5))
        for faster in range(5)
        for slower in range(faster)
        for value in [(order[faster] + 1) / (order[slower] + 1)]
    ]
    assert Tally(pairs).tau == pytest.approx(scipy.stats.kendalltau(range(5), order).statistic)


def test_a_swapped_pair_is_named_and_one_that_is_not_told_apart_is_not(table_race: TableRace) -> None:
    speeds = speeds_in([0, 1, 3, 2, 4])  # Caffe2 and PyTorch swapped
    speeds["tensorflow-2019"] = [10.0, 10.4, 9.6, 10.5, 9.4, 10.0]  # about as fast as Keras, but restless
    speeds["keras-2019"] = [10.0] * 6
    (order,) = orders(table_race(speeds), "2019")
    assert [(pair.faster, pair.slower) for pair in order.pairs if pair.swapped] == [("Caffe2", "PyTorch")]
    assert Tally(order.pairs).open == 1
    assert Tally(order.pairs).tau == pytest.approx((8 - 1) / 10)
    assert dict(order.here())["PyTorch"]
    assert not all(clear for _, clear in order.here()[:2])


def test_rows_that_cannot_be_rerun_take_no_part_in_the_order(table_race: TableRace) -> None:
    results = table_race({"onnxruntime-2019": wobble(20.0), "ngraph-2019": wobble(30.0), "pytorch-2019": wobble(5.0)})
    (order,) = orders(results, "2019")
    assert order.published == ["PyTorch", "ONNX Runtime"]


def test_where_the_study_was_blank_there_is_no_order(table_race: TableRace) -> None:
    speeds = {"keras-2019": wobble(5.0), "tensorflow-2019": wobble(9.0)}
    assert orders(table_race(speeds, model="resnet18"), "2019") == []
    assert orders(table_race(speeds), "today") == []
