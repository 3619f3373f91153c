"""Which axis counts samples, and how large the others are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.models.sandboxed.shaping import batch_axes, shape
from bakeoff.models.sandboxed.signature import Declared, inspect
from bakeoff.records import Shaping

pytestmark = pytest.mark.unit

Axes = Sequence[int | str | None]


def tensors(**inputs: Axes) -> list[Declared]:
    return [
        Declared(name=name, dtype="float32", axes=tuple("?" if axis is None else axis for axis in axes))
        for name, axes in inputs.items()
    ]


def network(
    nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Axes], outputs: Mapping[str, Axes], **weights: object
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def relu(axes: Axes) -> onnx.ModelProto:
    return network([helper.make_node("Relu", ["x"], ["y"])], {"x": axes}, {"y": axes})


def shapes(model: onnx.ModelProto, wish: Shaping | None = None, **data: Sequence[int]) -> tuple[list[object], ...]:
    """What comes of inputs and outputs."""
    found = inspect(shape(model, wish or Shaping(), data), Path())
    return [spec.shape for spec in found.inputs], [spec.shape for spec in found.outputs]


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({"x": [None, 3, None, None]}, {"x": 0}),
        ({"x": ["p2o.DynamicDimension.0", 3, "p2o.DynamicDimension.1", 4]}, {"x": 0}),
        ({"ids": ["batch", "sequence"], "mask": ["batch", "sequence"]}, {"ids": 0, "mask": 0}),
        ({"x": ["seq_len", "batch_size", 40], "lengths": ["batch_size"]}, {"x": 1, "lengths": 0}),
        ({"x": ["N", 3], "h": [2, "N", 64], "threshold": []}, {"x": 0, "h": 1}),
        ({"image": ["height", "width", 3]}, {}),
        ({"x": [1, 3, 224, 224]}, {}),
    ],
)
def test_the_batch_axis_is_found(inputs: Mapping[str, Axes], found: Mapping[str, int]) -> None:
    assert batch_axes(tensors(**inputs)) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["none"], {}),
        (["1"], {"x": 1, "h": 1}),
        (["x=0"], {"x": 0}),
        (["x=0", "h=1"], {"x": 0, "h": 1}),
        (["people"], {"x": 1, "h": 1}),
    ],
)
def test_the_batch_axis_can_be_named(asked: Sequence[str], found: Mapping[str, int]) -> None:
    assert batch_axes(tensors(x=["time", "people", 40], h=[2, "people", 64]), asked) == found


@pytest.mark.parametrize("asked", ["7", "x=2", "nobody", "z=0", "x=nobody"])
def test_a_batch_axis_that_cannot_be_is_refused(asked: str) -> None:
    with pytest.raises(ModelError, match=f"--batch-axis {asked}"):
        batch_axes(tensors(x=["time", "people", 40]), [asked])


def test_sizes_are_written_in_and_the_batch_axis_alone_stays_open() -> None:
    model = shape(relu(["N", 3, "h", "w"]), Shaping(shapes={"x": (1, 3, 32, 64)}), {})
    assert inspect(model, Path()).inputs[0].shape == (None, 3, 32, 64)
    assert inspect(model, Path()).outputs[0].shape == (None, 3, 32, 64)


def test_what_stays_open_is_asked_for_with_the_flag_to_give() -> None:
    with pytest.raises(ModelError, match=r"how large axis 2 \(h\) of x, axis 3 of x are") as caught:
        shape(relu(["N", 3, "h", None]), Shaping(), {})
    assert "--shape x=1x3x224x224" in str(caught.value.advice)


def test_a_size_for_the_batch_axis_by_its_name_is_refused() -> None:
    with pytest.raises(ModelError, match=r"--shape N=\.\.\.: that is the batch axis"):
        shape(relu(["N", 3, 8, 8]), Shaping(shapes={"N": (4,)}), {})


def test_an_axis_of_several_inputs_is_said_once() -> None:
    add = helper.make_node("Add", ["a", "b"], ["y"])
    model = network([add], {"a": ["N", "tokens"], "b": ["N", "tokens"]}, {"y": ["N", "tokens"]})
    with pytest.raises(ModelError) as caught:
        shape(model, Shaping(), {})
    assert "--shape tokens=128 (" in str(caught.value.advice)
    for wish in ({"tokens": (16,)}, {"a": (1, 16)}):
        assert shapes(model, Shaping(shapes=wish)) == ([(None, 16), (None, 16)], [(None, 16)])
    with pytest.raises(ModelError, match="axis 'tokens' cannot be 9 in b and 16 elsewhere"):
        shape(model, Shaping(shapes={"a": (1, 16), "b": (1, 9)}), {})


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((1, 4, 8, 8), "axis 1 of x float32 .* is fixed at 3: 1x4x8x8 cannot be"),
        ((1, 3, 8), "x has 4 axes, and 1x3x8 has 3"),
        ((2, 3, 8, 8), "axis 0 is the batch axis"),
        ((1, 3, 10**5, 10**5), "at most 256 can be raced"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(sizes: tuple[int, ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        shape(relu(["N", 3, "h", "w"]), Shaping(shapes={"x": sizes}), {})


def test_an_axis_has_one_size() -> None:
    with pytest.raises(ModelError, match="--shape h=1x8: h is an axis"):
        shape(relu(["N", 3, "h"]), Shaping(shapes={"h": (1, 8)}), {})


def test_a_shape_for_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match=r"called 'z'; the inputs are x float32 \[N, 3\]"):
        shape(relu(["N", 3]), Shaping(shapes={"z": (1, 3)}), {})


def test_real_inputs_say_how_large_the_axes_are() -> None:
    assert shapes(relu(["N", 3, "h", "w"]), x=(20, 3, 5, 7)) == ([(None, 3, 5, 7)], [(None, 3, 5, 7)])


def test_without_a_batch_axis_a_model_has_one_batch_size() -> None:
    for axes, size in ([4, 3], 4), ([7], 1):
        found = inspect(shape(relu(axes), Shaping(), {}), Path())
        assert (found.inputs[0].shape, found.outputs[0].shape, found.fixed_batch) == (tuple(axes), tuple(axes), size)
    fixed = inspect(shape(relu(["N", 3]), Shaping(shapes={"x": (5, 3)}, batch_axis=("none",)), {}), Path())
    assert fixed.fixed_batch == 5


def test_an_output_may_have_its_batch_axis_elsewhere() -> None:
    turn = helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])
    assert shapes(network([turn], {"x": ["N", 3]}, {"y": ["a", "b"]})) == ([(None, 3)], [(3, None)])


def test_an_output_that_mixes_samples_is_refused_with_the_way_out() -> None:
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[0])
    model = network([mean], {"x": ["N", 3]}, {"y": [1, 3]})
    with pytest.raises(
        UnsupportedModelError, match=r"'y' has no batch axis.*1x3 at batch 2 and 1x3 at batch 3"
    ) as caught:
        shape(model, Shaping(), {})
    assert "--batch-axis none" in str(caught.value.advice)
    assert shapes(model, Shaping(shapes={"x": (4, 3)}, batch_axis=("none",))) == ([(4, 3)], [(1, 3)])


def test_an_output_whose_shape_cannot_be_inferred_is_found_by_trying() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["f"], ["i"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["x", "i"], ["y"]),
    ]
    assert shapes(network(nodes, {"x": ["N", 3]}, {"y": ["a", "b"]})) == ([(None, 3)], [(None, 3)])


@given(st.lists(st.sampled_from(["N", "batch", "h", "?", 3, 7]), max_size=5), st.lists(st.integers(0, 9), max_size=6))
def test_whatever_is_asked_is_settled_or_refused(axes: list[int | str], sizes: list[int]) -> None:
    """No other error gets out, whatever the model declares and the user says."""
    model = relu([None if axis == "?" else axis for axis in axes])
    wish = Shaping(shapes={"x": tuple(size or 1 for size in sizes)} if sizes else {})
    try:
        found = inspect(shape(model, wish, {}), Path())
    except ModelError:
        return
    assert all(size is None or size > 0 for size in found.inputs[0].shape)
    assert found.inputs[0].shape.count(None) == (0 if found.fixed_batch else 1)
