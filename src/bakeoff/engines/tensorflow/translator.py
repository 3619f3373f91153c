"""Builds a Keras model from a plain graph. Good for Keras 2.2.4, `tf.keras` of TensorFlow 1 and today's Keras 3.

A plain graph is NCHW, Keras' layers on a CPU are NHWC. In a graph of images every tensor of four axes here is NHWC;
wherever its meaning hangs on the order of its axes (flattening, axis numbers, constants), it is put right. A graph
without images keeps its own order.
"""

import operator

import numpy as np
from builder import Builder, read
from layout import IMAGE_AXES, shape_of

DTYPES = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""TensorProto.DataType -> Keras' name."""


def translate(folder, keras, batch_size):
    """The plain graph in `folder` as a `keras.Model` with NHWC inputs and outputs, its weights set.

    `keras` is the module to build with; `batch_size` None leaves the batch open. Raises NotImplementedError naming
    every operator that has no translation.
    """
    graph, weights = read(folder)
    lacking = sorted({node["op"] for node in graph["nodes"]} - set(LAYERS))
    if lacking:
        raise NotImplementedError("no Keras translation for: " + ", ".join(lacking))
    return Builder(graph, weights, keras).build(batch_size, LAYERS)


# Layers with weights


def conv(build, node, attributes):
    weight, bias, group = build.constant(node, 1), build.constant(node, 2), attributes["group"]
    x, padding = build.padded(node, build.input(node))
    common = {
        "kernel_size": attributes["kernel_shape"],
        "strides": attributes["strides"],
        "padding": padding,
        "dilation_rate": attributes["dilations"],
        "use_bias": bias is not None,
    }
    channels_in, biases = weight.shape[1] * group, [] if bias is None else [bias]
    if group == channels_in and group > 1:
        multiplier = weight.shape[0] // group
        layer = build.layers.DepthwiseConv2D(depth_multiplier=multiplier, depthwise_initializer="zeros", **common)
        kernel = weight.reshape(group, multiplier, *weight.shape[2:]).transpose(2, 3, 0, 1)
    else:
        if group > 1:
            common["groups"] = group
        layer = build.layers.Conv2D(weight.shape[0], kernel_initializer="zeros", **common)
        kernel = weight.transpose(2, 3, 1, 0)
    return build.filled(layer, x, [kernel, *biases])


def batch_normalization(build, node, attributes):
    if attributes.get("training_mode"):
        raise NotImplementedError("in training mode")
    layer = build.layers.BatchNormalization(axis=-1, epsilon=attributes["epsilon"])
    return build.filled(layer, build.input(node), [build.constant(node, i) for i in range(1, 5)])


def gemm(build, node, attributes):
    weight, bias = build.constant(node, 1), build.constant(node, 2)
    if attributes["transA"]:
        raise NotImplementedError("with transA")
    weight = weight.T if attributes["transB"] else weight
    if bias is not None:
        bias = np.broadcast_to(attributes["beta"] * bias, (1, weight.shape[1]))[0]
    return dense(build, node, attributes["alpha"] * weight, bias)


def matmul(build, node, _attributes):
    operands = build.inputs(node)
    if len(operands) > 1 and not build.images:
        return build.computed(lambda pair: build.math.matmul(*pair), operands)
    weight = build.constant(node, 1)
    if weight.ndim != 2 or (build.images and len(shape_of(build.input(node))) == IMAGE_AXES):  # noqa: PLR2004
        raise NotImplementedError("other than with a constant of two axes")
    return dense(build, node, weight, None)


def gather(build, node, attributes):
    """Rows of a constant table by computed indices."""
    table = build.weights.get(node["inputs"][0])
    if table is None or table.ndim != 2 or attributes["axis"] != 0:  # noqa: PLR2004
        raise NotImplementedError("other than of a constant table's rows")
    layer = build.layers.Embedding(*table.shape, embeddings_initializer="zeros")
    return build.filled(layer, build.values[node["inputs"][1]], [table])


def dense(build, node, weight, bias):
    layer = build.layers.Dense(weight.shape[1], use_bias=bias is not None, kernel_initializer="zeros")
    return build.filled(layer, build.input(node), [weight] if bias is None else [weight, bias])


def layer_normalization(build, node, attributes):
    if build.images:
        raise NotImplementedError("of images")
    layer = build.layers.LayerNormalization(axis=-1, epsilon=attributes["epsilon"])
    return build.filled(layer, build.input(node), [build.constant(node, 1), build.constant(node, 2)])


# Pooling


def max_pool(build, node, attributes):
    if len(node["outputs"]) > 1 and node["outputs"][1]:
        raise NotImplementedError("with indices")
    if attributes["dilations"] != [1] * len(attributes["dilations"]):
        raise NotImplementedError("with dilations")
    return pool(build, node, attributes, build.layers.MaxPooling2D, float("-inf"))


def average_pool(build, node, attributes):
    if attributes["ceil_mode"]:
        raise NotImplementedError("with ceil_mode")
    x = build.input(node)
    padding_counts = any(attributes["pads"]) and attributes["count_include_pad"]
    if padding_counts:
        top, left, bottom, right = attributes["pads"]
        x = build.layers.ZeroPadding2D(((top, bottom), (left, right)))(x)
    elif build.padded(node, x)[1] == "valid" and any(attributes["pads"]):
        raise NotImplementedError("with padding left out of the average")
    unpadded = dict(node, attributes=dict(attributes, pads=[0] * 4)) if padding_counts else node
    return pool(build, unpadded, unpadded["attributes"], build.layers.AveragePooling2D, 0.0, x)


def pool(build, node, attributes, layer, value, x=None):
    x, padding = build.padded(node, build.input(node) if x is None else x, value)
    return layer(attributes["kernel_shape"], strides=attributes["strides"], padding=padding)(x)


def global_average_pool(build, node, _attributes):
    """(N, C), where the graph has (N, C, 1, 1), if all that follows is a Flatten; else (N, 1, 1, C)."""
    x = build.input(node)
    y = build.layers.GlobalAveragePooling2D()(x)
    readers = [other["op"] for other in build.graph["nodes"] if node["outputs"][0] in other["inputs"]]
    is_output = node["outputs"][0] in [o["name"] for o in build.graph["outputs"]]
    if set(readers) == {"Flatten"} and not is_output:
        return y
    return build.layers.Reshape((1, 1, shape_of(x)[-1]))(y)


def reduce_mean(build, node, attributes):
    x = build.input(node)
    if not build.images:
        return build.computed(lambda t: build.math.mean(t, attributes["axes"], bool(attributes["keepdims"])), x)
    if len(shape_of(x)) != IMAGE_AXES or sorted(axis % IMAGE_AXES for axis in attributes["axes"]) != [2, 3]:
        raise NotImplementedError("over other axes than an image's height and width")
    if attributes["keepdims"]:
        return global_average_pool(build, node, attributes)
    return build.layers.GlobalAveragePooling2D()(x)


# Activations and arithmetic


def activation(name):
    return lambda build, node, _: build.layers.Activation(name)(build.input(node))


def clip(build, node, _attributes):
    low, high = build.constant(node, 1), build.constant(node, 2)
    if low is not None and float(low) == 0.0 and hasattr(build.layers, "ReLU"):
        return build.layers.ReLU(max_value=None if high is None else float(high))(build.input(node))
    bounds = float("-inf" if low is None else low), float("inf" if high is None else high)
    return build.computed(lambda x: build.math.clip(x, *bounds), build.input(node))


def hard_sigmoid(build, node, attributes):
    alpha, beta = attributes["alpha"], attributes["beta"]
    return build.computed(lambda x: build.math.clip(x * alpha + beta, 0.0, 1.0), build.input(node))


def hard_swish(build, node, _attributes):
    return build.computed(lambda x: x * build.math.clip(x / 6.0 + 0.5, 0.0, 1.0), build.input(node))


def softmax(build, node, attributes):
    x = build.input(node)
    return build.layers.Softmax(axis=build.axis(attributes["axis"], x))(x)


def cast(build, node, attributes):
    if attributes["to"] not in DTYPES:
        raise NotImplementedError("to ONNX's type {}".format(attributes["to"]))
    return build.computed(lambda x: build.math.cast(x, DTYPES[attributes["to"]]), build.input(node))


def gelu(build, node, _attributes):
    return build.computed(lambda x: build.math.gelu(x, approximate=False), build.input(node))


def plain(name):
    """The function of Keras' own of that name."""
    return lambda build, node, _: build.computed(getattr(build.math, name), build.input(node))


def arithmetic(layer_name, with_constant, from_constant):
    """Of two tensors by the layer of that name; with a constant after or before a tensor by a function of both."""

    def build_arithmetic(build, node, _attributes):
        tensors = build.inputs(node)
        if len(tensors) == 1:
            constant_first = node["inputs"][0] in build.weights
            function = from_constant if constant_first else with_constant
            if function:
                constant = constant_for(build, tensors[0], build.weights[node["inputs"][0 if constant_first else 1]])
                return build.computed(lambda x: function(x, constant), tensors[0])
        if len(tensors) != len(node["inputs"]):
            raise NotImplementedError("of such operands")
        if not layer_name:
            return build.computed(lambda pair: with_constant(*pair), tensors)
        if len({len(shape_of(x)) for x in tensors}) > 1:
            raise NotImplementedError("of tensors of unlike rank")
        return getattr(build.layers, layer_name)()(tensors)

    return build_arithmetic


def constant_for(build, x, constant):
    """`constant` with as many axes as `x`, in their order."""
    rank = len(shape_of(x))
    if constant.ndim > rank:
        raise NotImplementedError("with a constant of more axes than the tensor")
    return constant.reshape((1,) * (rank - constant.ndim) + constant.shape).transpose(build.order(rank))


def concat(build, node, attributes):
    inputs = build.inputs(node)
    if len(inputs) != len(node["inputs"]):
        raise NotImplementedError("with a constant")
    axis = build.axis(attributes["axis"], inputs[0])
    return inputs[0] if len(inputs) == 1 else build.layers.Concatenate(axis=axis)(inputs)


# Shapes


def flatten(build, node, attributes):
    if attributes["axis"] != 1:
        raise NotImplementedError("from axis {}".format(attributes["axis"]))
    return flat(build, build.input(node))


def flat(build, x):
    """(N, C*H*W) in the graph's own order: channels outermost."""
    shape = shape_of(x)
    if len(shape) == 2:  # noqa: PLR2004
        return x
    if build.images and len(shape) == IMAGE_AXES and shape[1:3] != (1, 1):
        x = build.layers.Permute((3, 1, 2))(x)
    return build.layers.Flatten()(x)


def reshape(build, node, _attributes):
    """The batch kept. Of images to two axes only: a Flatten in other words."""
    x, shape = build.input(node), build.constant(node, 1).tolist()
    if not build.images and shape[0] == 0:
        sizes = [shape_of(x)[axis] if size == 0 else size for axis, size in enumerate(shape)]
        return build.layers.Reshape(tuple(sizes[1:]))(x)
    size = int(np.prod(shape_of(x)[1:]))
    if len(shape) != 2 or shape[1] not in {-1, size}:  # noqa: PLR2004
        raise NotImplementedError("to {}".format(shape))
    return flat(build, x)


def transpose(build, node, attributes):
    if build.images or attributes["perm"][0] != 0:
        raise NotImplementedError("of images, or of the batch axis")
    return build.layers.Permute(tuple(attributes["perm"][1:]))(build.input(node))


LAYERS = {
    "Add": arithmetic("Add", operator.add, operator.add),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "Div": arithmetic(None, operator.truediv, None),
    "Erf": plain("erf"),
    "Flatten": flatten,
    "Gather": gather,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "Identity": lambda build, node, _: build.input(node),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda build, node, attributes: build.layers.LeakyReLU(attributes["alpha"])(build.input(node)),
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": arithmetic("Multiply", operator.mul, operator.mul),
    "Pow": arithmetic(None, operator.pow, None),
    "ReduceMean": reduce_mean,
    "Relu": activation("relu"),
    "Reshape": reshape,
    "Sigmoid": activation("sigmoid"),
    "Softmax": softmax,
    "Sqrt": plain("sqrt"),
    "Sub": arithmetic("Subtract", operator.sub, lambda x, constant: x * -1.0 + constant),
    "Tanh": activation("tanh"),
    "Transpose": transpose,
}
"""ONNX operator -> function from the builder, a node and its attributes to a Keras tensor."""
