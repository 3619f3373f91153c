"""Fusion: layer norms and GELU, which exporters decompose into single operators, as one operator each.

For engines that are built from plain graphs: their users write one layer where the file has nine operators. Runtimes
that read ONNX recognise the same patterns by themselves.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Node = dict[str, Any]


class _NoMatchError(Exception):
    """The operators do not stand as the pattern has them."""


class _Pattern:
    """Walks backwards from a node, and remembers which nodes it met."""

    def __init__(self, graph: "_Graph", last: Node) -> None:
        self.graph, self.last, self.met = graph, last, [last]

    def made_by(self, tensor: str, *operators: str) -> Node:
        """The node that makes `tensor`, if it is one of `operators`."""
        node = self.graph.maker.get(tensor)
        _must(node is not None and node["op"] in operators)
        assert node is not None  # noqa: S101 - checked above; said for the type checker
        self.met.append(node)
        return node

    def with_number(self, node: Node, *values: float) -> str:
        """The other operand of a node with a number, which must be one of `values` if there are any."""
        tensor, constant = self.with_constant(node)
        array = self.graph.weights[constant]
        _must(
            array.size == 1 and (not values or any(math.isclose(float(array.item()), v, rel_tol=1e-5) for v in values))
        )
        return tensor

    def with_constant(self, node: Node) -> tuple[str, str]:
        """The tensor and the constant that a node takes, in that order where it matters."""
        constants = [name for name in node["inputs"] if name in self.graph.weights]
        tensors = [name for name in node["inputs"] if name not in self.graph.weights]
        _must(len(constants) == 1 and len(tensors) == 1)
        _must(node["op"] in {"Add", "Mul"} or node["inputs"] == [*tensors, *constants])
        return tensors[0], constants[0]

    def averaged(self, node: Node) -> str:
        """What a ReduceMean over the last axis takes."""
        [tensor] = node["inputs"]
        last_axis = (-1, self.graph.ranks.get(tensor, 0) - 1)
        _must(
            node["attributes"].get("keepdims") == 1 and node["attributes"].get("axes") in ([each] for each in last_axis)
        )
        return str(tensor)

    def fused(self, op: str, inputs: Sequence[str], attributes: Mapping[str, Any]) -> Node:
        """The one node instead of those met, unless another node reads what they make."""
        inner = {name for node in self.met[1:] for name in node["outputs"]}
        numbers = {id(node) for node in self.met}
        _must(not inner & self.graph.outputs)
        _must(all(id(node) in numbers for node in self.graph.nodes if inner & set(node["inputs"])))
        return {**self.last, "op": op, "inputs": list(inputs), "attributes": dict(attributes)}


class _Graph:
    def __init__(
        self,
        nodes: Sequence[Node],
        weights: Mapping[str, NDArray[np.generic]],
        ranks: Mapping[str, int],
        outputs: set[str],
    ) -> None:
        self.nodes, self.weights, self.ranks, self.outputs = nodes, weights, ranks, outputs
        self.maker = {name: node for node in nodes for name in node["outputs"]}


def fuse(
    nodes: Sequence[Node],
    weights: Mapping[str, NDArray[np.generic]],
    ranks: Mapping[str, int],
    outputs: set[str],
) -> list[Node]:
    """The plain graph's `nodes` with each pattern as one node; `ranks` are of its tensors, as far as they are known."""
    graph = _Graph(nodes, weights, ranks, outputs)
    instead: dict[int, Node | None] = {}
    for node in nodes:
        for find in (_layer_norm, _gelu):
            pattern = _Pattern(graph, node)
            try:
                found = find(pattern)
            except _NoMatchError:
                continue
            instead |= {id(met): None for met in pattern.met} | {id(node): found}
    return [kept for node in nodes if (kept := instead.get(id(node), node)) is not None]


def _layer_norm(pattern: _Pattern) -> Node:
    """LayerNormalization of opset 17: (x - mean) / sqrt(variance + epsilon) * scale + shift."""
    _must(pattern.last["op"] == "Add")
    scaled, shift = pattern.with_constant(pattern.last)
    normed, scale = pattern.with_constant(pattern.made_by(scaled, "Mul"))
    _must(pattern.graph.weights[scale].ndim == pattern.graph.weights[shift].ndim == 1)
    centred, deviation = pattern.made_by(normed, "Div")["inputs"]
    positive = pattern.made_by(pattern.made_by(deviation, "Sqrt")["inputs"][0], "Add")
    variance, epsilon = pattern.with_number(positive), pattern.with_constant(positive)[1]
    squares = pattern.averaged(pattern.made_by(variance, "ReduceMean"))
    _must(pattern.with_number(pattern.made_by(squares, "Pow"), 2.0) == centred)
    x, mean = pattern.made_by(centred, "Sub")["inputs"]
    _must(pattern.averaged(pattern.made_by(mean, "ReduceMean")) == x)
    attributes = {"axis": -1, "epsilon": float(pattern.graph.weights[epsilon].item()), "stash_type": 1}
    return pattern.fused("LayerNormalization", [x, scale, shift], attributes)


def _gelu(pattern: _Pattern) -> Node:
    """Gelu of opset 20: x * (1 + erf(x / sqrt(2))) / 2."""
    _must(pattern.last["op"] == "Mul")
    for attempt, share, x in _halves(pattern):
        try:
            erf = attempt.made_by(attempt.with_number(attempt.made_by(share, "Add"), 1.0), "Erf")
            inner = attempt.made_by(erf["inputs"][0], "Div", "Mul")
            _must(attempt.with_number(inner, math.sqrt(2) if inner["op"] == "Div" else math.sqrt(0.5)) == x)
        except _NoMatchError:
            continue
        pattern.met = attempt.met
        return pattern.fused("Gelu", [x], {"approximate": "none"})
    raise _NoMatchError


def _halves(pattern: _Pattern) -> Iterator[tuple[_Pattern, str, str]]:
    """The ways to read the last Mul as half a product of two tensors, whichever two factors were multiplied first."""
    sides = pattern.last["inputs"]
    for half, x in (sides, sides[::-1]):
        with contextlib.suppress(_NoMatchError):
            attempt = _Pattern(pattern.graph, pattern.last)
            yield attempt, attempt.with_number(attempt.made_by(half, "Mul"), 0.5), x
    with contextlib.suppress(_NoMatchError):
        product = pattern.made_by(pattern.with_number(pattern.last, 0.5), "Mul")
        for share, x in (product["inputs"], product["inputs"][::-1]):
            attempt = _Pattern(pattern.graph, pattern.last)
            attempt.met.append(product)
            yield attempt, share, x


def _must(condition: bool) -> None:
    if not condition:
        raise _NoMatchError
