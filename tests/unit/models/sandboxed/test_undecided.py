"""Where rounding to fp32 may change an integer, on graphs whose deciding values are known."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bakeoff.models.sandboxed.undecided import UndecidedPlaces

pytestmark = pytest.mark.unit

THIRD = float(np.float32(1 / 3))
NEAR = float(np.nextafter(np.float32(THIRD), np.float32(1)))


def places(nodes: list[onnx.NodeProto], values: list[float], kind: int = TensorProto.INT64) -> NDArray[Any]:
    """Where output `y` is undecided for the sample `values`, each of which is first multiplied by 3 in `m`."""
    first = helper.make_node("Mul", ["x", "three"], ["m"])
    graph = helper.make_graph(
        [first, *nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, len(values)])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.float32(3), "three"), numpy_helper.from_array(np.array([2]), "two")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    [found] = UndecidedPlaces(model)([np.array([values], np.float32)])
    return found


ARGMAX = helper.make_node("ArgMax", ["m"], ["y"], axis=1)


@pytest.mark.parametrize(
    ("values", "open_"), [([THIRD, NEAR, -2.9], True), ([THIRD, 0.34, -2.9], False), ([THIRD, THIRD, -2.9], False)]
)
def test_the_largest_is_open_where_two_are_close_and_not_where_they_are_equal(values: list[float], open_: bool) -> None:
    assert places([ARGMAX], values).tolist() == [[open_]]


def test_a_rank_is_open_where_its_neighbour_is_close() -> None:
    topk = helper.make_node("TopK", ["m", "two"], ["best", "y"], axis=1)
    assert places([topk], [0.9, THIRD, NEAR, 0.1]).tolist() == [[False, True]]


@pytest.mark.parametrize(("operator", "border"), [("Round", 0.5), ("Floor", 1.0)])
def test_a_number_is_open_beside_the_border_of_its_rounding_alone(operator: str, border: float) -> None:
    nodes = [
        helper.make_node(operator, ["m"], ["r"]),
        helper.make_node("Cast", ["r"], ["y"], to=TensorProto.INT64),
    ]
    assert places(nodes, [border * THIRD, 0.25, 0.7]).tolist() == [[True, False, False]]


def test_a_truth_is_open_beside_its_threshold_through_operators_that_keep_order() -> None:
    nodes = [
        helper.make_node("Greater", ["m", "m2"], ["g"]),
        helper.make_node("Not", ["g"], ["y"]),
    ]
    threshold = helper.make_node("Constant", [], ["m2"], value_float=1.0)
    assert places([threshold, *nodes], [THIRD, 0.2, 0.9], TensorProto.BOOL).tolist() == [[True, False, False]]
