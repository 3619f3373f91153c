"""What a plain graph's node takes, and layers that are a function of it."""

import numpy as np
import torch
from torch import nn


def constant(node, weights, index):
    if node["inputs"][index] not in weights:
        raise NotImplementedError("with a computed input {}".format(index))
    return weights[node["inputs"][index]]


def optional(node, weights, index):
    """The constant that is input `index` of `node`, or None if it has none."""
    name = node["inputs"][index] if index < len(node["inputs"]) else ""
    return constant(node, weights, index) if name else None


def filled(layer, **values):
    """`layer` with its parameters and buffers set to the arrays of `values`, and of their type; None is left out."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in values.items() if value is not None}
    layer = layer.to(next(iter(tensors.values())).dtype)
    with torch.no_grad():
        for name, tensor in tensors.items():
            getattr(layer, name).copy_(tensor)
    return layer


class Function(nn.Module):
    """`function` of its operands, for what ``torch.nn`` has no layer of."""

    def __init__(self, function):
        super(Function, self).__init__()
        self.function = function

    def forward(self, *tensors):
        return self.function(*tensors)


class WithConstants(nn.Module):
    """`function` of a list of operands, some of them constant."""

    def __init__(self, function, node, weights):
        super(WithConstants, self).__init__()
        self.function, self.names = function, []
        for place, name in enumerate(node["inputs"]):
            self.names.append("operand_{}".format(place) if name in weights else None)
            if name in weights:
                self.register_buffer(self.names[-1], torch.from_numpy(np.array(weights[name])))

    def forward(self, *tensors):
        left = list(tensors)
        return self.function([getattr(self, name) if name else left.pop(0) for name in self.names])


def named(function):
    """`function`, or PyTorch's own of that name."""
    if not isinstance(function, str):
        return function
    if not hasattr(torch, function):
        raise NotImplementedError("before PyTorch had torch.{}".format(function))
    return getattr(torch, function)


def function(of):
    """What builds a layer of the function `of`, or of PyTorch's own of that name."""
    return lambda _node, _weights: Function(named(of))
