"""Builds a network of ``paddle.nn`` layers from a plain graph: no maintained importer reads ONNX for today's Paddle."""

import json
import os

import functions as f
import layers
import numpy as np
import paddle
from node import Node, applying
from paddle import nn


def translate(folder):
    """The plain graph in `folder` as a ``paddle.nn.Layer`` in evaluation mode, from NCHW tensors to such.

    Raises NotImplementedError naming every operator that has no translation.
    """
    with open(os.path.join(folder, "graph.json"), encoding="utf-8") as file:
        graph = json.load(file)
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as archive:
        weights = {name: archive[name] for name in archive.files}
    steps, lacking = [], set()
    for node in graph["nodes"]:
        if node["op"] not in LAYERS:
            lacking.add(node["op"])
            continue
        try:
            steps.append(LAYERS[node["op"]](Node(node, weights)))
        except NotImplementedError as error:
            lacking.add("{} {}".format(node["op"], error))
    if lacking:
        raise NotImplementedError("no Paddle translation for: " + ", ".join(sorted(lacking)))
    network = Network(graph, steps, set(weights))
    network.eval()
    return network


class Network(nn.Layer):
    """Runs one step per node, in the graph's order. It takes a list of tensors and returns one."""

    def __init__(self, graph, steps, constants):
        super().__init__()
        self.parts = nn.LayerList([step for step in steps if isinstance(step, nn.Layer)])
        self.steps, self.nodes = steps, graph["nodes"]
        self.reads = [[name for name in node["inputs"] if name and name not in constants] for node in self.nodes]
        self.names = [[tensor["name"] for tensor in graph[side]] for side in ("inputs", "outputs")]

    def forward(self, tensors):
        return self.compute(tensors)

    @paddle.jit.not_to_static  # nothing here depends on values: tracing sees all there is
    def compute(self, tensors):
        inputs, outputs = self.names
        values = dict(zip(inputs, tensors))
        for step, node, reads in zip(self.steps, self.nodes, self.reads):
            results = step(*[values[name] for name in reads])
            values.update(zip(node["outputs"], results if isinstance(results, (list, tuple)) else [results]))
        return [values[name] for name in outputs]


LAYERS = {
    "Abs": lambda _: paddle.abs,
    "Add": applying(paddle.add),
    "And": applying(paddle.logical_and),
    "AveragePool": layers.average_pool,
    "BatchNormalization": layers.batch_normalization,
    "Cast": f.cast,
    "Clip": f.clip,
    "Concat": f.concat,
    "Conv": layers.conv,
    "ConvTranspose": layers.conv_transpose,
    "Div": applying(f.divide),
    "Elu": lambda node: nn.ELU(node.attributes["alpha"]),
    "Equal": applying(paddle.equal),
    "Erf": lambda _: paddle.erf,
    "Exp": lambda _: paddle.exp,
    "Expand": f.expand,
    "Flatten": f.flatten,
    "Floor": lambda _: paddle.floor,
    "Gather": f.gather,
    "Gelu": lambda _: nn.GELU(),
    "Gemm": layers.gemm,
    "GlobalAveragePool": lambda _: nn.AdaptiveAvgPool2D(1),
    "GlobalMaxPool": f.global_max_pool,
    "Greater": applying(paddle.greater_than),
    "GreaterOrEqual": applying(paddle.greater_equal),
    "HardSigmoid": f.hard_sigmoid,
    "HardSwish": lambda _: nn.Hardswish(),
    "IsNaN": lambda _: paddle.isnan,
    "LayerNormalization": layers.layer_normalization,
    "LeakyRelu": lambda node: nn.LeakyReLU(node.attributes["alpha"]),
    "Less": applying(paddle.less_than),
    "LessOrEqual": applying(paddle.less_equal),
    "Log": lambda _: paddle.log,
    "MatMul": layers.matmul,
    "Max": f.folded(paddle.maximum),
    "MaxPool": layers.max_pool,
    "Min": f.folded(paddle.minimum),
    "Mul": applying(paddle.multiply),
    "Neg": lambda _: paddle.neg,
    "Not": lambda _: paddle.logical_not,
    "Or": applying(paddle.logical_or),
    "PRelu": layers.prelu,
    "Pad": f.pad,
    "Pow": applying(paddle.pow),
    "Reciprocal": lambda _: paddle.reciprocal,
    "ReduceMax": f.reduction(paddle.max),
    "ReduceMean": f.reduction(paddle.mean),
    "ReduceMin": f.reduction(paddle.min),
    "ReduceSum": f.reduction(f.total),
    "Relu": lambda _: nn.ReLU(),
    "Reshape": f.reshape,
    "Resize": layers.resize,
    "Sigmoid": lambda _: nn.Sigmoid(),
    "Slice": f.slice_,
    "Softmax": lambda node: nn.Softmax(node.attributes["axis"]),
    "Softplus": lambda _: nn.Softplus(),
    "Split": f.split,
    "Sqrt": lambda _: paddle.sqrt,
    "Sub": applying(paddle.subtract),
    "Tanh": lambda _: nn.Tanh(),
    "Transpose": f.transpose,
    "Unsqueeze": f.unsqueeze,
    "Where": applying(paddle.where),
}
"""ONNX operator -> function from a `Node` to what computes it."""
