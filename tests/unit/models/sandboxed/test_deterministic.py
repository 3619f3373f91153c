"""Models exported in training mode, or with noise in them, are refused in words; all others are not."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from bakeoff.errors import ModelError, NoReferenceError
from bakeoff.models.sandboxed.deterministic import must_be_deterministic

Net = Callable[..., onnx.ModelProto]
make = helper.make_node

pytestmark = pytest.mark.unit

TRUE, FALSE = (numpy_helper.from_array(np.array(value)) for value in (True, False))


@pytest.mark.parametrize(
    "node",
    [
        make("Dropout", ["x", "ratio", "yes"], ["y"], name="drop"),
        make("Dropout", ["x", "ratio", "yes"], ["y"], name="drop", seed=7),
        make("Dropout", ["x", "ratio", "asked"], ["y"], name="drop"),
        make("BatchNormalization", ["x", *"sbmv"], ["y"], name="norm", training_mode=1),
        make("RandomNormalLike", ["x"], ["y"], name="noise"),
        make("RandomUniform", [], ["y"], name="noise", shape=[1], seed=1.0),
        make("Bernoulli", ["x"], ["y"], name="coin"),
    ],
)
def test_what_draws_or_trains_is_named_with_what_to_do(net: Net, node: onnx.NodeProto) -> None:
    model = net([make("Constant", [], ["yes"], value=TRUE), node], {"ratio": np.float32(0.5)})
    with pytest.raises(
        ModelError, match=f"operator {node.op_type} '{node.name}' (draws|is in training mode)"
    ) as caught:
        must_be_deterministic(model)
    assert not isinstance(caught.value, NoReferenceError)
    assert "model.eval()" in str(caught.value.advice)


def test_a_batch_norm_whose_statistics_are_used_trains(net: Net) -> None:
    results = ["y", "mean", "var", "saved_mean", "saved_var"]
    norm = make("BatchNormalization", ["x", *"sbmv"], results)
    must_be_deterministic(net([norm], opset=9))
    with pytest.raises(ModelError, match="operator BatchNormalization is in training mode"):
        must_be_deterministic(
            net([norm, make("Identity", ["var"], ["z"]), make("Add", ["z", "z"], ["mean2"])], opset=9)
        )


@pytest.mark.parametrize(
    "nodes",
    [
        [make("Dropout", ["x"], ["y"])],
        [make("Dropout", ["x", "ratio", ""], ["y"])],
        [make("Constant", [], ["no"], value=FALSE), make("Dropout", ["x", "ratio", "no"], ["y"])],
        [make("BatchNormalization", ["x", *"sbmv"], ["y"], training_mode=0)],
        [make("RandomNormalLike", ["x"], ["unused"]), make("Relu", ["x"], ["y"])],
    ],
)
def test_what_only_looks_so_is_taken(net: Net, nodes: list[onnx.NodeProto]) -> None:
    must_be_deterministic(net(nodes))


def test_noise_inside_a_branch_is_found(net: Net) -> None:
    value = helper.make_tensor_value_info("n", onnx.TensorProto.FLOAT, [1])
    branch = helper.make_graph([make("RandomNormal", [], ["n"], shape=[1])], "branch", [], [value])
    with pytest.raises(ModelError, match="RandomNormal draws random numbers"):
        must_be_deterministic(net([make("If", ["c"], ["y"], then_branch=branch, else_branch=branch)]))
