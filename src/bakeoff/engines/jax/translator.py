"""Builds a JAX function from a plain graph, in the graph's own order of axes."""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

SPATIAL = "DHW"


def translate(folder):
    """The plain graph in `folder` as a function from the graph's inputs, in order, to a list of its outputs.

    Raises NotImplementedError naming every operator that has no translation.
    """
    with open(os.path.join(folder, "graph.json"), encoding="utf-8") as f:
        graph = json.load(f)
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as archive:
        weights = {name: archive[name] for name in archive.files}
    lacking = sorted({node["op"] for node in graph["nodes"]} - set(OPERATORS))
    if lacking:
        raise NotImplementedError("no JAX translation for: " + ", ".join(lacking))

    def network(*inputs):
        values = dict(weights, **dict(zip([tensor["name"] for tensor in graph["inputs"]], inputs)))
        for node in graph["nodes"]:
            operands = [values[name] if name else None for name in node["inputs"]]
            results = evaluate(node, operands)
            values.update(zip(node["outputs"], results if isinstance(results, (list, tuple)) else [results]))
        return [values[tensor["name"]] for tensor in graph["outputs"]]

    return network


def evaluate(node, operands):
    try:
        return OPERATORS[node["op"]](node["attributes"], *operands)
    except NotImplementedError as error:
        raise NotImplementedError("no JAX translation for: {} {}".format(node["op"], error)) from error


# Convolution and pooling


def pairs(pads):
    """ONNX's pads, all beginnings before all ends, as a pair for each axis."""
    half = len(pads) // 2
    return list(zip(pads[:half], pads[half:]))


def conv(attributes, x, weight, bias=None):
    axes = SPATIAL[-len(attributes["kernel_shape"]) :]
    y = lax.conv_general_dilated(
        x,
        weight,
        window_strides=attributes["strides"],
        padding=pairs(attributes["pads"]),
        rhs_dilation=attributes["dilations"],
        dimension_numbers=("NC" + axes, "OI" + axes, "NC" + axes),
        feature_group_count=attributes["group"],
    )
    return y if bias is None else y + bias.reshape(-1, *[1] * len(axes))


def conv_transpose(attributes, x, weight, bias=None):
    """A convolution of `x` with its values moved `strides` apart, and the kernel turned round."""
    axes, group = SPATIAL[-len(attributes["kernel_shape"]) :], attributes["group"]
    reach = [(k - 1) * d for k, d in zip(attributes["kernel_shape"], attributes["dilations"])]
    more = attributes["output_padding"]
    padding = [(r - a, r - b + m) for r, (a, b), m in zip(reach, pairs(attributes["pads"]), more)]
    # ONNX has a kernel's inputs first, all groups' one after another; a convolution in groups has their outputs so.
    of_groups = weight.reshape(group, -1, *weight.shape[1:])
    kernel = of_groups.swapaxes(1, 2).reshape(-1, of_groups.shape[1], *weight.shape[2:])
    y = lax.conv_general_dilated(
        x,
        jnp.flip(kernel, range(2, weight.ndim)),
        window_strides=[1] * len(axes),
        padding=padding,
        lhs_dilation=attributes["strides"],
        rhs_dilation=attributes["dilations"],
        dimension_numbers=("NC" + axes, "OI" + axes, "NC" + axes),
        feature_group_count=group,
    )
    return y if bias is None else y + bias.reshape(-1, *[1] * len(axes))


def batch_normalization(attributes, x, scale, shift, mean, variance):
    factor = scale / np.sqrt(variance + np.asarray(attributes["epsilon"], variance.dtype))
    per_channel = (-1, *[1] * (x.ndim - 2))
    return x * factor.reshape(per_channel) + (shift - mean * factor).reshape(per_channel)


def normed(x, axes, epsilon):
    centred = x - jnp.mean(x, axis=axes, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=axes, keepdims=True)
    return centred * lax.rsqrt(variance + np.asarray(epsilon, x.dtype))


def layer_normalization(attributes, x, scale, shift):
    return normed(x, tuple(range(attributes["axis"], 0)), attributes["epsilon"]) * scale + shift


def group_normalization(attributes, x, scale, shift):
    groups = x.reshape(x.shape[0], attributes["num_groups"], -1)
    per_channel = (-1, *[1] * (x.ndim - 2))
    y = normed(groups, (2,), attributes["epsilon"]).reshape(x.shape)
    return y * scale.reshape(per_channel) + shift.reshape(per_channel)


def windows(attributes, x, start, function):
    """`function` folded over every window of `x`, whose padding is `start`."""
    return lax.reduce_window(
        x,
        start,
        function,
        window_dimensions=(1, 1, *attributes["kernel_shape"]),
        window_strides=(1, 1, *attributes["strides"]),
        padding=[(0, 0), (0, 0), *pairs(attributes["pads"])],
        window_dilation=(1, 1, *attributes["dilations"]),
    )


def max_pool(attributes, x):
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return windows(attributes, x, np.asarray(lowest, x.dtype), lax.max)


def average_pool(attributes, x):
    zero = np.zeros((), x.dtype)
    total = windows(attributes, x, zero, lax.add)
    if attributes["count_include_pad"] or not any(attributes["pads"]):
        return total / int(np.prod(attributes["kernel_shape"]))
    with jax.ensure_compile_time_eval():
        counts = windows(attributes, jnp.ones((1, 1, *x.shape[2:]), x.dtype), zero, lax.add)
    return total / counts


def resize(attributes, x):
    if attributes["way"] == "repeat":
        for axis, times in enumerate(attributes["repeats"], start=2):
            x = jnp.repeat(x, times, axis=axis)
        return x
    if attributes["way"] == "half_pixel":
        return jax.image.resize(x, (*x.shape[:2], *attributes["sizes"]), "linear", antialias=False)
    for axis, size in enumerate(attributes["sizes"], start=2):
        x = held_at_corners(x, axis, size)
    return x


def held_at_corners(x, axis, size):
    """`x` stretched along an axis, with the middles of the first and the last pixel where they were."""
    places = np.linspace(0, x.shape[axis] - 1, size)
    left = np.minimum(np.floor(places).astype(np.int64), max(0, x.shape[axis] - 2))
    share = (places - left).astype(x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
    right = np.minimum(left + 1, x.shape[axis] - 1)
    return jnp.take(x, left, axis=axis) * (1 - share) + jnp.take(x, right, axis=axis) * share


# Axes, parts and places


def slice_(attributes, x):
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(*(attributes[name] for name in ("starts", "ends", "axes", "steps"))):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def expand(attributes, x):
    return jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, tuple(attributes["shape"])))


def split(attributes, x):
    return jnp.split(x, np.cumsum(attributes["split"])[:-1].tolist(), axis=attributes["axis"])


def scatter_rows(attributes, x, places, updates):
    rows = jnp.asarray(x).at[places]
    write = {"none": rows.set, "add": rows.add, "mul": rows.multiply, "max": rows.max, "min": rows.min}
    return write[attributes["reduction"]](updates)


def top_k(attributes, x):
    """Equal values in their own order, which `lax.top_k` and a stable sort keep."""
    axis, largest = attributes["axis"], attributes["largest"]
    order = jnp.argsort(x, axis=axis, stable=True, descending=bool(largest))
    first = lax.slice_in_dim(order, 0, attributes["k"], axis=axis)
    return jnp.take_along_axis(x, first, axis=axis), first.astype(np.int64)


def cast(attributes, x):
    return jnp.asarray(x).astype(attributes["to"])


def divide_integers(_, x, y):
    return lax.div(*jnp.broadcast_arrays(x, y))


def reduction(function):
    return lambda a, x: function(x, axis=tuple(a["axes"]), keepdims=bool(a["keepdims"]))


def arg(function):
    return lambda a, x: function(x, axis=a["axis"], keepdims=bool(a["keepdims"])).astype(np.int64)


def plain(function):
    """An operator without attributes that is `function` of its operands."""
    return lambda _attributes, *operands: function(*operands)


def linear(_, x, weight, bias=None):
    y = x @ weight.T
    return y if bias is None else y + bias


OPERATORS = {
    "Abs": plain(jnp.abs),
    "Acos": plain(jnp.arccos),
    "Acosh": plain(jnp.arccosh),
    "Add": plain(jnp.add),
    "And": plain(jnp.logical_and),
    "ArgMax": arg(jnp.argmax),
    "ArgMin": arg(jnp.argmin),
    "Asin": plain(jnp.arcsin),
    "Asinh": plain(jnp.arcsinh),
    "Atan": plain(jnp.arctan),
    "Atanh": plain(jnp.arctanh),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "BitwiseAnd": plain(jnp.bitwise_and),
    "BitwiseNot": plain(jnp.bitwise_not),
    "BitwiseOr": plain(jnp.bitwise_or),
    "BitwiseXor": plain(jnp.bitwise_xor),
    "Cast": cast,
    "Ceil": plain(jnp.ceil),
    "Clip": lambda a, x: jnp.clip(x, a["min"], a["max"]),
    "Concat": lambda a, *parts: jnp.concatenate(parts, a["axis"]),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Cos": plain(jnp.cos),
    "Cosh": plain(jnp.cosh),
    "CumSum": lambda a, x: jnp.cumsum(x, axis=a["axis"], dtype=x.dtype),
    "Det": plain(jnp.linalg.det),
    "Div": plain(jnp.divide),
    "Einsum": lambda a, *operands: jnp.einsum(a["equation"], *operands),
    "Elu": lambda a, x: jax.nn.elu(x, a["alpha"]),
    "Equal": plain(jnp.equal),
    "Erf": plain(lax.erf),
    "Exp": plain(jnp.exp),
    "Expand": expand,
    "Flatten": lambda _, x: x.reshape(x.shape[0], -1),
    "Floor": plain(jnp.floor),
    "Gather": lambda a, x, indices: jnp.take(x, indices, axis=a["axis"]),
    "GatherElements": lambda a, x, indices: jnp.take_along_axis(x, indices, axis=a["axis"]),
    "Gelu": lambda _, x: jax.nn.gelu(x, approximate=False),
    "GlobalAveragePool": lambda _, x: jnp.mean(x, axis=(2, 3), keepdims=True),
    "GlobalMaxPool": lambda _, x: jnp.max(x, axis=(2, 3), keepdims=True),
    "Greater": plain(jnp.greater),
    "GreaterOrEqual": plain(jnp.greater_equal),
    "GroupNormalization": group_normalization,
    "HardSigmoid": lambda a, x: jnp.clip(x * a["alpha"] + a["beta"], 0, 1),
    "HardSwish": lambda _, x: x * jnp.clip(x / 6 + 0.5, 0, 1),
    "Identity": lambda _, x: x,
    "IntegerDiv": divide_integers,
    "IsNaN": plain(jnp.isnan),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda a, x: jnp.where(x >= 0, x, a["alpha"] * x),
    "Less": plain(jnp.less),
    "LessOrEqual": plain(jnp.less_equal),
    "Linear": linear,
    "Log": plain(jnp.log),
    "MatMul": plain(jnp.matmul),
    "Max": plain(jnp.maximum),
    "MaxPool": max_pool,
    "Min": plain(jnp.minimum),
    "Mod": lambda a, x, y: jnp.fmod(x, y) if a["fmod"] else jnp.mod(x, y),
    "Mul": plain(jnp.multiply),
    "Neg": plain(jnp.negative),
    "Not": plain(jnp.logical_not),
    "Or": plain(jnp.logical_or),
    "PRelu": lambda _, x, slope: jnp.where(x >= 0, x, slope.reshape(-1, *[1] * (x.ndim - 2)) * x),
    "Pad": lambda a, x: jnp.pad(x, pairs(a["pads"]), constant_values=a["value"]),
    "Pow": plain(jnp.power),
    "Reciprocal": plain(jnp.reciprocal),
    "ReduceMax": reduction(jnp.max),
    "ReduceMean": reduction(jnp.mean),
    "ReduceMin": reduction(jnp.min),
    "ReduceProd": reduction(jnp.prod),
    "ReduceSum": reduction(jnp.sum),
    "Relu": plain(jax.nn.relu),
    "Reshape": lambda a, x: x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(a["shape"])]),
    "Resize": resize,
    "Round": plain(jnp.round),
    "ScatterRows": scatter_rows,
    "Sigmoid": plain(jax.nn.sigmoid),
    "Sign": plain(jnp.sign),
    "Sin": plain(jnp.sin),
    "Sinh": plain(jnp.sinh),
    "Slice": slice_,
    "Softmax": lambda a, x: jax.nn.softmax(x, axis=a["axis"]),
    "Softplus": plain(jax.nn.softplus),
    "Split": split,
    "Sqrt": plain(jnp.sqrt),
    "Sub": plain(jnp.subtract),
    "Tan": plain(jnp.tan),
    "Tanh": plain(jnp.tanh),
    "Tile": lambda a, x: jnp.tile(x, a["repeats"]),
    "TopK": top_k,
    "Transpose": lambda a, x: jnp.transpose(x, a["perm"]),
    "Where": plain(jnp.where),
    "Xor": plain(jnp.logical_xor),
}
"""ONNX operator -> function from its attributes and operands (None for one left out) to its result or results."""
