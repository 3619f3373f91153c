"""Arithmetic of ONNX's in a plain graph: two operands, their kinds told apart by name. Runs in a model worker."""

import functools
from typing import Any

import numpy as np

from bakeoff.models.sandboxed.plain_node import Node, Rewrite, Rewrites, numpy_type

MATRIX = 2


def _identity(node: Node) -> None:
    node.stand_for(node.inputs[0])


def _dropout(node: Node) -> None:
    """Refuses one that trains or whose mask is used."""
    mask = node.outputs[1] if len(node.outputs) > 1 else ""
    graph = node.lowering.graph
    used = {name for other in graph.node for name in other.input} | {output.name for output in graph.output}
    training = node.given(2)
    trains = training and (training not in node.lowering.weights or bool(node.lowering.weights[training]))
    if (mask and mask in used) or trains:
        raise node.unsupported("drops out at inference, or its mask is used")
    _identity(node)


def _cast(node: Node) -> None:
    to = numpy_type(node.attributes["to"])
    _to_type(node, to)


def _cast_like(node: Node) -> None:
    _to_type(node, node.dtype(1))


def _to_type(node: Node, to: str) -> None:
    if not to or not node.dtype():
        raise node.unsupported("is to or from a type that numpy does not have")
    if to == node.dtype():
        _identity(node)
    else:
        node.put("Cast", node.inputs[:1], to=to)


def _chain(op: str) -> Rewrite:
    """Of as many operands as there are: of the first two, of that and the third, and so on."""

    def rewrite(node: Node) -> None:
        if len(node.inputs) == 1:
            _identity(node)
            return
        *first, last = node.inputs
        shape = _broadcast(node, range(len(first)))
        node.put(op, [functools.reduce(lambda a, b: node.make(op, [a, b], shape), first), last])

    return rewrite


def _mean(node: Node) -> None:
    shape = _broadcast(node, range(len(node.inputs)))
    total = functools.reduce(lambda a, b: node.make("Add", [a, b], shape), node.inputs)
    node.put("Mul", [total, node.number(1 / len(node.inputs))])


def _broadcast(node: Node, operands: range) -> tuple[int | None, ...]:
    """The shape that operands of these numbers have together."""
    shapes = [node.shape(index)[::-1] for index in operands]
    longest = max(map(len, shapes))
    padded = [[*shape, *[1] * (longest - len(shape))] for shape in shapes]
    return tuple(next((size for size in ways if size != 1), 1) for ways in zip(*padded, strict=True))[::-1]


def _div(node: Node) -> None:
    """Of integers as in C, rounded towards zero."""
    node.put("Div" if node.dtype().startswith("float") else "IntegerDiv", node.inputs)


def _pow(node: Node) -> None:
    """Of two operands of one type: that of the base if it is a float, which the result has."""
    base, exponent = node.dtype(0), node.dtype(1)
    if not base or not exponent:
        raise node.unsupported("takes operands of unknown type")
    if base == exponent:
        node.put("Pow", node.inputs)
    elif exponent.startswith("float") and not base.startswith("float"):
        widened = node.make("Cast", node.inputs[:1], dtype=exponent, to=exponent)
        power = node.make("Pow", [widened, node.inputs[1]], _broadcast(node, range(2)))
        node.put("Cast", [power], to=base)
    elif node.is_constant(1):
        node.put("Pow", [node.inputs[0], node.number(node.constant(1))])
    else:
        node.put("Pow", [node.inputs[0], node.make("Cast", node.inputs[1:2], dtype=base, to=base)])


def _clip(node: Node) -> None:
    """Bounds are numbers, None where there is none; computed ones make it a Max and a Min."""
    bounds = [node.constant(i) if node.is_constant(i) else None for i in (1, 2)]
    computed = any(node.given(i) and not node.is_constant(i) for i in (1, 2))
    low, high = (None if bound is None else bound.item() for bound in bounds)
    if computed or (low is not None and high is not None and low > high):
        sides = [(op, node.given(i)) for op, i in (("Max", 1), ("Min", 2)) if node.given(i)]
        x = node.inputs[0]
        for op, bound in sides[:-1]:
            x = node.make(op, [x, bound])
        node.put(sides[-1][0], [x, sides[-1][1]])
    elif (low, high) == (None, None):
        _identity(node)
    else:
        node.put("Clip", node.inputs[:1], min=low, max=high)


def _prelu(node: Node) -> None:
    """With one slope, or one for each channel; with others it is told what to choose where."""
    slope = node.constant(1) if node.is_constant(1) else None
    channels = node.shape()[1] if node.rank() > 1 else None
    of_channels = slope is not None and slope.shape == (channels, *[1] * (node.rank() - 2))
    if slope is not None and (slope.size == 1 or of_channels):
        node.put("PRelu", [node.inputs[0], node.number(slope.ravel())])
        return
    negative = node.make("Less", [node.inputs[0], node.number(0)], dtype="bool")
    scaled = node.make("Mul", node.inputs)
    node.put("Where", [negative, scaled, node.inputs[0]])


def _is_inf(node: Node) -> None:
    signs = [(np.inf, node.attributes["detect_positive"]), (-np.inf, node.attributes["detect_negative"])]
    looked_for = [infinity for infinity, wanted in signs if wanted]
    if not looked_for:
        raise node.unsupported("looks for neither infinity")
    *first, last = [node.number(infinity) for infinity in looked_for]
    if first:
        found = [node.make("Equal", [node.inputs[0], number], dtype="bool") for number in (*first, last)]
        node.put("Or", found)
    else:
        node.put("Equal", [node.inputs[0], last])


# Products


def _matmul(node: Node) -> None:
    """By a constant matrix it is a linear layer."""
    weight = node.constant(1) if node.is_constant(1) else None
    if weight is not None and weight.ndim == MATRIX and node.rank() >= MATRIX and not node.is_constant(0):
        _linear(node, node.inputs[0], weight.T, None)
    else:
        node.put("MatMul", node.inputs)


def _gemm(node: Node) -> None:
    """Linear where the second operand is a constant, with a constant row added or none; else what it is made of."""
    attributes = node.attributes
    a = node.inputs[0]
    if attributes["transA"]:
        a = node.make("Transpose", [a], node.shape()[::-1], perm=[1, 0])
    beta, bias = attributes["beta"], node.given(2)
    weight = node.constant(1) if node.is_constant(1) else None
    if weight is not None and weight.dtype.kind == "f":
        of_rows = weight if attributes["transB"] else weight.T
        scaled = of_rows if attributes["alpha"] == 1 else (attributes["alpha"] * of_rows).astype(weight.dtype)
        given = node.constant(2) if node.is_constant(2) else None
        is_row = given is not None and given.size == max(given.shape[-1:] or (1,))
        row = np.broadcast_to(np.ravel(given), (len(scaled),)) if is_row and given is not None else None
        if not bias or row is not None:
            _linear(node, a, scaled, None if row is None or not beta else (beta * row).astype(weight.dtype))
            return
        product = node.make("Linear", [a, _stored(node, scaled)], (node.shape()[0], len(scaled)))
    else:
        product = _product(node, a)
        if attributes["alpha"] != 1:
            product = node.make("Mul", [product, node.number(attributes["alpha"])])
    if not bias:
        node.stand_for(product)
        return
    node.put("Add", [product, bias if beta == 1 else node.make("Mul", [bias, node.number(beta)])])


def _product(node: Node, a: str) -> str:
    b, rows, columns = node.inputs[1], node.lowering.shapes[a][0], node.shape(1)[1]
    if node.attributes["transB"]:
        b, columns = node.make("Transpose", [b], node.shape(1)[::-1], perm=[1, 0]), node.shape(1)[0]
    return node.make("MatMul", [a, b], (rows, columns))


def _linear(node: Node, x: str, weight: Any, bias: Any) -> None:
    """X times the transpose of `weight`, [outputs, inputs], plus `bias`, [outputs]."""
    if weight.dtype.kind != "f":
        node.put("MatMul", [x, node.inputs[1]])
        return
    stored = _stored(node, weight)
    if bias is None:
        node.put("Linear", [x, stored])
        return
    whole = node.constant(2)
    as_it_is = whole is not None and whole.shape == bias.shape and np.array_equal(whole, bias)
    node.put("Linear", [x, stored, node.inputs[2] if as_it_is else node.number(bias)])


def _stored(node: Node, weight: Any) -> str:
    return node.inputs[1] if weight is node.constant(1) else node.number(weight, str(weight.dtype))


REWRITES: Rewrites = {
    "Cast": _cast,
    "CastLike": _cast_like,
    "Clip": _clip,
    "Div": _div,
    "Dropout": _dropout,
    "Gemm": _gemm,
    "Identity": _identity,
    "IsInf": _is_inf,
    "MatMul": _matmul,
    "Max": _chain("Max"),
    "Mean": _mean,
    "Min": _chain("Min"),
    "PRelu": _prelu,
    "Pow": _pow,
    "Sum": _chain("Add"),
}
