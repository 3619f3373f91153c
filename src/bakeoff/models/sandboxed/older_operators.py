"""Single operators as older opsets write them, where only the notation changed.

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
AXES_OF_OTHERS_ARE_INPUTS = 18
"""... and those of the other reductions"""
SIZES_ARE_INPUTS = {"Slice": 10, "Pad": 11, "Resize": 11, "Split": 13}
"""the opset in which what these go by became inputs, and got the meaning that it still has"""
UPSAMPLE = 9
"""the one opset in which Upsample takes its scales as an input"""
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


def downgraded(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    """`node`, which means what it does at opset `current`, as `opset` writes it; None where this module has no way."""
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
    return _with(node, 1, {side: float(known.constants[name]) for side, name in given.items()})


def _softmax(node: NodeProto, current: int, _opset: int, known: Facts) -> NodeProto | None:
    """Over the last axis it is the same at every opset; over another it was not, before opset 13."""
    rank = known.ranks.get(node.input[0])
    given = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    axis = given[0] if given else (-1 if current >= AXES_ARE_INPUTS else 1)
    if rank is None or axis % rank != rank - 1:
        return None
    return _with(node, 1, {"axis": rank - 1})


def _with_axes(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    early = node.op_type in {"ReduceSum", "Squeeze", "Unsqueeze"}
    since = AXES_ARE_INPUTS if early else AXES_OF_OTHERS_ARE_INPUTS
    may_do_nothing = any(a.name == "noop_with_empty_axes" and a.i for a in node.attribute)
    axes = known.constants.get(node.input[1]) if len(node.input) > 1 else None
    if current < since or (may_do_nothing and (axes is None or axes.size == 0)):
        return None
    if opset >= since or len(node.input) == 1:
        return node
    if axes is None or (axes.size == 0 and not node.op_type.startswith("Reduce")):
        return None
    counted: Sequence[int] = [int(axis) for axis in axes.ravel()]
    if min(counted, default=0) < 0 and opset < ANY_NEGATIVE_AXIS:
        rank = known.ranks.get(node.input[0])
        if rank is None:
            return None
        full = rank + len(counted) if node.op_type == "Unsqueeze" else rank
        counted = [axis % full for axis in counted]
    return _with(node, 1, {"axes": counted} if counted else {})  # without axes, a reduction is over all


def _slice(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    """Bounds as attributes, which know no steps."""
    if current < SIZES_ARE_INPUTS["Slice"]:
        return None
    if opset >= SIZES_ARE_INPUTS["Slice"]:
        return node
    given = [known.constants.get(name) for name in node.input[1:] if name]
    if any(value is None for value in given) or len(given) != len(node.input) - 1:
        return None
    starts, ends, *rest = [[int(item) for item in value.ravel()] for value in given if value is not None]
    axes = rest[0] if rest else list(range(len(starts)))
    steps_forward = len(rest) < 2 or set(rest[1]) == {1}  # noqa: PLR2004
    if not steps_forward or (min(axes) < 0 and opset < ANY_NEGATIVE_AXIS):
        return None
    return _with(node, 1, {"starts": starts, "ends": ends, "axes": axes})


def _pad(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    if current < SIZES_ARE_INPUTS["Pad"] or len(node.input) > 3:  # noqa: PLR2004 - some axes only, since opset 18
        return None
    if opset >= SIZES_ARE_INPUTS["Pad"]:
        return node
    given = [known.constants.get(name) for name in node.input[1:] if name]
    if any(value is None for value in given):
        return None
    pads, *rest = [value for value in given if value is not None]
    value = float(rest[0].item()) if rest else 0.0
    return _with(node, 1, {"pads": [int(size) for size in pads], "value": value})


def _split(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    """Into equal parts as many as there are outputs, unless sizes are given."""
    if current < SIZES_ARE_INPUTS["Split"]:
        return None
    if opset >= SIZES_ARE_INPUTS["Split"] or len(node.input) == 1:
        return node
    sizes = known.constants.get(node.input[1])
    return None if sizes is None else _with(node, 1, {"split": [int(size) for size in sizes]})


def _resize(node: NodeProto, current: int, opset: int, known: Facts) -> NodeProto | None:
    """Before opset 11 there was the enlargement alone in which each value is repeated: Upsample."""
    if current < SIZES_ARE_INPUTS["Resize"]:
        return None
    if opset >= SIZES_ARE_INPUTS["Resize"]:
        return node
    how = {a.name: a.s.decode() for a in node.attribute if a.name.endswith("mode")}
    repeats = (
        how.get("mode", "nearest") == "nearest"
        and how.get("coordinate_transformation_mode") == "asymmetric"
        and how.get("nearest_mode") == "floor"
    )
    scales = known.constants.get(node.input[2]) if len(node.input) == 3 else None  # noqa: PLR2004
    if opset != UPSAMPLE or not repeats or scales is None or scales.size == 0 or scales.min() < 1:
        return None
    return helper.make_node("Upsample", [node.input[0], node.input[2]], node.output, node.name, mode="nearest")


def _with(node: NodeProto, inputs: int, attributes: Mapping[str, object]) -> NodeProto:
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
    "Pad": _pad,
    "ReduceL2": _with_axes,
    "ReduceMax": _with_axes,
    "ReduceMean": _with_axes,
    "ReduceMin": _with_axes,
    "ReduceProd": _with_axes,
    "ReduceSum": _with_axes,
    "Resize": _resize,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _with_axes,
    "Unsqueeze": _with_axes,
}
