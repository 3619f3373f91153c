"""A plain graph's layers in the order in which they run."""

import torch
from torch import nn

FRESH = {"Conv", "BatchNormalization", "Gemm", "MatMul", "MaxPool", "AveragePool", "Relu", "Clip", "Add", "Mul", "Gelu"}
"""Operators whose output is memory of their own, never a view of their input."""


class Network(nn.Module):
    """Runs one layer per node, in the graph's order."""

    def __init__(self, graph, layers, constants):
        super(Network, self).__init__()
        self.layers = nn.ModuleList(layers)
        self.inputs = [i["name"] for i in graph["inputs"]]
        self.outputs = [o["name"] for o in graph["outputs"]]
        nodes = graph["nodes"]
        last_reader = {name: i for i, node in enumerate(nodes) for name in node["inputs"]}
        self.steps = []
        for i, node in enumerate(nodes):
            reads = [name for name in node["inputs"] if name and name not in constants]
            dead = [name for name in set(reads) if last_reader[name] == i and name not in self.outputs]
            self.steps.append((reads, node["outputs"], dead))
        self._work_in_place(nodes)

    def _work_in_place(self, nodes):
        """Lets a layer overwrite its first operand if that is fresh memory and this is its only reader."""
        maker = {node["outputs"][0]: node["op"] for node in nodes}
        readers = [name for reads, _, _ in self.steps for name in reads]
        for layer, (reads, _, dead) in zip(self.layers, self.steps):
            mine = reads and reads[0] in dead and readers.count(reads[0]) == 1 and maker.get(reads[0]) in FRESH
            if mine and hasattr(layer, "inplace"):
                layer.inplace = True

    def forward(self, *tensors):
        values = dict(zip(self.inputs, tensors))
        for layer, (reads, written, dead) in zip(self.layers, self.steps):
            result = layer(*[values[name] for name in reads])
            values.update(zip(written, result) if len(written) > 1 else [(written[0], result)])
            for name in dead:
                del values[name]
        results = tuple(values[name] for name in self.outputs)
        return results[0] if len(results) == 1 else results


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
    from translator import Arithmetic, Permute  # which builds on this module

    for i, layer in enumerate(network.layers):
        if isinstance(layer, Arithmetic) and layer.side == 1 and is_number(layer.operand):
            network.layers[i] = ByNumber(layer.function, layer.operand.item())
        elif isinstance(layer, Permute) and layer.axes[2:] and layer.axes[-2] > layer.axes[-1]:
            network.layers[i] = PermuteThenTranspose(layer.axes)
    return network


def is_number(tensor):
    return tensor.dim() == 0 and tensor.dtype == torch.float32
