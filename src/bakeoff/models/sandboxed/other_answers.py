"""What else an integer output may rightly be: the class next to the largest, the number on the other side of a border.

An integer follows from floats by comparing them with each other or with a border. Where these lie closer together than
rounding the model to fp32 moves them, engines rightly differ. Exact ties have a rule and leave one answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from bakeoff.models.sandboxed.opening import copy_of
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.rounding import RoundedModel

Array = NDArray[Any]

KEEP_PLACES = frozenset({"Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Cast", "Not"})
"""Operators that leave each value in its place; a Cast of floats decides."""


def _next_best(values: Sequence[Array], node: NodeProto) -> tuple[Array, Array]:
    axis = _attribute(node, "axis", 0)
    signed = -values[0] if node.op_type == "ArgMax" else values[0]
    if signed.shape[axis] < 2:  # noqa: PLR2004 - one value alone is the best
        only = np.zeros_like(signed, dtype=np.int64)
        return np.full_like(signed, np.inf), only
    order = np.argsort(signed, axis=axis, kind="stable").take([0, 1], axis=axis)
    return np.diff(np.take_along_axis(signed, order, axis=axis), axis=axis), order.take([1], axis=axis)


def _next_in_rank(values: Sequence[Array], node: NodeProto) -> tuple[Array, Array]:
    axis, k = _attribute(node, "axis", -1), int(np.asarray(values[1]).item())
    signed = np.moveaxis(-values[0] if _attribute(node, "largest", 1) else values[0], axis, -1)
    order = np.argsort(signed, axis=-1, kind="stable")
    edge = np.full((*signed.shape[:-1], 1), np.inf)
    gaps = np.concatenate([edge, np.diff(np.take_along_axis(signed, order, axis=-1), axis=-1), edge], axis=-1)
    before, after = gaps[..., :-1], gaps[..., 1:]
    ranks = np.arange(order.shape[-1])
    beside = np.clip(np.where(after <= before, ranks + 1, ranks - 1), 0, len(ranks) - 1)
    found = np.minimum(before, after), np.take_along_axis(order, beside, axis=-1)
    distance, other = (np.moveaxis(each[..., :k], -1, axis) for each in found)
    return distance, other


def _across_the_half(values: Sequence[Array], _node: NodeProto) -> tuple[Array, Array]:
    below, above = np.floor(values[0]), np.ceil(values[0])
    return np.abs(values[0] - below - 0.5), below + above - np.rint(values[0])


def _across_the_whole(values: Sequence[Array], node: NodeProto) -> tuple[Array, Array]:
    """Of Floor, Ceil and the truncation of a Cast; a Cast to truths has its border at zero."""
    x, border = values[0], np.rint(values[0])
    if node.op_type == "Cast" and _attribute(node, "to", 0) == TensorProto.BOOL:
        return np.abs(x), (x == 0).astype(x.dtype)
    result, step = {
        "Floor": (np.floor(x), np.ones_like(x)),
        "Ceil": (np.ceil(x), -np.ones_like(x)),
        "Cast": (np.trunc(x), np.sign(border)),
    }[node.op_type]
    return np.abs(x - border), np.where(result == border, border - step, border)


def _otherwise(opposite: Callable[[Array, Array], Array]) -> "Decision":
    return lambda values, _node: (np.abs(values[0] - values[1]), opposite(values[0], values[1]))


Decision = Callable[[Sequence[Array], NodeProto], tuple[Array, Array]]
DECISIONS: Mapping[str, Decision] = {
    **dict.fromkeys(("ArgMax", "ArgMin"), _next_best),
    "TopK": _next_in_rank,
    "Greater": _otherwise(np.less_equal),
    "GreaterOrEqual": _otherwise(np.less),
    "Less": _otherwise(np.greater_equal),
    "LessOrEqual": _otherwise(np.greater),
    "Equal": _otherwise(np.not_equal),
    "Round": _across_the_half,
    **dict.fromkeys(("Floor", "Ceil", "Cast"), _across_the_whole),
}
"""operator -> of (inputs, node): how far each of its results is from the next other one, and that"""


class OtherAnswers:
    """A model that tells, of each output, what else rounding to fp32 may make of it."""

    def __init__(self, model: ModelProto) -> None:
        self.count = len(model.graph.output)
        self.paths = [_path(model, output.name) for output in model.graph.output]
        asked = copy_of(model)
        there = {output.name for output in model.graph.output}
        names = dict.fromkeys(name for path in self.paths if path for name in path[0].input if name)
        asked.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name not in there)
        self.names = [output.name for output in asked.graph.output]
        self.exact, self.rounded = Float64Model(asked), RoundedModel(asked, "fp32")

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """One array per output, in its shape: integers or truths, the answer itself where there is no other one.

        Of floats it is False all over, which takes no space.
        """
        exact, moved = (dict(zip(self.names, of(arrays), strict=True)) for of in (self.exact, self.rounded))
        outputs = [exact[name] for name in self.names[: self.count]]
        with np.errstate(invalid="ignore"):  # infinities, whose distance from each other is NaN: decided
            return [_other(output, path, exact, moved) for output, path in zip(outputs, self.paths, strict=True)]


def _other(output: Array, path: Sequence[NodeProto], exact: Mapping[str, Array], moved: Mapping[str, Array]) -> Array:
    if output.dtype.kind == "f":
        return np.zeros(output.shape, bool)
    if not path:
        return output
    node, *after = path
    values, rounded = ([of[name] for name in node.input if name] for of in (exact, moved))
    if values[0].dtype.kind != "f" or any(a.shape != b.shape for a, b in zip(values, rounded, strict=True)):
        return output
    compared = slice(1 if node.op_type == "TopK" else None)
    moves = sum(_largest(np.abs(a - b)) for a, b in zip(values[compared], rounded[compared], strict=True))
    if node.op_type in {"ArgMax", "ArgMin", "TopK"}:
        moves *= 2  # both of the values that are compared move
    (distance, other), (distance_moved, _) = (DECISIONS[node.op_type](of, node) for of in (values, rounded))
    if other.size != output.size:
        return output
    is_open = (distance <= moves) & ~((distance == 0) & (distance_moved == 0))
    for each in (node, *after):
        if each.op_type == "Cast":
            other = other.astype(helper.tensor_dtype_to_np_dtype(_attribute(each, "to", 0)))
        elif each.op_type == "Not":
            other = ~other
    found: Array = np.where(is_open.reshape(output.shape), other.reshape(output.shape), output)
    return found.astype(output.dtype)


def _path(model: ModelProto, name: str) -> list[NodeProto]:
    """The operators from the one that makes integers or truths of floats to output `name`; none where we know none."""
    makers = {result: node for node in model.graph.node for result in node.output}
    path: list[NodeProto] = []
    while (node := makers.get(name)) is not None and node.op_type in KEEP_PLACES:
        path.insert(0, node)
        name = node.input[0]
    if node is not None and node.op_type in DECISIONS and (node.op_type != "TopK" or node.output[1] == name):
        return [node, *path]
    casts = [at for at, each in enumerate(path) if each.op_type == "Cast"]
    return path[casts[0] :] if casts else []


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
