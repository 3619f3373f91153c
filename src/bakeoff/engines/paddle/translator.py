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
    types = dict(graph["dtypes"], **{name: str(array.dtype) for name, array in weights.items()})
    steps, lacking = [], set()
    for node in graph["nodes"]:
        strange = {types.get(name, "float32") for name in [*node["inputs"], *node["outputs"]]} - TYPES
        if node["op"] not in LAYERS or strange:
            lacking.add(" of ".join([node["op"], *sorted(strange)]))
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
    "Add": applying(paddle.add),
    "And": applying(paddle.logical_and),
    "ArgMax": f.arg(paddle.argmax),
    "ArgMin": f.arg(paddle.argmin),
    "AveragePool": layers.average_pool,
    "BatchNormalization": layers.batch_normalization,
    "BitwiseAnd": applying(paddle.bitwise_and),
    "BitwiseNot": lambda _: paddle.bitwise_not,
    "BitwiseOr": applying(paddle.bitwise_or),
    "BitwiseXor": applying(paddle.bitwise_xor),
    "Cast": f.cast,
    "Clip": f.clip,
    "Concat": f.concat,
    "Conv": layers.conv,
    "ConvTranspose": layers.conv_transpose,
    "CumSum": f.cum_sum,
    "Div": applying(paddle.divide),
    "Einsum": f.einsum,
    "Elu": lambda node: nn.ELU(node.attributes["alpha"]),
    "Equal": applying(paddle.equal),
    "Expand": f.expand,
    "Flatten": lambda _: nn.Flatten(),
    "Gather": f.gather,
    "GatherElements": f.gather_elements,
    "Gelu": lambda _: nn.GELU(),
    "GlobalAveragePool": lambda _: nn.AdaptiveAvgPool2D(1),
    "GlobalMaxPool": f.global_max_pool,
    "Greater": applying(paddle.greater_than),
    "GreaterOrEqual": applying(paddle.greater_equal),
    "GroupNormalization": layers.group_normalization,
    "HardSigmoid": f.hard_sigmoid,
    "HardSwish": lambda _: nn.Hardswish(),
    "IntegerDiv": applying(f.divide_integers),
    "LayerNormalization": layers.layer_normalization,
    "LeakyRelu": lambda node: nn.LeakyReLU(node.attributes["alpha"]),
    "Less": applying(paddle.less_than),
    "LessOrEqual": applying(paddle.less_equal),
    "Linear": layers.linear,
    "MatMul": applying(paddle.matmul),
    "Max": applying(paddle.maximum),
    "MaxPool": layers.max_pool,
    "Min": applying(paddle.minimum),
    "Mod": f.modulo,
    "Mul": applying(paddle.multiply),
    "Not": lambda _: paddle.logical_not,
    "Or": applying(paddle.logical_or),
    "PRelu": layers.prelu,
    "Pad": f.pad,
    "Pow": applying(paddle.pow),
    "ReduceMax": f.reduction(paddle.max),
    "ReduceMean": f.reduction(paddle.mean),
    "ReduceMin": f.reduction(paddle.min),
    "ReduceProd": f.reduction(paddle.prod),
    "ReduceSum": f.reduction(f.total),
    "Relu": lambda _: nn.ReLU(),
    "Reshape": f.reshape,
    "Resize": layers.resize,
    "ScatterRows": f.scatter_rows,
    "Sigmoid": lambda _: nn.Sigmoid(),
    "Slice": f.slice_,
    "Softmax": lambda node: nn.Softmax(node.attributes["axis"]),
    "Softplus": lambda _: nn.Softplus(),
    "Split": f.split,
    "Sub": applying(paddle.subtract),
    "Tanh": lambda _: nn.Tanh(),
    "Tile": f.tile,
    "TopK": f.top_k,
    "Transpose": f.transpose,
    "Where": applying(paddle.where),
    "Xor": applying(paddle.logical_xor),
}
"""ONNX operator -> function from a `Node` to what computes it."""
ALIKE = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor"),
    *("IsNaN", "Log", "Neg", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Tan"),
)
"""Operators of one operand that Paddle calls the same, in small letters."""
LAYERS.update({name: f.always(getattr(paddle, name.lower())) for name in ALIKE})
TYPES = {"bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64"}
"""What Paddle calls uint16 is bfloat16, larger ones it knows by their names alone, and int16 it does not hand out."""
