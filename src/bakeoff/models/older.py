"""Single operators said as older opsets say them, where only the way of saying it changed. Runs in a model worker.

ONNX's own converter knows no way down for these, and for whole models it gives up at the first such operator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

BOUNDS_ARE_INPUTS = 11
"""the opset in which Clip's bounds became inputs"""
AXES_ARE_INPUTS = 13
"""the opset in which the axes of Squeeze, Unsqueeze and ReduceSum became inputs"""
ANY_NEGATIVE_AXIS = 11
"""the first opset in which every axis may count from the end"""

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Facts:
    """What is known of a model's tensors before it runs."""

    constants: Mapping[str, Array]
    ranks: Mapping[str, int]


def facts(model: ModelProto) -> Facts:
    """The small constants of `model`, and how many axes its tensors have as far as ONNX can infer."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tensors |= {
        node.output[0]: node.attribute[0].t
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in [*graph.input, *graph.value_info, *graph.output]
        if value.type.tensor_type.HasField("shape")
    }
    return Facts(
        constants={name: numpy_helper.to_array(tensor) for name, tensor in tensors.items() if len(tensor.dims) <= 1},
        ranks=ranks | {name: len(tensor.dims) for name, tensor in tensors.items()},
    )


def said_before(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    """`node`, which means what it does at opset `current`, as `opset` says it; None where that is not known here."""
    if node.op_type not in REWRITES or node.domain not in {"", "ai.onnx"}:
        return None
    return REWRITES[node.op_type](node, current, opset, known)


def _clip(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    if current < BOUNDS_ARE_INPUTS:
        return None
    if opset >= BOUNDS_ARE_INPUTS:
        return node
    bounds = dict(zip(("min", "max"), node.input[1:], strict=False))
    given = {side: name for side, name in bounds.items() if name}
    if not all(name in known.constants for name in given.values()):
        return None
    return _renewed(node, 1, {side: float(known.constants[name]) for side, name in given.items()})


def _softmax(node: NodeProto, current: int, _opset: int, known: Facts) -> NodeProto | None:
    """Over the last axis it is the same at every opset; over another it was not, before opset 13."""
    rank = known.ranks.get(node.input[0])
    given = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    axis = given[0] if given else (-1 if current >= AXES_ARE_INPUTS else 1)
    if rank is None or axis % rank != rank - 1:
        return None
    return _renewed(node, 1, {"axis": rank - 1})


def _with_axes(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    if current < AXES_ARE_INPUTS or any(a.name == "noop_with_empty_axes" and a.i for a in node.attribute):
        return None
    if opset >= AXES_ARE_INPUTS or len(node.input) == 1:
        return node
    axes = known.constants.get(node.input[1])
    if axes is None:
        return None
    counted: Sequence[int] = [int(axis) for axis in axes.ravel()]
    if min(counted, default=0) < 0 and opset < ANY_NEGATIVE_AXIS:
        rank = known.ranks.get(node.input[0])
        if rank is None:
            return None
        full = rank + len(counted) if node.op_type == "Unsqueeze" else rank
        counted = [axis % full for axis in counted]
    return _renewed(node, 1, {"axes": counted})


def _renewed(node: NodeProto, inputs: int, attributes: Mapping[str, object]) -> NodeProto:
    """`node` with its first `inputs` alone, and with `attributes` besides its own."""
    renewed = NodeProto()
    renewed.CopyFrom(node)
    del renewed.input[inputs:]
    kept = [attribute for attribute in node.attribute if attribute.name not in attributes]
    del renewed.attribute[:]
    renewed.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in attributes.items())])
    return renewed


REWRITES: Mapping[str, Callable[[NodeProto, int, int, Facts], NodeProto | None]] = {
    "Clip": _clip,
    "LogSoftmax": _softmax,
    "ReduceSum": _with_axes,
    "Softmax": _softmax,
    "Squeeze": _with_axes,
    "Unsqueeze": _with_axes,
}
