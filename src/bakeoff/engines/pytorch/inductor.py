"""A network of layers as PyTorch's Inductor takes it well."""

import torch
from shapes import Permute
from torch import nn
from translator import Arithmetic


class ByNumber(nn.Module):
    """`function` of a tensor and a Python number."""

    def __init__(self, function, number):
        super(ByNumber, self).__init__()
        self.function, self.number = function, number

    def forward(self, x):
        return self.function(x, self.number)


class PermuteThenTranspose(nn.Module):
    """The permutation `axes` in two steps, of which the second exchanges the last two axes."""

    def __init__(self, axes):
        super(PermuteThenTranspose, self).__init__()
        self.axes = [*axes[:-2], axes[-1], axes[-2]]

    def forward(self, x):
        return x.permute(*self.axes).transpose(-2, -1)


def for_inductor(network):
    """`network` with attention as people write it: scaled by a number, its key transposed in a step of its own.

    PyTorch 2.13 puts one call in the place of attention. It fails where the scale is a tensor (pytorch/pytorch#191203),
    and fails or computes something else where one permutation did all that moved the key's axes (#195320).
    """
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Arithmetic) and layer.side == 1 and is_number(layer.operand):
            network.layers[i] = ByNumber(layer.function, layer.operand.item())
        elif isinstance(layer, Permute) and layer.axes[2:] and layer.axes[-2] > layer.axes[-1]:
            network.layers[i] = PermuteThenTranspose(layer.axes)
    return network


def is_number(tensor):
    return tensor.dim() == 0 and tensor.dtype == torch.float32
