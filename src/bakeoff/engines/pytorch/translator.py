"""Builds a network of ``torch.nn`` layers from a plain graph. Good for PyTorch 1.1 and today's.

The layers are those that a PyTorch user would write; like torchvision's, activations and residual sums work in place
where nothing else reads their operand. What is no longer read is let go at once, as local variables would be.
"""

import json
import os

import numpy as np
import torch
from network import Network
from torch import nn

SPATIAL_AXES = 2


def translate(folder):
    """The plain graph in `folder` as a ``torch.nn.Module`` in evaluation mode; it takes and returns NCHW tensors.

    It returns one tensor, or a tuple where the graph has several outputs. Raises NotImplementedError naming every
    operator that has no translation.
    """
    with open(os.path.join(folder, "graph.json"), encoding="utf-8") as f:
        graph = json.load(f)
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as archive:
        weights = {name: archive[name] for name in archive.files}
    layers, lacking = [], set()
    for node in graph["nodes"]:
        if node["op"] not in LAYERS:
            lacking.add(node["op"])
            continue
        try:
            layers.append(LAYERS[node["op"]](node, weights))
        except NotImplementedError as error:
            lacking.add("{} {}".format(node["op"], error))
    if lacking:
        raise NotImplementedError("no PyTorch translation for: " + ", ".join(sorted(lacking)))
    return Network(graph, layers, set(weights)).eval()


# Layers with weights. They start without random values, since the real ones follow: that saves most of the loading.


class Conv2d(nn.Conv2d):
    def reset_parameters(self):
        """Leaves the weights as they are."""


class Linear(nn.Linear):
    def reset_parameters(self):
        """Leaves the weights as they are."""


def filled(layer, **values):
    """`layer` with its parameters and buffers set to the arrays of `values`."""
    with torch.no_grad():
        for name, value in values.items():
            getattr(layer, name).copy_(torch.from_numpy(np.array(value)))
    return layer


def optional(node, weights, index):
    """The constant that is input `index` of `node`, or None if it has none."""
    name = node["inputs"][index] if index < len(node["inputs"]) else ""
    return constant(node, weights, index) if name else None


def constant(node, weights, index):
    if node["inputs"][index] not in weights:
        raise NotImplementedError("with a computed input {}".format(index))
    return weights[node["inputs"][index]]


def padded(make, node, value):
    """The layer that ``make(padding=...)`` gives, behind an explicit padding of `value` where it has none as asked."""
    pads = node["attributes"]["pads"]
    if len(pads) != 2 * SPATIAL_AXES:
        raise NotImplementedError("over {} axes".format(len(pads) // 2))
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return make(padding=(top, left))
    return nn.Sequential(nn.ConstantPad2d((left, right, top, bottom), value), make(padding=0))


def conv(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    groups = attributes["group"]

    def make(padding):
        layer = Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(attributes["kernel_shape"]),
            stride=tuple(attributes["strides"]),
            padding=padding,
            dilation=tuple(attributes["dilations"]),
            groups=groups,
            bias=bias is not None,
        )
        return filled(layer, weight=weight) if bias is None else filled(layer, weight=weight, bias=bias)

    return padded(make, node, 0.0)


def batch_normalization(node, weights):
    scale, shift, mean, variance = (constant(node, weights, i) for i in range(1, 5))
    if node["attributes"].get("training_mode"):
        raise NotImplementedError("in training mode")
    layer = nn.BatchNorm2d(len(scale), eps=node["attributes"]["epsilon"])
    return filled(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)


def gemm(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    if attributes["transA"]:
        raise NotImplementedError("with transA")
    weight = weight if attributes["transB"] else weight.T
    return linear(attributes["alpha"] * weight, None if bias is None else attributes["beta"] * bias)


class Product(nn.Module):
    def forward(self, x, y):
        return torch.matmul(x, y)


def matmul(node, weights):
    if not any(name in weights for name in node["inputs"]):
        return Product()
    weight = constant(node, weights, 1)
    if weight.ndim != 2:  # noqa: PLR2004
        raise NotImplementedError("with a constant of {} axes".format(weight.ndim))
    return linear(weight.T, None)


def layer_normalization(node, weights):
    scale, shift = constant(node, weights, 1), constant(node, weights, 2)
    return filled(nn.LayerNorm(scale.shape, eps=node["attributes"]["epsilon"]), weight=scale, bias=shift)


def linear(weight, bias):
    layer = Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    if bias is None:
        return filled(layer, weight=weight)
    return filled(layer, weight=weight, bias=np.broadcast_to(bias, (1, weight.shape[0]))[0])


# Pooling


def max_pool(node, _weights):
    attributes = node["attributes"]
    if len(node["outputs"]) > 1 and node["outputs"][1]:
        raise NotImplementedError("with indices")

    def make(padding):
        return nn.MaxPool2d(
            tuple(attributes["kernel_shape"]),
            stride=tuple(attributes["strides"]),
            padding=padding,
            dilation=tuple(attributes["dilations"]),
            ceil_mode=bool(attributes["ceil_mode"]),
        )

    return padded(make, node, float("-inf"))


def average_pool(node, _weights):
    attributes = node["attributes"]
    counts_padding = bool(attributes["count_include_pad"])

    def make(padding):
        if padding == 0 and not counts_padding:
            raise NotImplementedError("with lopsided padding left out of the average")
        return nn.AvgPool2d(
            tuple(attributes["kernel_shape"]),
            stride=tuple(attributes["strides"]),
            padding=padding,
            ceil_mode=bool(attributes["ceil_mode"]),
            count_include_pad=counts_padding,
        )

    return padded(make, node, 0.0)


class Mean(nn.Module):
    def __init__(self, axes, keepdim):
        super(Mean, self).__init__()
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x):
        return x.mean(self.axes, keepdim=self.keepdim)


# Activations and arithmetic


class Function(nn.Module):
    """`function` of its operands, for what ``torch.nn`` has no layer of."""

    def __init__(self, function):
        super(Function, self).__init__()
        self.function = function

    def forward(self, *tensors):
        return self.function(*tensors)


def function(of):
    return lambda _node, _weights: Function(of)


def gelu(_node, _weights):
    """A layer since PyTorch 1.2."""
    return nn.GELU() if hasattr(nn, "GELU") else Function(lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)))


def cast(node, _weights):
    dtype = DTYPES.get(node["attributes"]["to"])
    if dtype is None:
        raise NotImplementedError("to ONNX's type {}".format(node["attributes"]["to"]))
    return Function(lambda x: x.to(dtype))


DTYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: getattr(torch, "bool", None), 11: torch.float64}
"""TensorProto.DataType -> PyTorch's; bool came with 1.2."""


class Clamp(nn.Module):
    """max(low, min(x * scale + shift, high)); a bound may be None."""

    def __init__(self, low, high, scale=1.0, shift=0.0):
        super(Clamp, self).__init__()
        self.low, self.high, self.scale, self.shift = low, high, scale, shift

    def forward(self, x):
        x = x if (self.scale, self.shift) == (1.0, 0.0) else x * self.scale + self.shift
        return x.clamp(self.low, self.high) if self.low is not None else x.clamp(max=self.high)


def clip(node, weights):
    low, high = (optional(node, weights, i) for i in (1, 2))
    bounds = tuple(None if bound is None else float(bound) for bound in (low, high))
    if bounds == (0.0, 6.0):
        return nn.ReLU6()
    return nn.Sequential() if bounds == (None, None) else Clamp(*bounds)


class HardSwish(nn.Module):
    def forward(self, x):
        return x * (x / 6 + 0.5).clamp(0, 1)


class Arithmetic(nn.Module):
    """`function` of two operands, of which one may be constant; `in_place` is its form that overwrites the first."""

    def __init__(self, function, in_place, constants):
        super(Arithmetic, self).__init__()
        self.function, self.in_place, self.inplace = function, in_place, False
        self.side = next(iter(constants), None)
        if self.side is not None:
            self.register_buffer("operand", torch.from_numpy(np.array(constants[self.side])))

    def forward(self, x, y=None):
        if y is None:
            x, y = (self.operand, x) if self.side == 0 else (x, self.operand)
        if self.inplace and self.side != 0 and x.shape == y.shape:
            return self.in_place(x, y)
        return self.function(x, y)


def arithmetic(function, in_place):
    def build(node, weights):
        constants = {i: weights[name] for i, name in enumerate(node["inputs"]) if name in weights}
        if len(constants) > 1:
            raise NotImplementedError("of constants alone")
        return Arithmetic(function, in_place, constants)

    return build


# Shapes


class Concat(nn.Module):
    def __init__(self, axis):
        super(Concat, self).__init__()
        self.axis = axis

    def forward(self, *tensors):
        return torch.cat(tensors, self.axis)


def concat(node, weights):
    if any(name in weights for name in node["inputs"]):
        raise NotImplementedError("with a constant part")
    return Concat(node["attributes"]["axis"])


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


LAYERS = {
    "Add": arithmetic(torch.add, torch.Tensor.add_),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "Div": arithmetic(torch.div, torch.Tensor.div_),
    "Erf": function(torch.erf),
    "Flatten": flatten,
    "Gather": gather,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": lambda _node, _weights: nn.AdaptiveAvgPool2d(1),
    "HardSigmoid": lambda node, _: Clamp(0.0, 1.0, node["attributes"]["alpha"], node["attributes"]["beta"]),
    "HardSwish": lambda _node, _weights: HardSwish(),
    "Identity": lambda _node, _weights: nn.Sequential(),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda node, _: nn.LeakyReLU(node["attributes"]["alpha"]),
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": arithmetic(torch.mul, torch.Tensor.mul_),
    "Pow": arithmetic(torch.pow, torch.Tensor.pow_),
    "ReduceMean": lambda node, _: Mean(node["attributes"]["axes"], bool(node["attributes"]["keepdims"])),
    "Relu": lambda _node, _weights: nn.ReLU(),
    "Reshape": lambda node, weights: Reshape([int(size) for size in constant(node, weights, 1)]),
    "Sigmoid": lambda _node, _weights: nn.Sigmoid(),
    "Softmax": lambda node, _: nn.Softmax(dim=node["attributes"]["axis"]),
    "Sqrt": function(torch.sqrt),
    "Sub": arithmetic(torch.sub, torch.Tensor.sub_),
    "Tanh": lambda _node, _weights: nn.Tanh(),
    "Transpose": lambda node, _: Permute(node["attributes"]["perm"]),
}
"""ONNX operator -> function from a node and the weights to a layer."""
