from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.inputs import draw
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.versions import at_ir_version, at_opset

Net = Callable[..., onnx.ModelProto]

pytestmark = pytest.mark.unit


def test_the_zoo_has_a_form_for_the_readers_of_2019_that_computes_the_same(tiny: onnx.ModelProto) -> None:
    old = at_ir_version(at_opset(tiny, 9), 3)
    onnx.checker.check_model(old, full_check=True)
    assert (old.ir_version, old.opset_import[0].version) == (3, 9)
    image = draw("float32", (3, 32, 32), seed=0, count=1)
    [before], [after] = Float64Model(tiny)([image]), Float64Model(old)([image])
    assert np.abs(before - after).max() < 1e-12


def test_initializers_are_inputs_for_ir_version_3_alone(tiny: onnx.ModelProto) -> None:
    initializers = {tensor.name for tensor in tiny.graph.initializer}
    old = at_ir_version(tiny, 3)
    assert {value.name for value in old.graph.input} == {"input", *initializers}
    assert old.graph.input[0].name == "input"
    assert [value.name for value in at_ir_version(old, 4).graph.input] == ["input"]


REPEATS = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@pytest.mark.parametrize(
    ("opset", "target", "node"),
    [
        (17, 13, helper.make_node("BatchNormalization", ["x", *"cccc"], ["y"], training_mode=0)),
        (18, 9, helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1], dilations=[1, 1], ceil_mode=0)),
        (13, 9, helper.make_node("Softmax", ["x"], ["y"], axis=3)),
        (13, 9, helper.make_node("Softmax", ["x"], ["y"])),
        (13, 9, helper.make_node("Clip", ["x", "low", "high"], ["y"])),
        (13, 9, helper.make_node("Clip", ["x", "", "high"], ["y"])),
        (17, 13, helper.make_node("Clip", ["x", "low"], ["y"])),
        (13, 9, helper.make_node("Slice", ["x", "zeros", "eights", "sides"], ["y"])),
        (11, 9, helper.make_node("Pad", ["x", "pads", "high"], ["y"])),
        (13, 9, helper.make_node("Resize", ["x", "", "scales"], ["y"], **REPEATS)),
        (18, 13, helper.make_node("Resize", ["x", "", "scales"], ["y"], **REPEATS)),
        (18, 13, helper.make_node("ReduceMean", ["x", "sides"], ["y"])),
        (18, 9, helper.make_node("ReduceMax", ["x", "sides"], ["y"])),
        (18, 9, helper.make_node("ReduceMean", ["x", "none"], ["y"])),
        (13, 11, helper.make_node("ReduceSum", ["x", "none"], ["y"])),
        (13, 9, helper.make_node("ReduceSum", ["x", "sides"], ["y"], noop_with_empty_axes=1)),
        (9, 13, helper.make_node("Softmax", ["x"], ["y"], axis=1)),
        (9, 13, helper.make_node("Clip", ["x"], ["y"], min=0.0, max=6.0)),
    ],
)
def test_an_operator_with_the_same_meaning_there_goes_along(
    net: Net, opset: int, target: int, node: onnx.NodeProto
) -> None:
    weights = {"c": np.ones(4, np.float32), "low": np.float32(-0.5), "high": np.float32(0.25)}
    weights |= {
        "zeros": np.zeros(2, np.int64),
        "eights": np.array([8, 7]),
        "sides": np.array([2, 3]),
        "none": np.array([], np.int64),
    }
    weights |= {"pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]), "scales": np.array([1, 1, 2, 2], np.float32)}
    read = {name: value for name, value in weights.items() if name in node.input}
    model = net([node], read, opset, out=["N", *"ABC"])
    changed = at_opset(model, target)
    assert changed.opset_import[0].version == target
    x = draw("float32", (4, 8, 8), seed=0, count=1)
    assert np.allclose(Float64Model(model)([x])[0], Float64Model(changed)([x])[0], atol=1e-12)


def test_axes_that_are_inputs_become_attributes_beside_what_the_converter_cannot_take_down(net: Net) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Unsqueeze", ["a", "ends"], ["b"]),
        helper.make_node("Squeeze", ["b", "ends"], ["c"]),
        helper.make_node("ReduceSum", ["c", "last"], ["y"]),
    ]
    axes = {"ends": np.array([0, -1], np.int64), "last": np.array([-1], np.int64)}
    model = net(nodes, axes, out=("N", 4, 8, 1))
    old = at_opset(model, 9)
    assert not old.graph.initializer, "nobody reads them any more"
    assert [list(node.attribute[0].ints) for node in old.graph.node if node.op_type == "Unsqueeze"] == [[0, 5]]
    x = draw("float32", (4, 8, 8), seed=0, count=1)
    assert np.array_equal(Float64Model(model)([x])[0], Float64Model(old)([x])[0])


def test_bounds_that_are_computed_have_no_older_form(net: Net) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Clip", ["x", "", "m"], ["y"]),
    ]
    with pytest.raises(UnsupportedModelError, match="Clip"):
        at_opset(net(nodes), 9)


@pytest.mark.parametrize(
    ("opset", "target", "node", "name"),
    [
        (13, 9, helper.make_node("Softmax", ["x"], ["y"], axis=1), "Softmax"),
        (13, 9, helper.make_node("Resize", ["x", "", "halves"], ["y"]), "Resize"),
        (13, 9, helper.make_node("Slice", ["x", "halves", "halves", "halves", "halves"], ["y"]), "Slice"),
        (20, 9, helper.make_node("Gelu", ["x"], ["y"]), "Gelu"),
        (17, 13, helper.make_node("HardSwish", ["x"], ["y"]), "HardSwish"),
        (13, 9, helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1], dilations=[2, 2]), "MaxPool"),
        (13, 9, helper.make_node("Inverse", ["x"], ["y"], domain="com.microsoft"), "com.microsoft"),
    ],
)
def test_an_operator_that_means_something_else_there_is_refused_by_name(
    net: Net, opset: int, target: int, node: onnx.NodeProto, name: str
) -> None:
    with pytest.raises(UnsupportedModelError, match=name):
        at_opset(net([node], opset=opset), target)


def test_shape_arithmetic_does_not_stand_in_the_way(net: Net) -> None:
    """Its slice has no older form, but need not be there."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one", "zero", "one"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["size"], axis=0),
        helper.make_node("Reshape", ["x", "size"], ["y"]),
    ]
    model = net(nodes, {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1])}, out=["N", 256])
    old = at_opset(model, 9)
    assert [node.op_type for node in old.graph.node][-1] == "Reshape"
    x = draw("float32", (4, 8, 8), seed=0, count=1)
    assert np.array_equal(Float64Model(model)([x])[0], Float64Model(old)([x])[0])
