"""Layers that move values about: sizes and order of axes, parts, copies, sums along an axis, types."""

import numpy as np
import torch
from operands import Function, WithConstants
from torch import nn
from torch.nn import functional


def concat(node, weights):
    axis = node["attributes"]["axis"]
    return WithConstants(lambda parts: torch.cat(parts, axis), node, weights)


def where(node, weights):
    return WithConstants(lambda operands: torch.where(*operands), node, weights)


def gather(node, weights):
    """Rows of a constant table, one slice of a tensor, or whatever places of an axis are told."""
    axis, (data, indices) = node["attributes"]["axis"], node["inputs"]
    if data in weights and indices not in weights and axis == 0 and weights[data].ndim == 2:  # noqa: PLR2004
        return nn.Embedding(*weights[data].shape, _weight=torch.from_numpy(np.array(weights[data])))
    if data not in weights and indices in weights and weights[indices].ndim == 0:
        return Function(lambda x: x.select(axis, int(weights[indices])))
    return WithConstants(lambda operands: taken(axis, *operands), node, weights)


def taken(axis, x, places):
    rows = x.index_select(axis, places.reshape(-1).to(torch.int64))
    return rows if places.dim() == 1 else rows.reshape(x.shape[:axis] + places.shape + x.shape[axis + 1 :])


def gather_elements(node, weights):
    axis = node["attributes"]["axis"]
    return WithConstants(lambda operands: operands[0].gather(axis, operands[1].to(torch.int64)), node, weights)


def scatter_rows(node, weights):
    """Updates written into rows, or put together with what stands there."""
    how = {"none": None, "add": None, "mul": "prod", "max": "amax", "min": "amin"}[node["attributes"]["reduction"]]
    if how and not hasattr(torch.Tensor, "index_reduce"):
        raise NotImplementedError("by {} before PyTorch 1.12".format(how))

    def scattered(operands):
        x, places, updates = operands
        if how:
            return x.index_reduce(0, places, updates, how)
        return (x.index_copy if node["attributes"]["reduction"] == "none" else x.index_add)(0, places, updates)

    return WithConstants(scattered, node, weights)


def top_k(node, _weights):
    """Equal values in their own order, which PyTorch's ``topk`` does not keep."""
    axis, count, largest = (node["attributes"][name] for name in ("axis", "k", "largest"))

    def first(x):
        values, places = torch.sort(x, dim=axis, descending=bool(largest), stable=True)
        return values.narrow(axis, 0, count), places.narrow(axis, 0, count)

    return Function(first)


class Flatten(nn.Module):
    def forward(self, x):
        return x.reshape(x.shape[0], -1)


def slice_(node, _weights):
    """A view of `x`."""
    bounds = [node["attributes"][name] for name in ("axes", "starts", "ends", "steps")]

    def sliced(x):
        index = [slice(None)] * x.dim()
        for axis, start, end, step in zip(*bounds):
            index[axis] = slice(start, end, step)
        return x[tuple(index)]

    return Function(sliced)


def split(node, _weights):
    """Views of `x` side by side."""
    axis, sizes = node["attributes"]["axis"], node["attributes"]["split"]
    return Function(lambda x: x.split(sizes, axis) if len(sizes) > 1 else x)


def pad(node, _weights):
    pads, value = node["attributes"]["pads"], node["attributes"]["value"]
    half = len(pads) // 2
    # PyTorch names the last axis first, and both of its ends together.
    ends = [size for axis in reversed(range(half)) for size in (pads[axis], pads[half + axis])]
    return Function(lambda x: functional.pad(x, ends, value=value))


def expand(node, _weights):
    sizes = node["attributes"]["shape"]

    def expanded(x):
        own = [1] * (len(sizes) - x.dim()) + list(x.shape)
        wished = [1] * (x.dim() - len(sizes)) + sizes
        return x.expand([b if a == 1 else a for a, b in zip(own, wished)])

    return Function(expanded)


def resize(node, _weights):
    way, size = node["attributes"]["way"], tuple(node["attributes"]["sizes"])
    if way == "repeat":
        return nn.Upsample(size=size, mode="nearest")
    return nn.Upsample(size=size, mode="bilinear", align_corners=way == "align_corners")


class Reshape(nn.Module):
    """To `shape`, in which 0 keeps an axis and -1 takes the rest."""

    def __init__(self, shape):
        super(Reshape, self).__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(self.shape)])


class Permute(nn.Module):
    def __init__(self, axes):
        super(Permute, self).__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(*self.axes)


class Reduction(nn.Module):
    """`function` along one axis after another."""

    def __init__(self, function, axes, keepdim):
        super(Reduction, self).__init__()
        self.function, self.axes, self.keepdim = function, axes, keepdim

    def forward(self, x):
        for axis in sorted((axis % x.dim() for axis in self.axes), reverse=True):
            x = self.function(x, axis, self.keepdim)
        return x


class Mean(nn.Module):
    def __init__(self, axes, keepdim):
        super(Mean, self).__init__()
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x):
        return x.mean(self.axes, keepdim=self.keepdim)


class Sum(Mean):
    def forward(self, x):
        return x.sum(self.axes, keepdim=self.keepdim, dtype=x.dtype)


def reduction(layer, *function):
    """`layer` over the node's axes."""
    return lambda node, _: layer(*function, node["attributes"]["axes"], bool(node["attributes"]["keepdims"]))


def mean(node, weights):
    if not node["dtype"].startswith("float"):
        raise NotImplementedError("of integers")
    return reduction(Mean)(node, weights)


def arg(name):
    """The place of the first largest or smallest value along an axis."""

    def build(node, _weights):
        axis, keepdim = node["attributes"]["axis"], bool(node["attributes"]["keepdims"])
        return Function(lambda x: getattr(x, name)(axis, keepdim))

    return build


def cast(node, _weights):
    dtype = getattr(torch, node["attributes"]["to"])
    return Function(lambda x: x.to(dtype))


SHAPES = {
    "ArgMax": arg("argmax"),
    "ArgMin": arg("argmin"),
    "Cast": cast,
    "Concat": concat,
    "CumSum": lambda node, _: Function(lambda x: x.cumsum(node["attributes"]["axis"]).to(x.dtype)),
    "Expand": expand,
    "Flatten": lambda _node, _weights: Flatten(),
    "Gather": gather,
    "GatherElements": gather_elements,
    "Pad": pad,
    "ReduceMax": reduction(Reduction, lambda x, axis, keepdim: x.max(axis, keepdim)[0]),
    "ReduceMean": mean,
    "ReduceMin": reduction(Reduction, lambda x, axis, keepdim: x.min(axis, keepdim)[0]),
    "ReduceProd": reduction(Reduction, lambda x, axis, keepdim: x.prod(axis, keepdim).to(x.dtype)),
    "ReduceSum": reduction(Sum),
    "Reshape": lambda node, _: Reshape(node["attributes"]["shape"]),
    "Resize": resize,
    "ScatterRows": scatter_rows,
    "Slice": slice_,
    "Split": split,
    "Tile": lambda node, _: Function(lambda x: x.repeat(node["attributes"]["repeats"])),
    "TopK": top_k,
    "Transpose": lambda node, _: Permute(node["attributes"]["perm"]),
    "Where": where,
}
"""ONNX operator -> function from a node and the weights to a layer."""
