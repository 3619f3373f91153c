import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.sandboxed.plain_graph import lower

Net = Callable[..., onnx.ModelProto]
KERNEL = np.ones((4, 4, 3, 3), np.float32)

pytestmark = pytest.mark.unit


def lowered(model: onnx.ModelProto, folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    lower(model, "net", folder)
    with np.load(folder / "weights.npz", allow_pickle=False) as weights:
        return json.loads((folder / "graph.json").read_text(encoding="utf-8")), dict(weights)


def test_a_resnet_comes_out_as_documented(tiny: onnx.ModelProto, tmp_path: Path) -> None:
    graph, weights = lowered(tiny, tmp_path)
    assert graph["schema"] == 2
    assert graph["inputs"] == [{"name": "input", "dtype": "float32", "shape": [None, 3, 32, 32]}]
    assert graph["outputs"] == [{"name": "logits", "dtype": "float32", "shape": [None, 10]}]
    first = graph["nodes"][0]
    assert (first["op"], first["inputs"]) == ("Conv", ["input", "conv1.weight"])
    assert first["attributes"] == {
        "strides": [2, 2],
        "pads": [3, 3, 3, 3],
        "kernel_shape": [7, 7],
        "dilations": [1, 1],
        "group": 1,
    }
    known = {"input", *weights}
    for node in graph["nodes"]:
        assert set(node["inputs"]) <= known
        known |= set(node["outputs"])
    original = {tensor.name: numpy_helper.to_array(tensor) for tensor in tiny.graph.initializer}
    assert weights.keys() == original.keys()
    assert all(np.array_equal(weights[name], original[name]) for name in original)


def test_the_same_model_gives_the_same_bytes(tiny: onnx.ModelProto, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        lower(tiny, "net", tmp_path / name)
    for file in ("graph.json", "weights.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_defaults_are_written_out(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2]),
        helper.make_node("Transpose", ["b"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"]),
    ]
    graph, _ = lowered(net(nodes, {"w": KERNEL}, out=["A", "B", "C", "N"]), tmp_path)
    conv, pool, transpose, softmax = (node["attributes"] for node in graph["nodes"])
    ones, zeros = [1, 1], [0, 0, 0, 0]
    assert conv == {"group": 1, "kernel_shape": [3, 3], "strides": ones, "dilations": ones, "pads": zeros}
    window = {"kernel_shape": [2, 2], "strides": ones, "dilations": ones, "pads": zeros}
    assert pool == window | {"ceil_mode": 0, "storage_order": 0}
    assert transpose == {"perm": [3, 2, 1, 0]}
    assert softmax == {"axis": -1}


@pytest.mark.parametrize(("auto_pad", "pads"), [("SAME_UPPER", [0, 0, 1, 1]), ("SAME_LOWER", [1, 1, 0, 0])])
def test_automatic_padding_becomes_numbers(net: Net, tmp_path: Path, auto_pad: str, pads: list[int]) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad=auto_pad, strides=[2, 2])
    graph, _ = lowered(net([node], {"w": KERNEL}, out=["N", 4, 4, 4]), tmp_path)
    assert graph["nodes"][0]["attributes"]["pads"] == pads
    assert "auto_pad" not in graph["nodes"][0]["attributes"]


def test_constants_become_weights_and_idle_operators_go(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.array([2], np.float32))),
        helper.make_node("Identity", ["x"], ["x1"]),
        helper.make_node("Mul", ["x1", "two"], ["twice"]),
        helper.make_node("Dropout", ["twice"], ["kept"]),
        helper.make_node("Relu", ["kept"], ["relu"]),
        helper.make_node("Identity", ["relu"], ["y"]),
    ]
    graph, weights = lowered(net(nodes), tmp_path)
    assert [(n["op"], n["inputs"], n["outputs"]) for n in graph["nodes"]] == [
        ("Mul", ["x", "two"], ["twice"]),
        ("Relu", ["twice"], ["y"]),
    ]
    assert {name: array.tolist() for name, array in weights.items()} == {"two": [2.0]}


def test_an_absent_optional_input_is_an_empty_string(net: Net, tmp_path: Path) -> None:
    node = helper.make_node("Clip", ["x", "", "six"], ["y"])
    graph, _ = lowered(net([node], {"six": np.float32(6)}), tmp_path)
    assert graph["nodes"][0]["inputs"] == ["x", "", "six"]


def test_older_opsets_are_brought_to_13(net: Net, tmp_path: Path) -> None:
    graph, weights = lowered(net([helper.make_node("Clip", ["x"], ["y"], min=0.0, max=6.0)], opset=9), tmp_path)
    [clip] = graph["nodes"]
    assert [float(weights[name]) for name in clip["inputs"][1:]] == [0.0, 6.0]


def test_what_a_plain_graph_cannot_carry_is_named(net: Net, tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    condition = {"c": np.array(True)}
    choice = helper.make_node("If", ["c"], ["y"], name="choose", then_branch=branch, else_branch=branch)
    with pytest.raises(UnsupportedModelError, match="If 'choose' has a graph attribute"):
        lower(net([choice], condition), "net", tmp_path)
    training = helper.make_node("Dropout", ["x", "", "c"], ["y"])
    with pytest.raises(UnsupportedModelError, match="Dropout drops out at inference"):
        lower(net([training], condition), "net", tmp_path)
    with pytest.raises(UnsupportedModelError, match="'y' is an input, a constant or another output"):
        lower(net([helper.make_node("Identity", ["x"], ["y"])]), "net", tmp_path)
    tanh = helper.make_node("Gelu", ["x"], ["y"], approximate="tanh")
    with pytest.raises(UnsupportedModelError, match="Gelu is approximated by tanh"):
        lower(net([tanh], opset=20), "net", tmp_path)


def test_layers_of_later_opsets_stay_whole(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("LayerNormalization", ["x", "w", "b"], ["n"], axis=3),
        helper.make_node("Gelu", ["n"], ["g"]),
        helper.make_node("HardSwish", ["g"], ["h"]),
        helper.make_node("ReduceMean", ["h", "axes"], ["y"], keepdims=0),
    ]
    weights = {"w": np.ones(8, np.float32), "b": np.zeros(8, np.float32), "axes": np.array([2, 3])}
    graph, _ = lowered(net(nodes, weights, opset=20, out=["N", 4]), tmp_path)
    assert [node["op"] for node in graph["nodes"]] == ["LayerNormalization", "Gelu", "HardSwish", "ReduceMean"]
    assert graph["nodes"][0]["attributes"]["axis"] == -1
    assert graph["nodes"][3]["inputs"] == ["h"]
    assert graph["nodes"][3]["attributes"] == {"axes": [2, 3], "keepdims": 0}


@pytest.mark.parametrize(
    ("inputs", "axis"), [(["x", "w", "b"], 2), (["x", "w8"], -1)], ids=["over two axes", "without a shift"]
)
def test_layer_norms_that_frameworks_have_no_layer_for_are_named(
    net: Net, tmp_path: Path, inputs: list[str], axis: int
) -> None:
    node = helper.make_node("LayerNormalization", inputs, ["y"], axis=axis)
    weights = {name: np.ones((8,) if name == "w8" else (8, 8), np.float32) for name in inputs[1:]}
    with pytest.raises(UnsupportedModelError, match="LayerNormalization is other than a scaled and shifted one"):
        lower(net([node], weights, opset=17), "net", tmp_path)


def test_what_operators_go_by_are_attributes_if_it_is_constant(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Slice", ["x", "from", "to", "axes"], ["part"]),
        helper.make_node("Pad", ["part", "pads", "value"], ["padded"]),
        helper.make_node("Split", ["padded", "sizes"], ["a", "b"], axis=1),
        helper.make_node("ReduceSum", ["a"], ["sum"]),
        helper.make_node("Add", ["sum", "b"], ["y"]),
    ]
    numbers = {"from": [0], "to": [4], "axes": [2], "pads": [0, 0, 0, 0, 0, 0, 4, 0], "sizes": [1, 3]}
    weights: dict[str, NDArray[np.generic]] = {name: np.array(value) for name, value in numbers.items()}
    graph, kept = lowered(net(nodes, weights | {"value": np.float32(1)}, out=["N", 3, 8, 8]), tmp_path)
    part, padded, parts, total, _ = graph["nodes"]
    assert part["attributes"] == {"starts": [0], "ends": [4], "axes": [2]}
    assert padded["attributes"] == {"mode": "constant", "pads": numbers["pads"], "value": 1.0}
    assert parts["attributes"] == {"axis": 1, "split": [1, 3]}
    assert total["attributes"]["axes"] == [0, 1, 2, 3]
    assert all(len(node["inputs"]) == 1 for node in (part, padded, parts, total))
    assert not kept, "nobody reads them"


def test_a_resize_tells_sizes_and_scales(net: Net, tmp_path: Path) -> None:
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear")
    graph, _ = lowered(net([node], {"sizes": np.array([1, 4, 16, 12])}, out=["N", 4, 16, 12]), tmp_path)
    attributes = graph["nodes"][0]["attributes"]
    assert (attributes["sizes"], attributes["scales"]) == ([16, 12], [2.0, 1.5])


@pytest.mark.parametrize(
    ("way", "nearest", "scale", "repeats"),
    [
        ("asymmetric", "floor", 2, [2, 2]),
        ("half_pixel", "round_prefer_floor", 3, [3, 3]),
        ("asymmetric", "ceil", 2, None),
        ("asymmetric", "round_prefer_floor", 3, None),
        ("half_pixel", "floor", 2, None),
        ("align_corners", "round_prefer_floor", 2, None),
        ("asymmetric", "floor", 1.5, None),
    ],
)
def test_a_resize_repeats_pixels_only_where_onnx_does(
    net: Net, tmp_path: Path, way: str, nearest: str, scale: float, repeats: list[int] | None
) -> None:
    node = helper.make_node(
        "Resize", ["x", "", "scales"], ["y"], coordinate_transformation_mode=way, nearest_mode=nearest
    )
    model = net([node], {"scales": np.array([1, 1, scale, scale], np.float32)}, out=["N", 4, *[int(8 * scale)] * 2])
    graph, _ = lowered(model, tmp_path)
    assert graph["nodes"][0]["attributes"]["repeats"] == repeats
    x = np.arange(256, dtype=np.float32).reshape(1, 4, 8, 8)
    [y] = ReferenceEvaluator(model).run(None, {"x": x})
    if repeats:
        np.testing.assert_array_equal(y, x.repeat(repeats[0], axis=2).repeat(repeats[1], axis=3))


def test_a_global_pool_over_one_axis_is_a_reduction(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "sizes"], ["rows"]),
        helper.make_node("GlobalMaxPool", ["rows"], ["y"]),
    ]
    graph, _ = lowered(net(nodes, {"sizes": np.array([0, 4, 64])}, out=["N", 4, 1]), tmp_path)
    pool = graph["nodes"][1]
    assert (pool["op"], pool["attributes"]) == ("ReduceMax", {"axes": [2], "keepdims": 1})
