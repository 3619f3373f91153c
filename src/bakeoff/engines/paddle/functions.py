"""Arithmetic, reductions and shapes: functions of what is not constant, from the nodes of a plain graph."""

import functools

import paddle
from node import Partial, applying
from paddle import nn
from paddle.nn import functional

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
"""TensorProto.DataType of ONNX -> what Paddle calls it."""
VOLUME_AXES, VOLUME_PADS = 5, 6


# Arithmetic


def clip(node):
    low, high = (None if bound is None else float(bound) for bound in (node.optional(1), node.optional(2)))
    return nn.ReLU6() if (low, high) == (0.0, 6.0) else lambda x: paddle.clip(x, low, high)


def divide(a, b):
    """Of integers as in C: rounded towards zero."""
    if paddle.is_floating_point(a):
        return paddle.divide(a, b)
    return paddle.trunc(paddle.divide(a.astype("float64"), b.astype("float64"))).astype(a.dtype)


def folded(function):
    """`function` of the first two operands, of that and the third, and so on."""
    return applying(lambda *operands: functools.reduce(function, operands))


def cast(node):
    if node.attributes["to"] not in DTYPES:
        raise NotImplementedError("to ONNX type {}".format(node.attributes["to"]))
    dtype = DTYPES[node.attributes["to"]]
    return lambda x: x.astype(dtype)


def hard_sigmoid(node):
    slope, offset = node.attributes["alpha"], node.attributes["beta"]
    return lambda x: functional.hardsigmoid(x, slope, offset)


# Reductions


def reduction(function):
    def build(node):
        axes, keepdim = node.attributes["axes"], bool(node.attributes["keepdims"])
        return lambda x: function(x, axes, keepdim=keepdim)

    return build


def total(x, axes, keepdim):
    """In the type of `x`; Paddle by itself adds integers up in 64 bits."""
    return paddle.sum(x, axes, x.dtype, keepdim)


def global_max_pool(_node):
    return lambda x: paddle.max(x, list(range(2, x.ndim)), keepdim=True)


# Shapes


def concat(node):
    axis = node.attributes["axis"]
    return applying(lambda *parts: paddle.concat(parts, axis))(node)


def split(node):
    """Into parts of the sizes that the node tells, else into equal ones."""
    parts, axis = node.attributes.get("split") or len(node.outputs), node.attributes["axis"]
    if len(node.inputs) > 1:
        raise NotImplementedError("into computed sizes")
    return lambda x: paddle.split(x, parts, axis)


def slice_(node):
    if "starts" not in node.attributes:
        raise NotImplementedError("with computed bounds")
    starts, ends = node.attributes["starts"], node.attributes["ends"]
    axes = node.attributes.get("axes") or list(range(len(starts)))
    steps = node.attributes.get("steps") or [1] * len(starts)
    if set(steps) == {1}:
        return lambda x: paddle.slice(x, axes, starts, ends)
    return lambda x: paddle.strided_slice(x, axes, starts, ends, steps)


def pad(node):
    """As a volume is padded, along the last three axes of five.

    Paddle Inference 3.3 with oneDNN writes past its memory where all axes are padded at once.
    """
    attributes = node.attributes
    if "pads" not in attributes or attributes["mode"] != "constant":
        raise NotImplementedError("by computed sizes, or in {} mode".format(attributes["mode"]))
    pads, value = attributes["pads"], attributes.get("value", 0)
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :]))
    news = list(range(VOLUME_AXES - len(pairs)))
    if not news or any(map(any, pairs[:-3])) or min(pads) < 0:
        raise NotImplementedError("by {}".format(pads))
    amounts = [amount for pair in reversed([(0, 0)] * len(news) + pairs) for amount in pair][:VOLUME_PADS]
    return lambda x: functional.pad(x.unsqueeze(news), amounts, value=value).squeeze(news)


def expand(node):
    """An axis told to become 1 keeps its size, which is -1 in Paddle."""
    sizes = [int(size) for size in node.constant(1)]

    def expanded(x):
        news = max(0, len(sizes) - x.ndim)
        kept = [-1 if size == 1 else size for size in sizes[news:]]
        return paddle.expand(x, sizes[:news] + [-1] * (x.ndim - len(kept)) + kept)

    return expanded


def flatten(node):
    if node.attributes["axis"] != 1:
        raise NotImplementedError("from axis {}".format(node.attributes["axis"]))
    return nn.Flatten()


def reshape(node):
    shape = [int(size) for size in node.constant(1)]
    return lambda x: paddle.reshape(x, shape)


def unsqueeze(node):
    axes = [int(axis) for axis in node.constant(1)]
    return lambda x: paddle.unsqueeze(x, axes)


def gather(node):
    """Rows of a constant table by computed indices, or of a tensor at constant ones."""
    axis = node.attributes["axis"]
    if list(node.constants) == [0] and node.constants[0].ndim == 2 and axis == 0:  # noqa: PLR2004
        return Partial(lambda table, indices: functional.embedding(indices, table), node.constants)
    index = node.constant(1)
    if index.ndim == 1:
        return Partial(lambda x, indices: paddle.index_select(x, indices, axis), node.constants)
    at = int(index)
    return lambda x: paddle.index_select(x, paddle.to_tensor([at]), axis).squeeze(axis)


def transpose(node):
    perm = node.attributes["perm"]
    return lambda x: paddle.transpose(x, perm)
