"""Where rounding to fp32 may change an integer output: which class is largest, to which side a number is rounded.

An integer follows from floats by comparing them with each other or with a border. Where these lie closer together than
rounding the model to fp32 moves them, engines rightly differ. Exact ties have a rule and leave nothing open.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

from bakeoff.models.sandboxed.opening import copy_of
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.rounding import RoundedModel

Array = NDArray[Any]

KEEP_ORDER = frozenset({"Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Cast", "Not"})
"""Operators that leave integers, and truths, in their places; a Cast of floats decides."""


def _to_the_best(values: Sequence[Array], node: NodeProto) -> Array:
    """From the best along an axis to the next best."""
    axis = _attribute(node, "axis", 0)
    sign = -1 if node.op_type == "ArgMax" else 1
    if values[0].shape[axis] < 2:  # noqa: PLR2004 - one value alone is the best
        return np.full_like(values[0], np.inf)
    best = np.sort(sign * values[0], axis=axis).take([0, 1], axis=axis)
    return np.diff(best, axis=axis)


def _to_the_neighbours(values: Sequence[Array], node: NodeProto) -> Array:
    """From each of the k largest or smallest to the nearer of those that are ranked beside it."""
    axis, k = _attribute(node, "axis", -1), int(np.asarray(values[1]).item())
    sign = -1 if _attribute(node, "largest", 1) else 1
    ranked = np.moveaxis(np.sort(sign * values[0], axis=axis), axis, -1)
    edge = np.full((*ranked.shape[:-1], 1), np.inf)
    gaps = np.concatenate([edge, np.diff(ranked, axis=-1), edge], axis=-1)
    nearer = np.minimum(gaps[..., :-1], gaps[..., 1:])[..., :k]
    return np.moveaxis(nearer, -1, axis)


DISTANCES: Mapping[str, Callable[[Sequence[Array], NodeProto], Array]] = {
    **dict.fromkeys(("ArgMax", "ArgMin"), _to_the_best),
    "TopK": _to_the_neighbours,
    **dict.fromkeys(
        ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"), lambda values, _: np.abs(values[0] - values[1])
    ),
    "Round": lambda values, _: np.abs(values[0] - np.floor(values[0]) - 0.5),
    **dict.fromkeys(("Floor", "Ceil", "Cast"), lambda values, _: np.abs(values[0] - np.rint(values[0]))),
}
"""operator -> of (inputs, node): how far each of its results is from another one"""


class UndecidedPlaces:
    """A model that tells, of each output, where rounding to fp32 may change it: bool; False all over for floats."""

    def __init__(self, model: ModelProto) -> None:
        self.count = len(model.graph.output)
        self.deciding = [_deciding(model, output.name) for output in model.graph.output]
        asked = copy_of(model)
        there = {output.name for output in model.graph.output}
        self.asked = list(dict.fromkeys(name for node in self.deciding if node for name in node.input if name))
        asked.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in self.asked if n not in there)
        self.names = [output.name for output in asked.graph.output]
        self.exact, self.rounded = Float64Model(asked), RoundedModel(asked, "fp32")

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """One bool array per output, in its shape."""
        exact, moved = (dict(zip(self.names, of(arrays), strict=True)) for of in (self.exact, self.rounded))
        outputs = [exact[name] for name in self.names[: self.count]]
        with np.errstate(invalid="ignore"):  # infinities, whose distance from each other is NaN: decided
            return [_undecided(output, node, exact, moved) for output, node in zip(outputs, self.deciding, strict=True)]


def _undecided(output: Array, node: NodeProto | None, exact: Mapping[str, Array], moved: Mapping[str, Array]) -> Array:
    nowhere: Array = np.zeros(output.shape, bool)
    if node is None or output.dtype.kind == "f":
        return nowhere
    values, rounded = ([of[name] for name in node.input if name] for of in (exact, moved))
    if values[0].dtype.kind != "f" or any(a.shape != b.shape for a, b in zip(values, rounded, strict=True)):
        return nowhere
    compared = slice(1 if node.op_type == "TopK" else None)
    moves = sum(_largest(np.abs(a - b)) for a, b in zip(values[compared], rounded[compared], strict=True))
    if len(values[compared]) == 1 and node.op_type in {"ArgMax", "ArgMin", "TopK"}:
        moves *= 2  # both of the values that are compared move
    distance, other = (DISTANCES[node.op_type](of, node) for of in (values, rounded))
    found: Array = (distance <= moves) & ~((distance == 0) & (other == 0))
    return found.reshape(output.shape) if found.size == output.size else nowhere


def _deciding(model: ModelProto, name: str) -> NodeProto | None:
    """The operator that makes integers or truths of floats on the way to `name`; None where there is none we know."""
    makers = {result: node for node in model.graph.node for result in node.output}
    node = makers.get(name)
    while node is not None:
        maker = makers.get(node.input[0]) if node.input else None
        if node.op_type == "Cast" and not (maker and maker.op_type in {*DISTANCES, *KEEP_ORDER}):
            return node
        if node.op_type not in KEEP_ORDER:
            ranks = node.op_type != "TopK" or node.output[1] == name
            return node if node.op_type in DISTANCES and ranks else None
        name, node = node.input[0], maker
    return None


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
