"""Arithmetic, reductions and shapes: functions of what is not constant, from the nodes of a plain graph."""

import paddle
from node import Partial, applying
from paddle import nn
from paddle.nn import functional

VOLUME_AXES, VOLUME_PADS = 5, 6


def always(function):
    """What builds `function` of any node."""
    return lambda _node: function


# Arithmetic


def clip(node):
    low, high = node.attributes["min"], node.attributes["max"]
    return nn.ReLU6() if (low, high) == (0.0, 6.0) else lambda x: paddle.clip(x, low, high)


def divide_integers(a, b):
    """As in C: rounded towards zero."""
    return paddle.trunc(paddle.divide(a.astype("float64"), b.astype("float64"))).astype(a.dtype)


def modulo(node):
    """With the sign of the divisor; with that of the dividend Paddle has none."""
    if node.attributes["fmod"]:
        raise NotImplementedError("with the sign of the dividend")
    return applying(paddle.remainder)(node)


def cast(node):
    dtype = node.attributes["to"]
    return lambda x: x.astype(dtype)


def hard_sigmoid(node):
    slope, offset = node.attributes["alpha"], node.attributes["beta"]
    return lambda x: functional.hardsigmoid(x, slope, offset)


def einsum(node):
    equation = node.attributes["equation"]
    return applying(lambda *operands: paddle.einsum(equation, *operands))(node)


# Reductions


def reduction(function):
    def build(node):
        axes, keepdim = node.attributes["axes"], bool(node.attributes["keepdims"])
        return lambda x: function(x, axes, keepdim=keepdim)

    return build


def total(x, axes, keepdim):
    """In the type of `x`; Paddle by itself adds integers up in 64 bits."""
    return paddle.sum(x, axes, x.dtype, keepdim)


def arg(function):
    def build(node):
        axis, keepdim = node.attributes["axis"], bool(node.attributes["keepdims"])
        return lambda x: function(x, axis, keepdim)

    return build


def cum_sum(node):
    axis = node.attributes["axis"]
    return lambda x: paddle.cumsum(x, axis, x.dtype)


def global_max_pool(_node):
    return lambda x: paddle.max(x, [2, 3], keepdim=True)


# Shapes


def concat(node):
    axis = node.attributes["axis"]
    return applying(lambda *parts: paddle.concat(parts, axis))(node)


def split(node):
    sizes, axis = node.attributes["split"], node.attributes["axis"]
    return lambda x: paddle.split(x, sizes, axis)


def slice_(node):
    starts, ends, axes, steps = (node.attributes[name] for name in ("starts", "ends", "axes", "steps"))
    if set(steps) == {1}:
        return lambda x: paddle.slice(x, axes, starts, ends)
    return lambda x: paddle.strided_slice(x, axes, starts, ends, steps)


def pad(node):
    """As a volume is padded, along the last three axes of five.

    Paddle Inference 3.3 with oneDNN writes past its memory where all axes are padded at once.
    """
    pads, value = node.attributes["pads"], node.attributes["value"]
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :]))
    news = list(range(VOLUME_AXES - len(pairs)))
    if not news or any(map(any, pairs[:-3])):
        raise NotImplementedError("by {}".format(pads))
    amounts = [amount for pair in reversed([(0, 0)] * len(news) + pairs) for amount in pair][:VOLUME_PADS]
    return lambda x: functional.pad(x.unsqueeze(news), amounts, value=value).squeeze(news)


def expand(node):
    """An axis told to become 1 keeps its size, which is -1 in Paddle."""
    sizes = node.attributes["shape"]

    def expanded(x):
        news = max(0, len(sizes) - x.ndim)
        kept = [-1 if size == 1 else size for size in sizes[news:]]
        return paddle.expand(x, sizes[:news] + [-1] * (x.ndim - len(kept)) + kept)

    return expanded


def tile(node):
    repeats = node.attributes["repeats"]
    return lambda x: paddle.tile(x, repeats)


def reshape(node):
    shape = node.attributes["shape"]
    return lambda x: paddle.reshape(x, shape)


def transpose(node):
    perm = node.attributes["perm"]
    return lambda x: paddle.transpose(x, perm)


# By indices


def gather(node):
    """Rows of a constant table by computed indices, or whatever places of an axis are told."""
    axis = node.attributes["axis"]
    if list(node.constants) == [0] and node.constants[0].ndim == 2 and axis == 0:  # noqa: PLR2004
        return Partial(lambda table, indices: functional.embedding(indices, table), node.constants)
    return applying(lambda x, places: taken(axis, x, places))(node)


def taken(axis, x, places):
    rows = paddle.index_select(x, places.flatten(), axis)
    return rows if places.ndim == 1 else rows.reshape([*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]])


def gather_elements(node):
    axis = node.attributes["axis"]
    return applying(lambda x, places: paddle.take_along_axis(x, places, axis, broadcast=False))(node)


def scatter_rows(node):
    """Updates written into rows, or added to them."""
    how = node.attributes["reduction"]
    if how not in {"none", "add"}:
        raise NotImplementedError("by {}".format(how))

    def scattered(x, places, updates):
        if how == "add":
            return paddle.scatter_nd_add(x, places.unsqueeze(1), updates)
        return paddle.scatter(x, places, updates)

    return applying(scattered)(node)


def top_k(node):
    """Equal values in their own order, which Paddle's ``topk`` does not keep."""
    axis, count, largest = (node.attributes[name] for name in ("axis", "k", "largest"))

    def first(x):
        places = paddle.argsort(x, axis, bool(largest), stable=True)
        places = paddle.slice(places, [axis], [0], [count])
        return paddle.take_along_axis(x, places, axis, broadcast=False), places

    return first
