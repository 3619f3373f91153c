"""Builds a network of ``torch.nn`` layers from a plain graph. Good for PyTorch 1.1 and today's.

The layers are those that a PyTorch user would write; like torchvision's, activations and residual sums work in place
where nothing else reads their operand. What is no longer read is let go at once, as local variables would be.
"""

import json
import os

import numpy as np
import torch
from network import Network
from operands import Function, WithConstants, constant, filled, function, named, optional
from shapes import SHAPES
from torch import nn


def translate(folder):
    """The plain graph in `folder` as a ``torch.nn.Module`` in evaluation mode; it takes and returns NCHW tensors.

    It returns one tensor, or a tuple where the graph has several outputs. Raises NotImplementedError naming every
    operator that has no translation.
    """
    with open(os.path.join(folder, "graph.json"), encoding="utf-8") as f:
        graph = json.load(f)
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as archive:
        weights = {name: archive[name] for name in archive.files}
    types = dict(graph["dtypes"], **{name: str(array.dtype) for name, array in weights.items()})
    layers, lacking = [], set()
    for node in graph["nodes"]:
        strange = {types.get(name, "float32") for name in node["inputs"] + node["outputs"] if name} - TYPES
        if node["op"] not in LAYERS or strange:
            lacking.add(" of ".join([node["op"], *sorted(strange)]))
            continue
        node["dtype"] = types.get(node["inputs"][0], "float32")
        try:
            layers.append(LAYERS[node["op"]](node, weights))
        except NotImplementedError as error:
            lacking.add("{} {}".format(node["op"], error))
    if lacking:
        raise NotImplementedError("no PyTorch translation for: " + ", ".join(sorted(lacking)))
    return Network(graph, layers, set(weights)).eval()


# Layers with weights. They start without random values, since the real ones follow: that saves most of the loading.


def unset(layer):
    """The class of `layer` without its random values."""
    return type(layer.__name__, (layer,), {"reset_parameters": lambda _self: None})


CONVOLUTIONS = {rank: unset(of) for rank, of in ((1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d))}
TRANSPOSED = {
    rank: unset(of) for rank, of in ((1, nn.ConvTranspose1d), (2, nn.ConvTranspose2d), (3, nn.ConvTranspose3d))
}
"""By the number of axes that the kernel moves along."""
Linear = unset(nn.Linear)


def of_axes(layers, node):
    """The one of `layers` for as many axes as the node's kernel moves along."""
    rank = len(node["attributes"]["kernel_shape"])
    if rank not in layers:
        raise NotImplementedError("over {} axes".format(rank))
    return layers[rank]


def padded(make, node, value, most=None):
    """The layer that ``make(padding=...)`` gives, behind an explicit padding of `value` where it has none as asked.

    `most` is how much padding the layer takes on each axis.
    """
    pads = node["attributes"]["pads"]
    before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    if before == after and (most is None or all(pad <= limit for pad, limit in zip(before, most))):
        return make(padding=tuple(before))
    # PyTorch names the last axis first, and both of its ends together.
    ends = tuple(size for pair in zip(reversed(before), reversed(after)) for size in pair)
    return nn.Sequential(PADDINGS[len(before)](ends, value), make(padding=0))


PADDINGS = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}


def conv(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    groups = attributes["group"]

    def make(padding):
        layer = of_axes(CONVOLUTIONS, node)(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(attributes["kernel_shape"]),
            stride=tuple(attributes["strides"]),
            padding=padding,
            dilation=tuple(attributes["dilations"]),
            groups=groups,
            bias=bias is not None,
        )
        return filled(layer, weight=weight, bias=bias)

    return padded(make, node, 0.0)


class Crop(nn.Module):
    """Takes so many values off both ends of the last axes."""

    def __init__(self, before, after):
        super(Crop, self).__init__()
        self.before, self.after = before, after

    def forward(self, x):
        for axis, (first, last) in enumerate(zip(self.before, self.after), 2):
            x = x.narrow(axis, first, x.shape[axis] - first - last)
        return x


def conv_transpose(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    pads, strides, dilations = attributes["pads"], attributes["strides"], attributes["dilations"]
    before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    if any(more >= max(pair) for more, *pair in zip(attributes["output_padding"], strides, dilations)):
        raise NotImplementedError("with output_padding {}".format(attributes["output_padding"]))
    layer = of_axes(TRANSPOSED, node)(
        weight.shape[0],
        weight.shape[1] * attributes["group"],
        tuple(attributes["kernel_shape"]),
        stride=tuple(strides),
        padding=tuple(before) if before == after else 0,
        output_padding=tuple(attributes["output_padding"]),
        dilation=tuple(dilations),
        groups=attributes["group"],
        bias=bias is not None,
    )
    layer = filled(layer, weight=weight, bias=bias)
    return layer if before == after else nn.Sequential(layer, Crop(before, after))


class BatchNorm2d(nn.BatchNorm2d):
    def _check_input_dim(self, _input):
        """Takes tensors that are no images, too."""


def batch_normalization(node, weights):
    scale, shift, mean, variance = (constant(node, weights, i) for i in range(1, 5))
    layer = BatchNorm2d(len(scale), eps=node["attributes"]["epsilon"])
    return filled(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)


def group_normalization(node, weights):
    scale, shift = constant(node, weights, 1), constant(node, weights, 2)
    layer = nn.GroupNorm(node["attributes"]["num_groups"], len(scale), eps=node["attributes"]["epsilon"])
    return filled(layer, weight=scale, bias=shift)


def layer_normalization(node, weights):
    scale, shift = constant(node, weights, 1), constant(node, weights, 2)
    return filled(nn.LayerNorm(scale.shape, eps=node["attributes"]["epsilon"]), weight=scale, bias=shift)


def linear(node, weights):
    weight, bias = constant(node, weights, 1), optional(node, weights, 2)
    return filled(Linear(weight.shape[1], weight.shape[0], bias=bias is not None), weight=weight, bias=bias)


# Pooling


def half(node):
    """The most padding that a pool takes: half of its kernel."""
    return [size // 2 for size in node["attributes"]["kernel_shape"]]


def max_pool(node, _weights):
    attributes = node["attributes"]

    def make(padding):
        return of_axes({1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}, node)(
            tuple(attributes["kernel_shape"]),
            stride=tuple(attributes["strides"]),
            padding=padding,
            dilation=tuple(attributes["dilations"]),
        )

    lowest = float("-inf") if node["dtype"].startswith("float") else np.iinfo(node["dtype"]).min
    return padded(make, node, lowest, half(node))


def average_pool(node, _weights):
    attributes = node["attributes"]
    if set(attributes["dilations"]) != {1}:
        raise NotImplementedError("with dilations")

    def make(padding):
        return of_axes({1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}, node)(
            tuple(attributes["kernel_shape"]),
            stride=tuple(attributes["strides"]),
            padding=padding,
            count_include_pad=bool(attributes["count_include_pad"]),
        )

    return padded(make, node, 0.0, half(node))


# Activations and arithmetic


def gelu(_node, _weights):
    """A layer since PyTorch 1.2."""
    return nn.GELU() if hasattr(nn, "GELU") else Function(lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)))


class Clamp(nn.Module):
    """max(low, min(x * scale + shift, high)); a bound may be None."""

    def __init__(self, low, high, scale=1.0, shift=0.0):
        super(Clamp, self).__init__()
        self.low, self.high, self.scale, self.shift = low, high, scale, shift

    def forward(self, x):
        x = x if (self.scale, self.shift) == (1.0, 0.0) else x * self.scale + self.shift
        return x.clamp(self.low, self.high) if self.low is not None else x.clamp(max=self.high)


def clip(node, _weights):
    bounds = node["attributes"]["min"], node["attributes"]["max"]
    return nn.ReLU6() if bounds == (0.0, 6.0) and node["dtype"] == "float32" else Clamp(*bounds)


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
        if self.inplace and self.in_place and self.side != 0 and x.shape == y.shape:
            return self.in_place(x, y)
        return self.function(x, y)


def divide_integers(x, y):
    """As in C: rounded towards zero, which PyTorch did by itself before it had a word for it."""
    return torch.div(x, y, rounding_mode="trunc") if torch.__version__ >= "1.8" else torch.div(x, y)


def arithmetic(function, in_place=None):
    """`function`, or PyTorch's of that name, of two operands, either of which may be constant."""

    def build(node, weights):
        constants = {i: weights[name] for i, name in enumerate(node["inputs"]) if name in weights}
        return Arithmetic(named(function), in_place, constants)

    return build


def modulo(node, weights):
    """With the sign of the divisor, or with that of the dividend."""
    return arithmetic("fmod" if node["attributes"]["fmod"] else "remainder")(node, weights)


def product(node, weights):
    """Of two tensors, or of one with a constant."""
    if not any(name in weights for name in node["inputs"]):
        return Function(torch.matmul)
    return WithConstants(lambda operands: torch.matmul(*operands), node, weights)


def prelu(node, weights):
    """One slope for all values, or one for each channel."""
    slope = constant(node, weights, 1)
    return filled(nn.PReLU(slope.size), weight=slope)


def einsum(node, weights):
    return WithConstants(lambda operands: torch.einsum(node["attributes"]["equation"], operands), node, weights)


TYPES = {"uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"}
TYPES |= {"bool"} if hasattr(torch, "bool") else set()
"""PyTorch 1.1 had no bool yet; of larger unsigned integers today's has hardly more than the names."""

LAYERS = {
    "Add": arithmetic("add", torch.Tensor.add_),
    "And": arithmetic("logical_and"),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "BitwiseAnd": arithmetic("bitwise_and"),
    "BitwiseOr": arithmetic("bitwise_or"),
    "BitwiseXor": arithmetic("bitwise_xor"),
    "Clip": clip,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Div": arithmetic("div", torch.Tensor.div_),
    "Einsum": einsum,
    "Elu": lambda node, _: nn.ELU(node["attributes"]["alpha"]),
    "Equal": arithmetic("eq"),
    "Gelu": gelu,
    "GlobalAveragePool": lambda _node, _weights: nn.AdaptiveAvgPool2d(1),
    "GlobalMaxPool": lambda _node, _weights: nn.AdaptiveMaxPool2d(1),
    "Greater": arithmetic("gt"),
    "GreaterOrEqual": arithmetic("ge"),
    "GroupNormalization": group_normalization,
    "HardSigmoid": lambda node, _: Clamp(0.0, 1.0, node["attributes"]["alpha"], node["attributes"]["beta"]),
    "HardSwish": lambda _node, _weights: HardSwish(),
    "Identity": lambda _node, _weights: nn.Sequential(),
    "IntegerDiv": arithmetic(divide_integers),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda node, _: nn.LeakyReLU(node["attributes"]["alpha"]),
    "Less": arithmetic("lt"),
    "LessOrEqual": arithmetic("le"),
    "Linear": linear,
    "MatMul": product,
    "Max": arithmetic("max"),
    "MaxPool": max_pool,
    "Min": arithmetic("min"),
    "Mod": modulo,
    "Mul": arithmetic("mul", torch.Tensor.mul_),
    "Or": arithmetic("logical_or"),
    "PRelu": prelu,
    "Pow": arithmetic("pow"),
    "Relu": lambda _node, _weights: nn.ReLU(),
    "Sigmoid": lambda _node, _weights: nn.Sigmoid(),
    "Softmax": lambda node, _: nn.Softmax(dim=node["attributes"]["axis"]),
    "Softplus": lambda _node, _weights: nn.Softplus(),
    "Sub": arithmetic("sub", torch.Tensor.sub_),
    "Tanh": lambda _node, _weights: nn.Tanh(),
    "Xor": arithmetic("logical_xor"),
}
ALIKE = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Det", "Erf", "Exp", "Floor"),
    *("IsNaN", "Log", "Neg", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Tan"),
)
"""Operators of one operand that PyTorch calls the same, in small letters."""
LAYERS.update({name: function(name.lower()) for name in ALIKE})
LAYERS.update({"BitwiseNot": function("bitwise_not"), "Not": function("logical_not")}, **SHAPES)
"""ONNX operator -> function from a node and the weights to a layer."""
