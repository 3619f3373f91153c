"""Layers that move values about: sizes and order of axes, parts, copies, sums along an axis, types."""

import numpy as np
import torch
from operands import Function, WithConstants, constant, setting
from torch import nn
from torch.nn import functional


def concat(node, weights):
    axis = node["attributes"]["axis"]
    return WithConstants(lambda parts: torch.cat(parts, axis), node, weights)


def where(node, weights):
    return WithConstants(lambda operands: torch.where(*operands), node, weights)


def gather(node, weights):
    """Rows of a constant table by computed indices, or one slice of a tensor."""
    axis = node["attributes"]["axis"]
    if node["inputs"][0] in weights and node["inputs"][1] not in weights:
        table = weights[node["inputs"][0]]
        if axis != 0 or table.ndim != 2:  # noqa: PLR2004
            raise NotImplementedError("other than of a table's rows")
        return nn.Embedding(*table.shape, _weight=torch.from_numpy(np.array(table)))
    at = constant(node, weights, 1)
    if node["inputs"][0] in weights or at.ndim:
        raise NotImplementedError("at several constant indices")
    return Function(lambda x: x.select(axis, int(at)))


class Flatten(nn.Module):
    def forward(self, x):
        return x.reshape(x.shape[0], -1)


def flatten(node, _weights):
    if node["attributes"]["axis"] != 1:
        raise NotImplementedError("from axis {}".format(node["attributes"]["axis"]))
    return Flatten()


def slice_(node, _weights):
    """A view of `x`; a step backwards turns the part round."""
    starts, ends = setting(node, "starts"), setting(node, "ends")
    axes = node["attributes"].get("axes", list(range(len(starts))))
    steps = node["attributes"].get("steps", [1] * len(starts))
    if min(steps) < 1:
        raise NotImplementedError("backwards")

    def sliced(x):
        index = [slice(None)] * x.dim()
        for axis, start, end, step in zip(axes, starts, ends, steps):
            index[axis] = slice(start, end, step)
        return x[tuple(index)]

    return Function(sliced)


def split(node, _weights):
    """Views of `x` side by side: of the sizes given, else equal ones."""
    axis, parts = node["attributes"]["axis"], len(node["outputs"])
    sizes = node["attributes"].get("split")
    return Function(lambda x: x.split(sizes or -(-x.shape[axis] // parts), axis))


def pad(node, _weights):
    pads, value = setting(node, "pads"), node["attributes"].get("value", 0.0)
    if node["attributes"]["mode"] != "constant":
        raise NotImplementedError("by {}".format(node["attributes"]["mode"]))
    half = len(pads) // 2
    # PyTorch names the last axis first, and both of its ends together.
    ends = [size for axis in reversed(range(half)) for size in (pads[axis], pads[half + axis])]
    return Function(lambda x: functional.pad(x, ends, value=float(value)))


def expand(node, weights):
    sizes = [int(size) for size in constant(node, weights, 1)]

    def expanded(x):
        own = [1] * (len(sizes) - x.dim()) + list(x.shape)
        wished = [1] * (x.dim() - len(sizes)) + sizes
        return x.expand([b if a == 1 else a for a, b in zip(own, wished)])

    return Function(expanded)


def resize(node, _weights):
    """By whole numbers each value is repeated; or linear, in one of the two ways that PyTorch knows."""
    attributes, sizes = node["attributes"], setting(node, "sizes")
    mode, ways = attributes["mode"], attributes["coordinate_transformation_mode"]
    if len(sizes) != 2:  # noqa: PLR2004
        raise NotImplementedError("over {} axes".format(len(sizes)))
    if attributes["repeats"]:
        return nn.Upsample(size=tuple(sizes), mode="nearest")
    if mode == "linear" and ways in {"half_pixel", "pytorch_half_pixel", "align_corners"}:
        return nn.Upsample(size=tuple(sizes), mode="bilinear", align_corners=ways == "align_corners")
    raise NotImplementedError("{} {} by {}".format(ways, mode, attributes["scales"]))


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
        return x.sum(self.axes, keepdim=self.keepdim)


def reduction(layer, *function):
    """`layer` over the node's axes."""
    return lambda node, _: layer(*function, node["attributes"]["axes"], bool(node["attributes"]["keepdims"]))


def cast(node, _weights):
    dtype = DTYPES.get(node["attributes"]["to"])
    if dtype is None:
        raise NotImplementedError("to ONNX's type {}".format(node["attributes"]["to"]))
    return Function(lambda x: x.to(dtype))


DTYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: getattr(torch, "bool", None), 11: torch.float64}
"""TensorProto.DataType -> PyTorch's; bool came with 1.2."""


SHAPES = {
    "Cast": cast,
    "Concat": concat,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Pad": pad,
    "ReduceMax": reduction(Reduction, lambda x, axis, keepdim: x.max(axis, keepdim)[0]),
    "ReduceMean": reduction(Mean),
    "ReduceMin": reduction(Reduction, lambda x, axis, keepdim: x.min(axis, keepdim)[0]),
    "ReduceSum": reduction(Sum),
    "Reshape": lambda node, weights: Reshape([int(size) for size in constant(node, weights, 1)]),
    "Resize": resize,
    "Slice": slice_,
    "Split": split,
    "Transpose": lambda node, _: Permute(node["attributes"]["perm"]),
    "Where": where,
}
"""ONNX operator -> function from a node and the weights to a layer."""
