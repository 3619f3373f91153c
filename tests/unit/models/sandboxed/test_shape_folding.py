from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bakeoff.models.sandboxed.shape_folding import fold_shapes

Net = Callable[..., onnx.ModelProto]

pytestmark = pytest.mark.unit

SIZES = {
    "two": np.array([2]),
    "zero": np.array([0]),
    "one": np.array([1]),
    "rest": np.array([-1]),
    "eight": np.array([8]),
    "axes": np.array([0]),
    "many": np.array(8),
}


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def constant(model: onnx.ModelProto, name: str) -> list[int]:
    [value] = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == name]
    return [int(item) for item in value]


def computes_the_same(model: onnx.ModelProto, changed: onnx.ModelProto) -> None:
    """At batch sizes that were tried, and at others."""
    onnx.checker.check_model(changed, full_check=True)
    for batch in (1, 2, 5):
        x = np.random.default_rng(batch).normal(size=(batch, 4, 8, 8)).astype(np.float32)
        before, after = (ReferenceEvaluator(each).run(None, {"x": x}) for each in (model, changed))
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)


def shape_arithmetic(*last: NodeProto) -> list[NodeProto]:
    """`batch`, a vector of the batch size, and `size` [batch, -1], as exporters write them."""
    return [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one", "axes"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["size"], axis=0),
        *last,
    ]


def test_a_reshape_by_shape_arithmetic_has_sizes_in_numbers(net: Net) -> None:
    model = net(shape_arithmetic(helper.make_node("Reshape", ["x", "size"], ["y"])), SIZES, out=["N", 256])
    changed = fold_shapes(model)
    assert operators(changed) == {"Reshape": 1}
    assert constant(changed, "y/sizes") == [0, 256]
    computes_the_same(model, changed)


@pytest.mark.parametrize(
    ("nodes", "sizes"),
    [
        ([helper.make_node("Flatten", ["x"], ["y"], axis=2)], [-1, 64]),
        ([helper.make_node("Unsqueeze", ["x", "one"], ["y"])], [0, 1, 4, 8, 8]),
        (
            [helper.make_node("Unsqueeze", ["x", "zero"], ["z"]), helper.make_node("Squeeze", ["z", "zero"], ["y"])],
            [-1, 4, 8, 8],
        ),
    ],
    ids=["flatten", "unsqueeze", "there and back"],
)
def test_what_keeps_the_order_of_values_is_a_reshape(net: Net, nodes: Sequence[NodeProto], sizes: list[int]) -> None:
    model = net(nodes, SIZES, out=["A"] * len(sizes))
    changed = fold_shapes(model)
    assert set(operators(changed)) == {"Reshape"}
    assert constant(changed, "y/sizes") == sizes
    computes_the_same(model, changed)


def test_a_flatten_that_frameworks_have_as_a_layer_stays(net: Net) -> None:
    changed = fold_shapes(net([helper.make_node("Flatten", ["x"], ["y"])], out=["N", 256]))
    assert operators(changed) == {"Flatten": 1}


def test_an_expansion_to_the_batch_size_needs_no_batch_size(net: Net) -> None:
    more = [
        helper.make_node("ReduceMax", ["x"], ["z"], axes=[2, 3], keepdims=1),
        helper.make_node("Concat", ["batch", "one", "eight", "eight"], ["wished"], axis=0),
        helper.make_node("Expand", ["z", "wished"], ["y"]),
    ]
    model = net(shape_arithmetic(*more), SIZES)
    changed = fold_shapes(model)
    assert operators(changed) == {"ReduceMax": 1, "Expand": 1}
    assert constant(changed, "y/sizes") == [1, 1, 8, 8]
    computes_the_same(model, changed)


def test_an_expansion_over_a_batch_that_was_not_there_stays(net: Net) -> None:
    more = [
        helper.make_node("Concat", ["batch", "eight"], ["wished"], axis=0),
        helper.make_node("Expand", ["row", "wished"], ["rows"]),
        helper.make_node("ReduceSum", ["x"], ["sums"], keepdims=0),
        helper.make_node("Add", ["rows", "sums"], ["y"]),
    ]
    model = net(shape_arithmetic(*more), SIZES | {"row": np.ones((1, 8), np.float32)}, out=["N", 8])
    changed = fold_shapes(model)
    assert operators(changed)["Expand"] == 1
    computes_the_same(model, changed)


def test_a_resize_to_computed_sizes_goes_by_scales(net: Net) -> None:
    how: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    more = [
        helper.make_node("Slice", ["shape", "two", "many_ends", "axes"], ["side"]),
        helper.make_node("Mul", ["side", "two"], ["larger"]),
        helper.make_node("Slice", ["shape", "zero", "two", "axes"], ["front"]),
        helper.make_node("Concat", ["front", "larger"], ["wished"], axis=0),
        helper.make_node("Resize", ["x", "", "", "wished"], ["y"], mode="nearest", **how),
    ]
    model = net(shape_arithmetic(*more), SIZES | {"many_ends": np.array([4])}, out=["N", 4, 16, 16])
    changed = fold_shapes(model)
    assert operators(changed) == {"Resize": 1}
    assert list(changed.graph.node[0].input) == ["x", "", "y/scales"]
    assert constant(changed, "y/scales") == [1, 1, 2, 2]
    computes_the_same(model, changed)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_gather_of_everything_in_order_is_a_reshape(net: Net, in_order: bool) -> None:
    """As PyTorch exports attention masks: by indices that are made of ranges over the batch and the rest."""
    rows = np.arange(8).reshape(1, 8, 1) if in_order else np.arange(8)[::-1].reshape(1, 8, 1).copy()
    more = [
        helper.make_node("Squeeze", ["batch"], ["count"]),
        helper.make_node("Range", ["nought", "count", "unit"], ["range"]),
        helper.make_node("Unsqueeze", ["range", "last_two"], ["column"]),
        helper.make_node("Add", ["column", "none"], ["samples"]),
        helper.make_node("Mul", ["column", "none"], ["nones"]),
        helper.make_node("Add", ["nones", "rows"], ["places"]),
        helper.make_node("Concat", ["samples", "places"], ["indices"], axis=2),
        helper.make_node("ReduceMax", ["x"], ["z"], axes=[1, 3], keepdims=0),
        helper.make_node("GatherND", ["z", "indices"], ["y"]),
    ]
    weights = {"nought": np.array(0), "unit": np.array(1), "last_two": np.array([1, 2])}
    weights |= {"none": np.zeros((1, 8, 1), np.int64), "rows": rows}
    model = net(shape_arithmetic(*more), SIZES | weights, out=["N", 8])
    changed = fold_shapes(model)
    assert ("GatherND" in operators(changed)) is not in_order
    computes_the_same(model, changed)


def test_constants_are_computed_once_and_what_nobody_reads_goes(net: Net) -> None:
    nodes = [
        helper.make_node("Cast", ["small"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["wide", "scale"], ["weight"]),
        helper.make_node("Conv", ["x", "weight"], ["y"], pads=[1, 1, 1, 1]),
        helper.make_node("Exp", ["x"], ["unread"]),
    ]
    small: NDArray[np.generic] = np.ones((4, 4, 3, 3), np.int8)
    model = net(nodes, {"small": small, "scale": np.float32(0.5)})
    changed = fold_shapes(model)
    assert operators(changed) == {"Conv": 1}
    assert [tensor.name for tensor in changed.graph.initializer] == ["weight"]
    told = {attribute.name: list(attribute.ints) for attribute in changed.graph.node[0].attribute}
    assert told["kernel_shape"] == [3, 3], "old readers do not take it from the weight"
    computes_the_same(model, changed)


def test_what_is_random_is_not_computed_in_advance(net: Net) -> None:
    nodes = [helper.make_node("RandomNormal", [], ["noise"], shape=[1]), helper.make_node("Add", ["x", "noise"], ["y"])]
    assert operators(fold_shapes(net(nodes))) == {"RandomNormal": 1, "Add": 1}


def test_graphs_within_a_node_stay_with_what_they_read(net: Net) -> None:
    branches = [
        helper.make_graph(
            [helper.make_node(operator, ["x", "two_f"], ["z"])],
            operator,
            [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4, 8, 8])],
        )
        for operator in ("Add", "Mul")
    ]
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branches[0], else_branch=branches[1])
    model = net([node], {"yes": np.array(True), "two_f": np.float32(2)})
    changed = fold_shapes(model)
    assert operators(changed) == {"If": 1}
    computes_the_same(model, changed)


def test_shapes_between_are_told(net: Net) -> None:
    nodes = [helper.make_node("MaxPool", ["x"], ["z"], kernel_shape=[2, 2], strides=[2, 2])]
    changed = fold_shapes(net([*nodes, helper.make_node("Relu", ["z"], ["y"])], out=["N", 4, 4, 4]))
    [told] = changed.graph.value_info
    assert [dim.dim_value or dim.dim_param for dim in told.type.tensor_type.shape.dim] == ["batch", 4, 4, 4]


def test_a_way_of_its_own_for_batch_1_stays(net: Net) -> None:
    nodes = [
        *shape_arithmetic(),
        helper.make_node("Equal", ["batch", "one"], ["alone"]),
        helper.make_node("Where", ["alone", "ten", "nought"], ["more"]),
        helper.make_node("Add", ["x", "more"], ["y"]),
    ]
    model = net(nodes, SIZES | {"ten": np.array([10], np.float32), "nought": np.array([0], np.float32)})
    changed = fold_shapes(model)
    assert operators(changed)["Where"] == 1
    computes_the_same(model, changed)
