"""Builds a network of ``torch.nn`` layers from a plain graph. Good for PyTorch 1.1 and today's.

The layers are those that a PyTorch user would write; like torchvision's, activations and residual sums work in place
where nothing else reads their operand. What is no longer read is let go at once, as local variables would be.
"""

import functools
import json
import os

import numpy as np
import torch
from network import Network
from operands import Function, WithConstants, constant, filled, function, optional
from shapes import SHAPES
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


class Conv1d(nn.Conv1d):
    def reset_parameters(self):
        """Leaves the weights as they are."""


class Conv2d(nn.Conv2d):
    def reset_parameters(self):
        """Leaves the weights as they are."""


CONVOLUTIONS = {1: Conv1d, 2: Conv2d}
"""By the number of axes that the kernel moves along."""


class Linear(nn.Linear):
    def reset_parameters(self):
        """Leaves the weights as they are."""


def padded(make, node, value):
    """The layer that ``make(padding=...)`` gives, behind an explicit padding of `value` where it has none as asked."""
    pads = node["attributes"]["pads"]
    before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    if before == after:
        return make(padding=tuple(before))
    # PyTorch names the last axis first, and both of its ends together.
    ends = tuple(size for pair in zip(reversed(before), reversed(after)) for size in pair)
    return nn.Sequential(PADDINGS[len(before)](ends, value), make(padding=0))


PADDINGS = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}


def conv(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    groups = attributes["group"]
    if weight.ndim - 2 not in CONVOLUTIONS:
        raise NotImplementedError("over {} axes".format(weight.ndim - 2))

    def make(padding):
        layer = CONVOLUTIONS[weight.ndim - 2](
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


class ConvTranspose2d(nn.ConvTranspose2d):
    def reset_parameters(self):
        """Leaves the weights as they are."""


def conv_transpose(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    top, left, bottom, right = pads = attributes["pads"]
    if (top, left) != (bottom, right) or "output_shape" in attributes or weight.ndim != 2 + SPATIAL_AXES:
        raise NotImplementedError("with pads {} or an output shape".format(pads))
    layer = ConvTranspose2d(
        weight.shape[0],
        weight.shape[1] * attributes["group"],
        tuple(attributes["kernel_shape"]),
        stride=tuple(attributes["strides"]),
        padding=(top, left),
        output_padding=tuple(attributes["output_padding"]),
        dilation=tuple(attributes["dilations"]),
        groups=attributes["group"],
        bias=bias is not None,
    )
    return filled(layer, weight=weight) if bias is None else filled(layer, weight=weight, bias=bias)


class BatchNorm2d(nn.BatchNorm2d):
    def _check_input_dim(self, _input):
        """Takes tensors that are no images, too."""


def batch_normalization(node, weights):
    scale, shift, mean, variance = (constant(node, weights, i) for i in range(1, 5))
    if node["attributes"].get("training_mode"):
        raise NotImplementedError("in training mode")
    layer = BatchNorm2d(len(scale), eps=node["attributes"]["epsilon"])
    return filled(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)


def gemm(node, weights):
    attributes, weight, bias = node["attributes"], constant(node, weights, 1), optional(node, weights, 2)
    if attributes["transA"]:
        raise NotImplementedError("with transA")
    weight = weight if attributes["transB"] else weight.T
    return linear(attributes["alpha"] * weight, None if bias is None else attributes["beta"] * bias)


def matmul(node, weights):
    """A linear layer if the second operand is a constant matrix, else a product."""
    weight = weights.get(node["inputs"][1])
    if weight is not None and weight.ndim == 2 and node["inputs"][0] not in weights:  # noqa: PLR2004
        return linear(weight.T, None)
    if not any(name in weights for name in node["inputs"]):
        return Function(torch.matmul)
    return WithConstants(lambda operands: torch.matmul(*operands), node, weights)


def layer_normalization(node, weights):
    scale, shift = constant(node, weights, 1), constant(node, weights, 2)
    return filled(nn.LayerNorm(scale.shape, eps=node["attributes"]["epsilon"]), weight=scale, bias=shift)


def linear(weight, bias):
    layer = Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    if bias is None:
        return filled(layer, weight=weight)
    return filled(layer, weight=weight, bias=np.broadcast_to(bias, (1, weight.shape[0]))[0])


# Pooling


def over_images(node):
    if len(node["attributes"]["kernel_shape"]) != SPATIAL_AXES:
        raise NotImplementedError("over {} axes".format(len(node["attributes"]["kernel_shape"])))
    return node["attributes"]


def max_pool(node, _weights):
    attributes = over_images(node)
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
    attributes = over_images(node)
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
        if self.inplace and self.in_place and self.side != 0 and x.shape == y.shape:
            return self.in_place(x, y)
        return self.function(x, y)


def divide(x, y):
    """Integers as in C: rounded towards zero."""
    return torch.div(x, y) if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def arithmetic(function, in_place):
    def build(node, weights):
        constants = {i: weights[name] for i, name in enumerate(node["inputs"]) if name in weights}
        if len(constants) > 1:
            raise NotImplementedError("of constants alone")
        return Arithmetic(function, in_place, constants)

    return build


def comparison(compare):
    """`compare` of two operands, either of which may be constant; None is what PyTorch has since 1.5 only."""
    return arithmetic(compare, None) if compare else since_1_5


def since_1_5(_node, _weights):
    raise NotImplementedError("before PyTorch 1.5")


def folded(pair):
    """The largest, the smallest, the sum: of as many operands as there are."""
    return lambda node, weights: WithConstants(lambda operands: functools.reduce(pair, operands), node, weights)


def prelu(node, weights):
    """One slope for all values, or one for each channel."""
    slope = constant(node, weights, 1)
    if slope.size != max(slope.shape or (1,)):
        raise NotImplementedError("with slopes of several axes")
    return filled(nn.PReLU(slope.size), weight=slope.ravel())


def power(x, y):
    """In the type of the base."""
    return torch.pow(x, y).to(x.dtype)


LAYERS = {
    "Abs": function(torch.abs),
    "Add": arithmetic(torch.add, torch.Tensor.add_),
    "And": comparison(getattr(torch, "logical_and", None)),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Clip": clip,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Div": arithmetic(divide, torch.Tensor.div_),
    "Elu": lambda node, _: nn.ELU(node["attributes"]["alpha"]),
    "Equal": comparison(torch.eq),
    "Erf": function(torch.erf),
    "Exp": function(torch.exp),
    "Floor": function(torch.floor),
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": lambda _node, _weights: nn.AdaptiveAvgPool2d(1),
    "GlobalMaxPool": lambda _node, _weights: nn.AdaptiveMaxPool2d(1),
    "Greater": comparison(torch.gt),
    "GreaterOrEqual": comparison(torch.ge),
    "HardSigmoid": lambda node, _: Clamp(0.0, 1.0, node["attributes"]["alpha"], node["attributes"]["beta"]),
    "HardSwish": lambda _node, _weights: HardSwish(),
    "Identity": lambda _node, _weights: nn.Sequential(),
    "IsNaN": function(torch.isnan),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda node, _: nn.LeakyReLU(node["attributes"]["alpha"]),
    "Less": comparison(torch.lt),
    "LessOrEqual": comparison(torch.le),
    "Log": function(torch.log),
    "MatMul": matmul,
    "Max": folded(torch.max),
    "MaxPool": max_pool,
    "Min": folded(torch.min),
    "Mul": arithmetic(torch.mul, torch.Tensor.mul_),
    "Neg": function(torch.neg),
    "Not": function(lambda x: ~x),
    "Or": comparison(getattr(torch, "logical_or", None)),
    "PRelu": prelu,
    "Pow": arithmetic(power, None),
    "Reciprocal": function(torch.reciprocal),
    "Relu": lambda _node, _weights: nn.ReLU(),
    "Sigmoid": lambda _node, _weights: nn.Sigmoid(),
    "Softmax": lambda node, _: nn.Softmax(dim=node["attributes"]["axis"]),
    "Softplus": lambda _node, _weights: nn.Softplus(),
    "Sqrt": function(torch.sqrt),
    "Sub": arithmetic(torch.sub, torch.Tensor.sub_),
    "Sum": folded(torch.add),
    "Tanh": lambda _node, _weights: nn.Tanh(),
}
LAYERS.update(SHAPES)
"""ONNX operator -> function from a node and the weights to a layer."""
