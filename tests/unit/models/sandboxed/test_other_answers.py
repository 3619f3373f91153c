"""What else an integer may be, on graphs whose deciding values are known."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bakeoff.models.sandboxed.other_answers import OtherAnswers
from bakeoff.models.sandboxed.reference import Float64Model

pytestmark = pytest.mark.unit

THIRD = float(np.float32(1 / 3))
NEAR = float(np.nextafter(np.float32(THIRD), np.float32(1)))


def others(
    nodes: list[onnx.NodeProto], values: list[float], kind: int = TensorProto.INT64
) -> tuple[list[Any], list[Any]]:
    """The answer `y`, and what else it may be, for the sample `values`; `m` is three times these."""
    first = helper.make_node("Mul", ["x", "three"], ["m"])
    graph = helper.make_graph(
        [first, *nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, len(values)])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.float32(3), "three"), numpy_helper.from_array(np.array([2]), "two")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    sample = [np.array([values], np.float32)]
    [answer], [other] = Float64Model(model)(sample), OtherAnswers(model)(sample)
    return answer.ravel().tolist(), other.ravel().tolist()


def cast(to: int, source: str = "m") -> onnx.NodeProto:
    return helper.make_node("Cast", [source], ["y"], to=to)


@pytest.mark.parametrize(
    ("values", "answer", "other"),
    [([THIRD, NEAR, -2.9], 1, 0), ([THIRD, 0.34, -2.9], 1, 1), ([THIRD, THIRD, -2.9], 0, 0)],
    ids=["close", "apart", "equal"],
)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_the_largest_may_be_the_next_where_it_is_close_and_not_where_it_is_equal(
    values: list[float], answer: int, other: int, keepdims: int
) -> None:
    argmax = helper.make_node("ArgMax", ["m"], ["y"], axis=1, keepdims=keepdims)
    assert others([argmax], values) == ([answer], [other])


def test_a_rank_may_be_that_of_its_close_neighbour() -> None:
    topk = helper.make_node("TopK", ["m", "two"], ["best", "y"], axis=1)
    assert others([topk], [0.9, THIRD, NEAR, 0.1]) == ([0, 2], [0, 1])


@pytest.mark.parametrize(
    ("operator", "values", "answer", "other"),
    [
        ("Round", [0.5 * THIRD, 0.25, 0.7], [1, 1, 2], [0, 1, 2]),
        ("Floor", [THIRD, 0.2, 0.7], [1, 0, 2], [0, 0, 2]),
        ("Ceil", [THIRD, 0.2, 0.7], [2, 1, 3], [1, 1, 3]),
    ],
)
def test_a_number_may_be_that_across_the_border_of_its_rounding(
    operator: str, values: list[float], answer: list[int], other: list[int]
) -> None:
    rounded = helper.make_node(operator, ["m"], ["r"])
    assert others([rounded, cast(TensorProto.INT64, "r")], values) == (answer, other)


def test_a_truncated_number_has_no_border_at_zero_and_a_truth_no_other() -> None:
    close = [THIRD, -THIRD, 1e-9, 0.7]
    reshaped = helper.make_node("Identity", ["m"], ["same"])
    assert others([reshaped, cast(TensorProto.INT64, "same")], close) == ([1, -1, 0, 2], [0, 0, 0, 2])
    assert others([cast(TensorProto.BOOL)], close, TensorProto.BOOL) == ([True] * 4, [True, True, False, True])


def test_a_truth_may_be_false_beside_its_threshold_through_operators_that_keep_places() -> None:
    threshold = helper.make_node("Constant", [], ["one"], value_float=1.0)
    nodes = [helper.make_node("Greater", ["m", "one"], ["g"]), helper.make_node("Not", ["g"], ["y"])]
    answer, other = others([threshold, *nodes], [THIRD, 0.2, 0.9], TensorProto.BOOL)
    assert [before != after for before, after in zip(answer, other, strict=True)] == [True, False, False]
