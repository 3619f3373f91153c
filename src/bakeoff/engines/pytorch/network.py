"""A plain graph's layers in the order in which they run."""

from torch import nn

FRESH = {
    "Conv",
    "BatchNormalization",
    "Linear",
    "MatMul",
    "MaxPool",
    "AveragePool",
    "Relu",
    "Clip",
    "Add",
    "Mul",
    "Gelu",
}
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
            values.update(named(written, layer(*[values[name] for name in reads])))
            for name in dead:
                del values[name]
        results = tuple(values[name] for name in self.outputs)
        return results[0] if len(results) == 1 else results


def named(written, result):
    """What a layer made, by name: one tensor, or several."""
    return zip(written, result) if len(written) > 1 else [(written[0], result)]
