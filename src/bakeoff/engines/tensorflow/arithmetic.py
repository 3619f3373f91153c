"""Functions of numbers: activations, arithmetic, comparisons, reductions and products of matrices."""

import numpy as np
from layout import shape_of

# Activations


def activation(name):
    return lambda build, node, _: build.layers.Activation(name)(build.input(node))


def clip(build, node, attributes):
    x, low, high = build.input(node), attributes["min"], attributes["max"]
    if low == 0.0 and "float" in str(x.dtype) and hasattr(build.layers, "ReLU"):
        return build.layers.ReLU(max_value=high)(x)
    least, most = limits(x)
    bounds = least if low is None else low, most if high is None else high
    return build.computed(lambda t: build.math.clip(t, *bounds), x)


def limits(x):
    """The least and the most that a tensor of such a type can hold."""
    name = getattr(x.dtype, "name", str(x.dtype))
    return (float("-inf"), float("inf")) if "float" in name else (np.iinfo(name).min, np.iinfo(name).max)


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
    x, slope = build.input(node), build.constant(node, 1)
    smaller, larger = build.math.minimum, build.math.maximum
    slopes = constant_for(build, len(shape_of(x)), slope.reshape(-1, *[1] * max(0, len(shape_of(x)) - 2)))
    return build.computed(lambda t: larger(t, 0.0) + smaller(t, 0.0) * slopes, x)


# One value from one, or from those at the same place


def cast(build, node, attributes):
    return build.computed(lambda x: build.math.cast(x, attributes["to"]), build.input(node))


def plain(name):
    """The function of Keras' own of that name, of one operand."""
    return lambda build, node, _: build.computed(getattr(build.math, name), build.input(node))


def elementwise(name):
    """The function of Keras' own of that name, of as many operands as it takes."""
    return lambda build, node, _: of_operands(build, node, getattr(build.math, name))


def arithmetic(layer_name, function_name):
    """Of tensors of the same rank and batch by the layer of that name; of others and of constants by the function."""

    def build_arithmetic(build, node, attributes):
        tensors = build.inputs(node)
        alike = len({(len(shape_of(x)), *shape_of(x)[:1]) for x in tensors}) == 1
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


def divide_integers(build, node, _attributes):
    """As in C: rounded towards zero."""
    math = build.math
    if any("uint" in str(x.dtype) for x in build.inputs(node)):
        return of_operands(build, node, math.floor_divide)
    return of_operands(
        build, node, lambda x, y: math.sign(x) * math.sign(y) * math.floor_divide(math.abs(x), math.abs(y))
    )


def modulo(build, node, attributes):
    if attributes["fmod"]:
        raise NotImplementedError("with the sign of the dividend")
    return elementwise("mod")(build, node, attributes)


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
    """`constant` in the order of the tensors, with at least `rank` axes if that is not the graph's."""
    if not build.nhwc:
        return constant
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


def arg(name):
    """The place of the first largest or smallest value along an axis."""

    def build_arg(build, node, attributes):
        build.keep_order()
        function, axis, keep = getattr(build.math, name), attributes["axis"], bool(attributes["keepdims"])
        return build.computed(lambda t: function(t, axis=axis, keepdims=keep), build.input(node))

    return build_arg


def cum_sum(build, node, attributes):
    build.keep_order()
    return build.computed(lambda t: build.math.cumsum(t, axis=attributes["axis"]), build.input(node))


# Products of matrices, and what goes along the last axis


def linear(build, node, _attributes):
    build.keep_order()
    weight, bias = build.constant(node, 1), build.constant(node, 2)
    layer = build.layers.Dense(weight.shape[0], use_bias=bias is not None, kernel_initializer="zeros")
    return build.filled(layer, build.input(node), [weight.T] if bias is None else [weight.T, bias])


def matmul(build, node, _attributes):
    build.keep_order()
    return of_operands(build, node, build.math.matmul)


def einsum(build, node, attributes):
    build.keep_order()
    return of_operands(build, node, lambda *operands: build.math.einsum(attributes["equation"], *operands))


def layer_normalization(build, node, attributes):
    build.keep_order()
    x, scale, bias = build.input(node), build.constant(node, 1), build.constant(node, 2)
    axes = list(range(attributes["axis"], 0))
    if not hasattr(build.layers, "LayerNormalization"):
        return build.computed(lambda t: normed(build.math, t, axes, attributes["epsilon"]) * scale + bias, x)
    layer = build.layers.LayerNormalization(axis=axes, epsilon=attributes["epsilon"])
    return build.filled(layer, x, [scale, bias])


def group_normalization(build, node, attributes):
    x = build.input(node)
    layer = build.layers.GroupNormalization(
        attributes["num_groups"], axis=build.axis(1, x), epsilon=attributes["epsilon"]
    )
    return build.filled(layer, x, [build.constant(node, 1), build.constant(node, 2)])


def normed(math, x, axes, epsilon):
    """As Keras 2's users wrote it, who had no layer for it."""
    centred = x - math.mean(x, axis=axes, keepdims=True)
    variance = math.mean(math.multiply(centred, centred), axis=axes, keepdims=True)
    return centred / math.sqrt(variance + epsilon)
