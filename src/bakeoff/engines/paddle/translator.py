"""Builds a network of ``paddle.nn`` layers from a plain graph: no maintained importer reads ONNX for today's Paddle."""

import json
import os

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional

IMAGE_PADS = 4
DTYPES = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}
"""TensorProto.DataType of ONNX -> what Paddle calls it."""


def translate(folder):
    """The plain graph in `folder` as a ``paddle.nn.Layer`` in evaluation mode, from NCHW tensors to such.

    Raises NotImplementedError naming every operator that has no translation.
    """
    with open(os.path.join(folder, "graph.json"), encoding="utf-8") as f:
        graph = json.load(f)
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
            values[node["outputs"][0]] = step(*[values[name] for name in reads])
        return [values[name] for name in outputs]


class Node:
    """A node with its attributes, and its constants by position."""

    def __init__(self, node, weights):
        self.attributes, self.inputs, self.outputs = node["attributes"], node["inputs"], node["outputs"]
        self.constants = {i: weights[name] for i, name in enumerate(self.inputs) if name in weights}

    def constant(self, index):
        """The constant that is input `index`; raises NotImplementedError where it is computed."""
        if index not in self.constants:
            raise NotImplementedError("with a computed input {}".format(index))
        return self.constants[index]

    def optional(self, index):
        """The same, or None where the input is absent."""
        return self.constant(index) if index < len(self.inputs) and self.inputs[index] else None

    def window(self):
        """Kernel, stride and padding (top, bottom, left, right) over two axes, as Paddle's layers take them."""
        pads = self.attributes["pads"]
        if len(pads) != IMAGE_PADS:
            raise NotImplementedError("over {} axes".format(len(pads) // 2))
        top, left, bottom, right = pads
        return self.attributes["kernel_shape"], self.attributes["strides"], [top, bottom, left, right]


# Layers with weights


def filled(layer, **values):
    """`layer` with its parameters and buffers set to the arrays of `values`; those that are None it does not have."""
    for name, value in values.items():
        if value is not None:
            getattr(layer, name).set_value(np.ascontiguousarray(value))
    return layer


def conv(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    weight, bias = node.constant(1), node.optional(2)
    layer = nn.Conv2D(
        weight.shape[1] * attributes["group"],
        weight.shape[0],
        kernel,
        stride=stride,
        padding=padding,
        dilation=attributes["dilations"],
        groups=attributes["group"],
        bias_attr=None if bias is not None else False,
    )
    return filled(layer, weight=weight, bias=bias)


def batch_normalization(node):
    scale, shift, mean, variance = (node.constant(i) for i in range(1, 5))
    layer = nn.BatchNorm2D(len(scale), epsilon=node.attributes["epsilon"])
    return filled(layer, weight=scale, bias=shift, _mean=mean, _variance=variance)


def gemm(node):
    attributes, weight, bias = node.attributes, node.constant(1), node.optional(2)
    if attributes["transA"]:
        raise NotImplementedError("with transA")
    weight = attributes["alpha"] * (weight.T if attributes["transB"] else weight)
    return linear(weight, None if bias is None else attributes["beta"] * bias)


def matmul(node):
    if not node.constants:
        return paddle.matmul
    weight = node.constant(1)
    if weight.ndim != 2:  # noqa: PLR2004
        raise NotImplementedError("with a constant of {} axes".format(weight.ndim))
    return linear(weight, None)


def layer_normalization(node):
    scale = node.constant(1)
    return filled(nn.LayerNorm(len(scale), node.attributes["epsilon"]), weight=scale, bias=node.constant(2))


def linear(weight, bias):
    layer = nn.Linear(*weight.shape, bias_attr=None if bias is not None else False)
    return filled(layer, weight=weight, bias=bias if bias is None else np.broadcast_to(bias, weight.shape[1:]))


# Pooling


def max_pool(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    if len(node.outputs) > 1 and node.outputs[1]:
        raise NotImplementedError("with indices")
    if set(attributes["dilations"]) != {1}:
        raise NotImplementedError("with dilations")
    return nn.MaxPool2D(kernel, stride, padding, ceil_mode=bool(attributes["ceil_mode"]))


def average_pool(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    exclusive = not attributes["count_include_pad"]
    return nn.AvgPool2D(kernel, stride, padding, ceil_mode=bool(attributes["ceil_mode"]), exclusive=exclusive)


# Arithmetic and shapes: functions of the tensors that are not constant


def clip(node):
    low, high = (None if bound is None else float(bound) for bound in (node.optional(1), node.optional(2)))
    return nn.ReLU6() if (low, high) == (0.0, 6.0) else lambda x: paddle.clip(x, low, high)


def arithmetic(function):
    """`function` of two operands, of which one may be constant."""

    def build(node):
        if len(node.constants) > 1:
            raise NotImplementedError("of constants alone")
        if not node.constants:
            return function
        [(side, value)] = node.constants.items()
        return Constant(function, value, side)

    return build


class Constant(nn.Layer):
    """`function` with a constant, its operand number `side`."""

    def __init__(self, function, operand, side):
        super().__init__()
        self.function, self.side = function, side
        self.register_buffer("operand", paddle.to_tensor(operand))

    def forward(self, x):
        return self.function(self.operand, x) if self.side == 0 else self.function(x, self.operand)


def concat(node):
    if node.constants:
        raise NotImplementedError("with a constant part")
    axis = node.attributes["axis"]
    return lambda *tensors: paddle.concat(tensors, axis)


def flatten(node):
    if node.attributes["axis"] != 1:
        raise NotImplementedError("from axis {}".format(node.attributes["axis"]))
    return nn.Flatten()


def reshape(node):
    shape = [int(size) for size in node.constant(1)]
    return lambda x: paddle.reshape(x, shape)


def unsqueeze(node):
    axes = [int(axis) for axis in node.constant(1)]
    return lambda x: paddle.unsqueeze(x, axes)


def gather(node):
    """Rows of a constant table by computed indices, or of a tensor at constant ones."""
    axis = node.attributes["axis"]
    if list(node.constants) == [0] and node.constants[0].ndim == 2 and axis == 0:  # noqa: PLR2004
        return Constant(lambda table, indices: functional.embedding(indices, table), node.constants[0], 0)
    index = node.constant(1)
    if index.ndim == 1:
        return Constant(lambda x, indices: paddle.index_select(x, indices, axis), index.reshape(-1), 1)
    at = int(index)
    return lambda x: paddle.index_select(x, paddle.to_tensor([at]), axis).squeeze(axis)


def cast(node):
    if node.attributes["to"] not in DTYPES:
        raise NotImplementedError("to ONNX type {}".format(node.attributes["to"]))
    dtype = DTYPES[node.attributes["to"]]
    return lambda x: x.astype(dtype)


def reduce_mean(node):
    axes, keepdim = node.attributes["axes"], bool(node.attributes["keepdims"])
    return lambda x: paddle.mean(x, axes, keepdim)


def transpose(node):
    perm = node.attributes["perm"]
    return lambda x: paddle.transpose(x, perm)


def hard_sigmoid(node):
    slope, offset = node.attributes["alpha"], node.attributes["beta"]
    return lambda x: functional.hardsigmoid(x, slope, offset)


LAYERS = {
    "Add": arithmetic(paddle.add),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "Div": arithmetic(paddle.divide),
    "Erf": lambda _: paddle.erf,
    "Flatten": flatten,
    "Gather": gather,
    "Gelu": lambda _: nn.GELU(),
    "Gemm": gemm,
    "GlobalAveragePool": lambda _: nn.AdaptiveAvgPool2D(1),
    "HardSigmoid": hard_sigmoid,
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda node: nn.LeakyReLU(node.attributes["alpha"]),
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": arithmetic(paddle.multiply),
    "Pow": arithmetic(paddle.pow),
    "ReduceMean": reduce_mean,
    "Relu": lambda _: nn.ReLU(),
    "Reshape": reshape,
    "Sigmoid": lambda _: nn.Sigmoid(),
    "Softmax": lambda node: nn.Softmax(node.attributes["axis"]),
    "Sqrt": lambda _: paddle.sqrt,
    "Sub": arithmetic(paddle.subtract),
    "Tanh": lambda _: nn.Tanh(),
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
"""ONNX operator -> function from a `Node` to what computes it."""
