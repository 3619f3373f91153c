import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bakeoff.errors import ModelError, NoReferenceError
from bakeoff.models.cached import load_arrays
from bakeoff.models.inputs import draw
from bakeoff.models.sandboxed import reference
from bakeoff.models.sandboxed.reference import Float64Model

Net = Callable[..., onnx.ModelProto]

pytestmark = pytest.mark.unit

RANDOM = np.random.RandomState(0)
X = RANDOM.random_sample((1, 4, 8, 8)).astype(np.float32)


def test_batch_norm_uses_the_stored_statistics_at_every_opset(net: Net) -> None:
    weights = {name: RANDOM.random_sample(4).astype(np.float32) + 0.5 for name in "sbmv"}
    scale, bias, mean, variance = (weights[name].astype(np.float64)[:, None, None] for name in "sbmv")
    expected = scale * (X.astype(np.float64) - mean) / np.sqrt(variance + float(np.float32(1e-5))) + bias
    for opset in (9, 13, 17):
        model = net([helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y"])], weights, opset)
        [y] = Float64Model(model)([X])
        assert np.abs(y - expected).max() < 1e-13


@pytest.mark.parametrize(
    ("x", "w", "attributes"),
    [
        ((2, 4, 9, 8), (6, 4, 3, 3), {}),
        ((2, 4, 9, 8), (6, 4, 3, 2), {"strides": [2, 1], "pads": [0, 1, 2, 0], "dilations": [1, 2]}),
        ((1, 6, 9, 9), (12, 1, 5, 5), {"group": 6, "pads": [2] * 4, "strides": [2, 2]}),
        ((1, 6, 9), (4, 3, 2), {"group": 2, "dilations": [3]}),
        ((1, 2, 4, 5, 6), (3, 2, 2, 2, 2), {}),
        ((1, 3, 9, 9), (2, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ],
)
def test_a_convolution_is_what_onnx_s_own_computes(
    x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, object]
) -> None:
    arrays = {"x": RANDOM.random_sample(x), "w": RANDOM.random_sample(w), "b": RANDOM.random_sample(w[0])}
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)
    doubles = [helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, a.shape) for name, a in arrays.items()]
    y = helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)
    model = helper.make_model(helper.make_graph([node], "g", doubles, [y]), opset_imports=[helper.make_opsetid("", 13)])
    [ours] = ReferenceEvaluator(model, new_ops=[reference.Conv]).run(None, arrays)
    [theirs] = ReferenceEvaluator(model).run(None, arrays)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_softmax_before_opset_13_flattens_first(net: Net) -> None:
    model = net([helper.make_node("Softmax", ["x"], ["y"], axis=1)], opset=11)
    [y] = Float64Model(model)([X])
    assert y.sum() == pytest.approx(1)


def test_everything_is_computed_in_float64(net: Net) -> None:
    third = helper.make_node("Constant", [], ["third"], value=numpy_helper.from_array(np.array([1 / 3], np.float32)))
    nodes = [
        third,
        helper.make_node("Mul", ["x", "third"], ["a"]),
        helper.make_node("Cast", ["a"], ["b"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Add", ["b", "w"], ["y"]),
    ]
    [y] = Float64Model(net(nodes, {"w": np.array([1e-12], np.float32)}))([X])
    assert y.dtype == np.float64
    assert np.array_equal(y, X.astype(np.float64) * float(np.float32(1 / 3)) + float(np.float32(1e-12)))


def test_a_tiny_resnet_agrees_with_float32_to_rounding(tiny: onnx.ModelProto) -> None:
    image = draw("float32", (3, 32, 32), seed=0, count=1)
    [exact] = Float64Model(tiny)([image])
    new_ops = [reference.BatchNormalization]
    [rounded] = onnx.reference.ReferenceEvaluator(tiny, new_ops=new_ops).run(None, {"input": image})
    error = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert 0 < error < 1e-5


def test_a_reference_grows_sample_by_sample_and_keeps_what_it_has(tiny: onnx.ModelProto, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", draw("float32", (3, 32, 32), seed=0, count=3))
    said: list[str] = []
    target = tmp_path / "reference.npz"
    reference.extend(tiny, [tmp_path / "x.npy"], 2, target, said.append)
    [two] = load_arrays(target)
    reference.extend(tiny, [tmp_path / "x.npy"], 3, target, said.append)
    [three] = load_arrays(target)
    assert said == ["reference 1 of 2", "reference 2 of 2", "reference 3 of 3"]
    assert three.shape == (3, 10)
    assert np.array_equal(three[:2], two)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (helper.make_node("QuantizeLinear", ["x", "s"], ["y"]), "QuantizeLinear computes on quantized values"),
        (helper.make_node("FusedConv", ["x", "s"], ["y"], domain="com.microsoft"), "com.microsoft.FusedConv"),
        (helper.make_node("NoSuchOperator", ["x"], ["y"]), "NoSuchOperator"),
    ],
)
def test_an_operator_without_a_reference_is_named(net: Net, node: onnx.NodeProto, why: str) -> None:
    model = net([node], {"s": np.float32(1)})
    with pytest.raises(NoReferenceError, match=why):
        Float64Model(model)([X])


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "dropped"),
    [
        ("LSTM", "xwrbl", {"hidden_size": 3}, "sequence_lens"),
        ("LSTM", "xwr", {"hidden_size": 3, "clip": 1.0}, "clip"),
        ("LSTM", "xwr", {"hidden_size": 3, "input_forget": 1}, "input_forget"),
        ("GRU", "xwr", {"hidden_size": 3, "activations": ["HardSigmoid", "Tanh"]}, "activations"),
        ("RNN", "xwrbl", {"hidden_size": 3}, "sequence_lens"),
    ],
)
def test_what_onnx_s_reference_drops_is_no_reference(
    net: Net, operator: str, inputs: str, attributes: dict[str, object], dropped: str
) -> None:
    model = net([helper.make_node(operator, list(inputs), ["y"], **attributes)])
    with pytest.raises(NoReferenceError, match=f"ignores {dropped} of operator {operator}"):
        Float64Model(model)


def test_what_it_would_do_anyway_is_not_dropped(net: Net) -> None:
    both = {"activations": ["Sigmoid", "Tanh", "Tanh"] * 2, "direction": "bidirectional", "input_forget": 0}
    Float64Model(net([helper.make_node("LSTM", ["x", "w", "r", "", ""], ["y"], hidden_size=3, **both)]))


def test_all_that_onnx_s_reference_takes_and_does_not_read_is_known() -> None:
    """Held against its source: what a later version of onnx ignores, or reads, must change `IGNORED`."""
    for operator, known in reference.IGNORED.items():
        source = inspect.getsource(importlib.import_module(f"onnx.reference.ops.op_{operator.lower()}"))
        runs = [
            node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == "_run"
        ]
        taken = {argument.arg for run in runs for argument in run.args.args}
        names = {node.id for run in runs for node in ast.walk(run) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
        assert set(known) == taken - names - attributes - {"self", "hidden_size"}


def test_a_depth_may_be_an_array_of_one(net: Net) -> None:
    weights = {"depth": np.array([4], np.int64), "values": np.array([0, 1], np.float32)}
    nodes = [helper.make_node("Cast", ["x"], ["i"], to=onnx.TensorProto.INT64)]
    [y] = Float64Model(net([*nodes, helper.make_node("OneHot", ["i", "depth", "values"], ["y"])], weights))([X])
    assert y.shape == (*X.shape, 4)


@pytest.mark.parametrize(("early", "late"), [("bilinear", "linear"), ("bicubic", "cubic"), ("nearest", "nearest")])
def test_a_grid_is_sampled_by_the_names_of_either_opset(net: Net, early: str, late: str) -> None:
    grid = {"grid": RANDOM.random_sample((1, 8, 8, 2)).astype(np.float32)}
    [old], [new] = (
        Float64Model(net([helper.make_node("GridSample", ["x", "grid"], ["y"], mode=mode)], grid, opset))([X])
        for mode, opset in ((early, 16), (late, 20))
    )
    assert np.array_equal(old, new)


def test_an_output_that_changes_its_size_from_sample_to_sample_is_refused(net: Net, tmp_path: Path) -> None:
    model = net([helper.make_node("Compress", ["x", "c"], ["y"], axis=1), helper.make_node("Identity", ["k"], ["i"])])
    model.graph.node.insert(0, helper.make_node("Greater", ["row", "zero"], ["c"]))
    model.graph.node.insert(0, helper.make_node("ReduceMean", ["x"], ["row"], axes=[0, 2, 3], keepdims=0))
    model.graph.initializer.extend(numpy_helper.from_array(np.float32(0), name) for name in ("zero", "k"))
    np.save(tmp_path / "x.npy", draw("float32", (4, 8, 8), seed=0, count=8))
    with pytest.raises(ModelError, match="only outputs of the same size for every sample"):
        reference.extend(model, [tmp_path / "x.npy"], 8, tmp_path / "r.npz", lambda _: None)
