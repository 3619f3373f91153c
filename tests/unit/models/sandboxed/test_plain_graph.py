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
from bakeoff.models.sandboxed.plain_node import Lowering

Net = Callable[..., onnx.ModelProto]
KERNEL = np.ones((4, 4, 3, 3), np.float32)

pytestmark = pytest.mark.unit


def lowered(model: onnx.ModelProto, folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    lower(model, "net", folder)
    with np.load(folder / "weights.npz", allow_pickle=False) as weights:
        return json.loads((folder / "graph.json").read_text(encoding="utf-8")), dict(weights)


def test_a_resnet_comes_out_as_documented(tiny: onnx.ModelProto, tmp_path: Path) -> None:
    graph, weights = lowered(tiny, tmp_path)
    assert graph["schema"] == 3
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
    assert pool == window
    assert transpose == {"perm": [3, 2, 1, 0]}
    assert softmax == {"axis": 3}


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


def test_an_absent_optional_input_is_an_empty_string(net: Net) -> None:
    node = helper.make_node("Sometime", ["x", "", "six"], ["y"])
    lowering = Lowering(net([helper.make_node("Relu", ["x"], ["y"])], {"six": np.float32(6)}))
    lowering.put("Sometime", "name", node.input, node.output, {})
    lowering.put("Sometime", "name", ["x", "", ""], ["z"], {})
    assert [made["inputs"] for made in lowering.nodes] == [["x", "", "six"], ["x"]]


def test_older_opsets_are_brought_to_13(net: Net, tmp_path: Path) -> None:
    graph, _ = lowered(net([helper.make_node("Clip", ["x"], ["y"], min=0.0, max=6.0)], opset=9), tmp_path)
    assert [node["attributes"] for node in graph["nodes"]] == [{"min": 0.0, "max": 6.0}]


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
    with pytest.raises(UnsupportedModelError, match="operator Reshape takes computed sizes"):
        lower(net([helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64), reshape("i")]), "net", tmp_path)


def reshape(sizes: str) -> onnx.NodeProto:
    return helper.make_node("Reshape", ["x", sizes], ["y"])


def test_an_output_that_is_an_input_is_a_copy_of_it(net: Net, tmp_path: Path) -> None:
    graph, _ = lowered(net([helper.make_node("Identity", ["x"], ["y"])]), tmp_path)
    assert [(node["op"], node["inputs"], node["outputs"]) for node in graph["nodes"]] == [("Identity", ["x"], ["y"])]


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
    ("inputs", "axis", "shape"), [(["x", "w", "b"], 2, (8, 8)), (["x", "w"], -1, (8,))], ids=["two axes", "no shift"]
)
def test_a_layer_norm_tells_how_many_axes_it_is_over(
    net: Net, tmp_path: Path, inputs: list[str], axis: int, shape: tuple[int, ...]
) -> None:
    node = helper.make_node("LayerNormalization", inputs, ["y"], axis=axis)
    weights = {name: np.ones(shape, np.float32) for name in inputs[1:]}
    graph, kept = lowered(net([node], weights, opset=17), tmp_path)
    [norm] = graph["nodes"]
    assert norm["attributes"]["axis"] == -len(shape)
    assert [kept[name].shape for name in norm["inputs"][1:]] == [shape, shape]


def test_operators_that_onnx_defines_by_others_are_written_as_these(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("RMSNormalization", ["x", "w"], ["n"]),
        helper.make_node("Gelu", ["n"], ["g"], approximate="tanh"),
        helper.make_node("LogSoftmax", ["g"], ["y"]),
    ]
    graph, _ = lowered(net(nodes, {"w": np.ones(8, np.float32)}, opset=23), tmp_path)
    assert not {"RMSNormalization", "Gelu", "LogSoftmax", "CastLike"} & {node["op"] for node in graph["nodes"]}


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
    assert part["attributes"] == {"starts": [0], "ends": [4], "axes": [2], "steps": [1]}
    assert padded["attributes"] == {"pads": numbers["pads"], "value": 1.0}
    assert parts["attributes"] == {"axis": 1, "split": [1, 3]}
    assert total["attributes"]["axes"] == [0, 1, 2, 3]
    assert all(len(node["inputs"]) == 1 for node in (part, padded, parts, total))
    assert not kept, "nobody reads them"


@pytest.mark.parametrize("place", ["half_pixel", "align_corners"])
def test_a_resize_tells_its_way_and_sizes(net: Net, tmp_path: Path, place: str) -> None:
    how = {"mode": "linear", "coordinate_transformation_mode": place}
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **how)
    graph, _ = lowered(net([node], {"sizes": np.array([1, 4, 16, 12])}, out=["N", 4, 16, 12]), tmp_path)
    assert graph["nodes"][0]["attributes"] == {"way": place, "sizes": [16, 12], "repeats": None}


@pytest.mark.parametrize(
    "how",
    [
        {"mode": "linear", "antialias": 1},
        {"mode": "cubic"},
        {"mode": "cubic", "exclude_outside": 1},
        {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    ],
)
def test_what_no_framework_resizes_so_is_weighed_axis_by_axis(net: Net, tmp_path: Path, how: dict[str, Any]) -> None:
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **how)
    model = net([node], {"scales": np.array([1, 1, 0.6, 1.7], np.float32)}, opset=19, out=["N", 4, 4, 13])
    graph, weights = lowered(model, tmp_path)
    x = np.random.default_rng(0).normal(size=(1, 4, 8, 8)).astype(np.float32)
    values: dict[str, Any] = {"x": x, **weights}
    for made in graph["nodes"]:
        inputs = [values[name] for name in made["inputs"]]
        turn = made["op"] == "Transpose"
        values[made["outputs"][0]] = (
            inputs[0].transpose(made["attributes"]["perm"]) if turn else inputs[0] @ inputs[1].T
        )
    [expected] = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(values["y"], expected, rtol=1e-5, atol=1e-5)


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
    assert {node["op"] for node in graph["nodes"]} == ({"Resize"} if repeats else {"Gather"})
    assert graph["nodes"][0]["attributes"].get("repeats") == repeats
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


def test_a_clip_without_bounds_is_gone(net: Net, tmp_path: Path) -> None:
    nodes = [helper.make_node("Clip", ["x"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    graph, _ = lowered(net(nodes), tmp_path)
    assert [(node["op"], node["inputs"]) for node in graph["nodes"]] == [("Relu", ["x"])]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "weight", "bias"),
    [
        ("Gemm", ["r", "w", "b"], {}, 1, 1),
        ("Gemm", ["r", "w"], {"alpha": 2.0}, 2, None),
        ("Gemm", ["r", "wt", "one"], {"transB": 1, "beta": 3.0}, 1, 3),
        ("MatMul", ["r", "w"], {}, 1, None),
    ],
)
def test_a_product_by_a_constant_matrix_is_a_linear_layer(
    net: Net, tmp_path: Path, op: str, inputs: list[str], attributes: dict[str, Any], weight: float, bias: float | None
) -> None:
    drawn = np.random.default_rng(0).normal(size=(256, 3)).astype(np.float32)
    weights = {"w": drawn, "wt": drawn.T.copy(), "b": np.ones(3, np.float32), "one": np.ones((1, 1), np.float32)}
    nodes = [helper.make_node("Flatten", ["x"], ["r"]), helper.make_node(op, inputs, ["y"], **attributes)]
    graph, kept = lowered(net(nodes, weights, out=["N", 3]), tmp_path)
    linear = graph["nodes"][-1]
    assert linear["op"] == "Linear"
    np.testing.assert_allclose(kept[linear["inputs"][1]].astype(float), weight * drawn.T)
    shifts = [kept[name].tolist() for name in linear["inputs"][2:]]
    assert shifts == ([] if bias is None else [[bias] * 3])


def test_integers_are_divided_by_an_operator_of_its_own(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT32),
        helper.make_node("Div", ["i", "two"], ["half"]),
        helper.make_node("Cast", ["half"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["f", "x"], ["y"]),
    ]
    graph, _ = lowered(net(nodes, {"two": np.array(2, np.int32)}), tmp_path)
    assert [node["op"] for node in graph["nodes"]] == ["Cast", "IntegerDiv", "Cast", "Div"]
    assert [node["attributes"] for node in graph["nodes"][::2]] == [{"to": "int32"}, {"to": "float32"}]


def test_indices_count_from_the_front(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["x", "ends"], ["a"], axis=-1),
        helper.make_node("Slice", ["a", "from", "to", "axes", "steps"], ["y"]),
    ]
    numbers = {"ends": [-1, 0], "from": [-1], "to": [-99], "axes": [2], "steps": [-3]}
    weights: dict[str, NDArray[np.generic]] = {name: np.array(value) for name, value in numbers.items()}
    graph, kept = lowered(net(nodes, weights, out=["N", 4, 3, 2]), tmp_path)
    assert [(node["op"], node["attributes"]["axis"]) for node in graph["nodes"]] == [("Gather", 3), ("Gather", 2)]
    assert [kept[node["inputs"][1]].tolist() for node in graph["nodes"]] == [[7, 0], [7, 4, 1]]


def test_computed_indices_are_turned_to_the_front_as_they_come(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "ids"], ["y"]),
    ]
    graph, kept = lowered(net(nodes, {"table": np.ones((10, 2), np.float32)}, out=["N", 4, 8, 8, 2]), tmp_path)
    assert [node["op"] for node in graph["nodes"]] == ["Cast", "Less", "Add", "Where", "Gather"]
    assert 10 in [value.tolist() for value in kept.values()]


def test_ceil_mode_becomes_pads_and_parts_have_sizes(net: Net, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        helper.make_node("Split", ["p"], ["a", "b", "c"], axis=1, num_outputs=3),
        helper.make_node("Concat", ["a", "b", "c"], ["y"], axis=-3),
    ]
    graph, _ = lowered(net(nodes, opset=18, out=["N", 4, 4, 4]), tmp_path)
    pool, split, concat = (node["attributes"] for node in graph["nodes"])
    assert pool["pads"] == [0, 0, 1, 1]
    assert split == {"axis": 1, "split": [2, 2, 0]}
    assert concat == {"axis": 1}


def test_an_average_that_no_framework_takes_is_put_right_by_a_factor(net: Net, tmp_path: Path) -> None:
    node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], pads=[0, 0, 1, 1])
    graph, weights = lowered(net([node]), tmp_path)
    pool, factor = graph["nodes"]
    assert (pool["attributes"]["count_include_pad"], factor["op"]) == (1, "Mul")
    rows = weights[factor["inputs"][1]]
    assert [rows[0, 0], rows[0, -1], rows[-1, -1]] == [1, 2, 4]


def test_the_size_of_a_transposed_convolution_is_told_by_its_pads(net: Net, tmp_path: Path) -> None:
    how = {"strides": [2, 2], "output_shape": [16, 18]}
    graph, _ = lowered(net([helper.make_node("ConvTranspose", ["x", "w"], ["y"], **how)], {"w": KERNEL}), tmp_path)
    attributes = graph["nodes"][0]["attributes"]
    assert attributes["pads"] == [1, 0, 0, 0]
    assert attributes["output_padding"] == [0, 1]
    assert "output_shape" not in attributes
