"""Single operators as older opsets write them, where only the notation changed.

ONNX's own converter knows no way down for these, and for whole models it gives up at the first such operator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from bakeoff.models.sandboxed.opening import OWN_DOMAINS, copy_of
from bakeoff.models.sandboxed.signature import stored_tensors

UPSAMPLE = 9
"""the one opset in which Upsample takes its scales as an input"""
LAST_AXIS_BY_DEFAULT = 13
"""the opset in which Softmax came to mean the last axis where none is given"""
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
    tensors = stored_tensors(graph)
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
    since, rewrite = REWRITES[node.op_type]
    if node.domain not in OWN_DOMAINS or current < since or _has_later_meaning(node, known):
        return None
    return node if 0 < since <= opset else rewrite(node, current, opset, known)


def _has_later_meaning(node: NodeProto, known: Facts) -> bool:
    """Whether it does what was not there before opset 18: nothing, where no axes are given; padding some axes only."""
    axes = _input(node, 1, known)
    if any(a.name == "noop_with_empty_axes" and a.i for a in node.attribute) and (axes is None or axes.size == 0):
        return True
    return node.op_type == "Pad" and len(node.input) > 3  # noqa: PLR2004


def _input(node: NodeProto, index: int, known: Facts) -> Array | None:
    """The constant that is input `index`; None where it is absent or computed."""
    return known.constants.get(node.input[index]) if index < len(node.input) else None


def _clip(node: NodeProto, _current: int, _opset: int, known: Facts) -> NodeProto | None:
    bounds = dict(zip(("min", "max"), node.input[1:], strict=False))
    given = {side: name for side, name in bounds.items() if name}
    if not all(name in known.constants for name in given.values()):
        return None
    return _with(node, {side: float(known.constants[name]) for side, name in given.items()})


def _softmax(node: NodeProto, current: int, _opset: int, known: Facts) -> NodeProto | None:
    """Over the last axis it is the same at every opset; over another it was not, before opset 13."""
    rank = known.ranks.get(node.input[0])
    given = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    axis = given[0] if given else (-1 if current >= LAST_AXIS_BY_DEFAULT else 1)
    if rank is None or axis % rank != rank - 1:
        return None
    return _with(node, {"axis": rank - 1})


def _axes(node: NodeProto, _current: int, opset: int, known: Facts) -> NodeProto | None:
    if len(node.input) == 1:
        return node
    axes = _input(node, 1, known)
    if axes is None or (axes.size == 0 and not node.op_type.startswith("Reduce")):
        return None
    counted: Sequence[int] = [int(axis) for axis in axes.ravel()]
    if min(counted, default=0) < 0 and opset < ANY_NEGATIVE_AXIS:
        rank = known.ranks.get(node.input[0])
        if rank is None:
            return None
        full = rank + len(counted) if node.op_type == "Unsqueeze" else rank
        counted = [axis % full for axis in counted]
    return _with(node, {"axes": counted} if counted else {})  # without axes, a reduction is over all


def _slice(node: NodeProto, _current: int, opset: int, known: Facts) -> NodeProto | None:
    """Bounds as attributes, which know no steps."""
    given = [known.constants.get(name) for name in node.input[1:] if name]
    if any(value is None for value in given) or len(given) != len(node.input) - 1:
        return None
    starts, ends, *rest = [[int(item) for item in value.ravel()] for value in given if value is not None]
    axes = rest[0] if rest else list(range(len(starts)))
    steps_forward = len(rest) < 2 or set(rest[1]) == {1}  # noqa: PLR2004
    if not steps_forward or (min(axes) < 0 and opset < ANY_NEGATIVE_AXIS):
        return None
    return _with(node, {"starts": starts, "ends": ends, "axes": axes})


def _pad(node: NodeProto, _current: int, _opset: int, known: Facts) -> NodeProto | None:
    given = [known.constants.get(name) for name in node.input[1:] if name]
    if any(value is None for value in given):
        return None
    pads, *rest = [value for value in given if value is not None]
    value = float(rest[0].item()) if rest else 0.0
    return _with(node, {"pads": [int(size) for size in pads], "value": value})


def _split(node: NodeProto, _current: int, _opset: int, known: Facts) -> NodeProto | None:
    """Into equal parts as many as there are outputs, unless sizes are given."""
    if len(node.input) == 1:
        return node
    sizes = _input(node, 1, known)
    return None if sizes is None else _with(node, {"split": [int(size) for size in sizes]})


def _resize(node: NodeProto, _current: int, opset: int, known: Facts) -> NodeProto | None:
    """Before opset 11 there was the enlargement alone in which each value is repeated: Upsample."""
    how = {"mode": "nearest"} | {a.name: a.s.decode() for a in node.attribute if a.name.endswith("mode")}
    repeats = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    scales = _input(node, 2, known) if len(node.input) == 3 else None  # noqa: PLR2004
    if opset != UPSAMPLE or how != repeats or scales is None or scales.size == 0 or scales.min() < 1:
        return None
    return helper.make_node("Upsample", [node.input[0], node.input[2]], node.output, node.name, mode="nearest")


def _with(node: NodeProto, attributes: Mapping[str, object]) -> NodeProto:
    """`node` with its first input alone, and with `attributes` besides its own."""
    renewed = copy_of(node)
    del renewed.input[1:]
    kept = [attribute for attribute in node.attribute if attribute.name not in attributes]
    del renewed.attribute[:]
    renewed.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in attributes.items())])
    return renewed


Rewrite = Callable[[NodeProto, int, int, Facts], NodeProto | None]
REWRITES: Mapping[str, tuple[int, Rewrite]] = {
    "Clip": (11, _clip),
    "Pad": (11, _pad),
    "Resize": (11, _resize),
    "Slice": (10, _slice),
    "Split": (13, _split),
    **dict.fromkeys(("LogSoftmax", "Softmax"), (0, _softmax)),
    **dict.fromkeys(("ReduceSum", "Squeeze", "Unsqueeze"), (13, _axes)),
    **dict.fromkeys(("ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"), (18, _axes)),
}
"""operator -> the opset in which what it goes by became inputs, with the meaning that it still has; and how a node is
written before that; 0 where only the meaning has changed"""
