"""Functions of numbers: activations, arithmetic, comparisons, reductions and products of matrices."""

import functools

import numpy as np
from layout import shape_of

DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""TensorProto.DataType -> Keras' name."""


# Activations


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


def gelu(build, node, _attributes):
    return build.computed(lambda x: build.math.gelu(x, approximate=False), build.input(node))


def leaky_relu(build, node, attributes):
    return build.layers.LeakyReLU(attributes["alpha"])(build.input(node))


def elu(build, node, attributes):
    return build.layers.ELU(attributes["alpha"])(build.input(node))


def prelu(build, node, _attributes):
    smaller, larger = build.math.minimum, build.math.maximum
    return of_operands(build, node, lambda x, slope: larger(x, 0.0) + smaller(x, 0.0) * slope)


# One value from one, or from those at the same place


def cast(build, node, attributes):
    if attributes["to"] not in DTYPES:
        raise NotImplementedError("to ONNX's type {}".format(attributes["to"]))
    return build.computed(lambda x: build.math.cast(x, DTYPES[attributes["to"]]), build.input(node))


def plain(name):
    """The function of Keras' own of that name, of one operand."""
    return lambda build, node, _: build.computed(getattr(build.math, name), build.input(node))


def elementwise(name):
    """The function of Keras' own of that name, of as many operands as it takes."""
    return lambda build, node, _: of_operands(build, node, getattr(build.math, name))


def folded(name):
    """The function of two operands, of however many, one after the other."""
    return lambda build, node, _: of_operands(
        build, node, lambda *operands: functools.reduce(getattr(build.math, name), operands)
    )


def arithmetic(layer_name, function_name):
    """Of tensors of the same rank by the layer of that name; of others and of constants by the function."""

    def build_arithmetic(build, node, attributes):
        tensors = build.inputs(node)
        alike = len({len(shape_of(x)) for x in tensors}) == 1
        if alike and len(tensors) == len(node["inputs"]) and hasattr(build.layers, layer_name):
            return getattr(build.layers, layer_name)()(tensors)
        return elementwise(function_name)(build, node, attributes)

    return build_arithmetic


def add(build, node, attributes):
    """Keras on TensorFlow makes a bias of a second operand that is a vector, and guesses along which axis.

    So vectors along any axis but the last go first.
    """
    if len(build.inputs(node)) == 1:
        return of_operands(build, node, lambda x, y: add_constant(build.math, x, y))
    vectors_first = sorted(node["inputs"], key=lambda name: not is_no_bias(shape_of(build.tensor(name))))
    return arithmetic("Add", "add")(build, dict(node, inputs=vectors_first), attributes)


def add_constant(math, x, y):
    tensor, constant = (y, x) if isinstance(x, np.ndarray) else (x, y)
    return math.add(constant, tensor) if is_no_bias(constant.shape) else math.add(tensor, constant)


def is_no_bias(shape):
    """Whether it is a vector's, along another axis than the last."""
    return len([size for size in shape if size != 1]) == 1 and shape[-1] == 1


def divide(build, node, attributes):
    if any("int" in str(x.dtype) for x in build.inputs(node)):
        raise NotImplementedError("of whole numbers")
    return elementwise("divide")(build, node, attributes)


def of_operands(build, node, function):
    """What `function` makes of the node's operands, the constants among them with as many axes as the others."""
    tensors, count = build.inputs(node), len(node["inputs"])
    if not tensors:
        raise NotImplementedError("of constants")
    rank = max(len(shape_of(x)) for x in tensors)
    constants = {
        place: constant_for(build, rank, build.weights[name])
        for place, name in enumerate(node["inputs"])
        if name in build.weights
    }

    def with_constants(given):
        others = iter(given if len(tensors) > 1 else [given])
        return function(*[constants[place] if place in constants else next(others) for place in range(count)])

    return build.computed(with_constants, tensors if len(tensors) > 1 else tensors[0])


def constant_for(build, rank, constant):
    """`constant` with at least `rank` axes, in the order of the tensors'."""
    missing = max(0, rank - constant.ndim)
    whole = constant.reshape((1,) * missing + constant.shape)
    return whole.transpose(build.order(whole.ndim))


# Reductions


def reduction(name):
    def build_reduction(build, node, attributes):
        keep = bool(attributes["keepdims"])
        if not keep:  # what is left of an image's axes would stand in another order
            build.keep_order()
        x, function = build.input(node), getattr(build.math, name)
        axes = tuple(build.axis(axis, x) for axis in attributes["axes"])
        return build.computed(lambda t: function(t, axis=axes, keepdims=keep), x)

    return build_reduction


# Products of matrices, and what goes along the last axis


def gemm(build, node, attributes):
    weight, bias = build.constant(node, 1), build.constant(node, 2)
    if attributes["transA"]:
        raise NotImplementedError("with transA")
    weight = weight.T if attributes["transB"] else weight
    if bias is not None:
        bias = np.broadcast_to(attributes["beta"] * bias, (1, weight.shape[1]))[0]
    return dense(build, node, attributes["alpha"] * weight, bias)


def matmul(build, node, _attributes):
    build.keep_order()
    constant = build.weights.get(node["inputs"][1])
    if constant is not None and constant.ndim == 2 and node["inputs"][0] in build.values:  # noqa: PLR2004
        return dense(build, node, constant, None)
    matrices = {name: build.weights[name] for name in node["inputs"] if name in build.weights}
    tensors, product = build.inputs(node), build.math.matmul
    if not matrices:
        return build.computed(lambda pair: product(*pair), tensors)
    if node["inputs"][0] in matrices:
        return build.computed(lambda x: product(matrices[node["inputs"][0]], x), tensors[0])
    return build.computed(lambda x: product(x, matrices[node["inputs"][1]]), tensors[0])


def dense(build, node, weight, bias):
    layer = build.layers.Dense(weight.shape[1], use_bias=bias is not None, kernel_initializer="zeros")
    return build.filled(layer, build.input(node), [weight] if bias is None else [weight, bias])


def layer_normalization(build, node, attributes):
    build.keep_order()
    x, scale, bias = build.input(node), build.constant(node, 1), build.constant(node, 2)
    if bias is None:
        raise NotImplementedError("without a bias")
    if not hasattr(build.layers, "LayerNormalization"):
        return build.computed(lambda t: normed(build.math, t, attributes["epsilon"]) * scale + bias, x)
    layer = build.layers.LayerNormalization(axis=-1, epsilon=attributes["epsilon"])
    return build.filled(layer, x, [scale, bias])


def normed(math, x, epsilon):
    """As Keras 2's users wrote it, who had no layer for it."""
    centred = x - math.mean(x, axis=-1, keepdims=True)
    variance = math.mean(math.multiply(centred, centred), axis=-1, keepdims=True)
    return centred / math.sqrt(variance + epsilon)
