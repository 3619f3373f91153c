"""Builds a JAX function from a plain graph, in the graph's own order of axes.

What does not hang on the inputs (shapes, and what is computed from them) is computed while the function is traced, so
that `jax.jit` meets static shapes only.
"""

import functools
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
    """What `node` makes of `operands`: at once if all are constants, else as a part of the function being traced."""
    operator, attributes = OPERATORS[node["op"]], dict(node["attributes"], outputs=node["outputs"])
    try:
        if any(isinstance(operand, jax.core.Tracer) for operand in operands):
            return operator(attributes, *operands)
        with jax.ensure_compile_time_eval():
            return operator(attributes, *operands)
    except NotImplementedError as error:
        raise NotImplementedError("no JAX translation for: {} {}".format(node["op"], error)) from error


def constant(value, what):
    """`value` as a numpy array; it must not hang on the network's inputs."""
    if isinstance(value, jax.core.Tracer):
        raise NotImplementedError("with computed {}".format(what))
    return np.asarray(value)


def integers(value, what):
    return [int(item) for item in constant(value, what).ravel()]


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
    if attributes["group"] != 1 or "output_shape" in attributes:
        raise NotImplementedError("with groups or an output shape")
    axes = SPATIAL[-len(attributes["kernel_shape"]) :]
    reach = [(k - 1) * d for k, d in zip(attributes["kernel_shape"], attributes["dilations"])]
    more = attributes["output_padding"]
    padding = [(r - a, r - b + m) for r, (a, b), m in zip(reach, pairs(attributes["pads"]), more)]
    y = lax.conv_general_dilated(
        x,
        jnp.flip(weight, range(2, weight.ndim)),
        window_strides=[1] * len(axes),
        padding=padding,
        lhs_dilation=attributes["strides"],
        rhs_dilation=attributes["dilations"],
        dimension_numbers=("NC" + axes, "IO" + axes, "NC" + axes),
    )
    return y if bias is None else y + bias.reshape(-1, *[1] * len(axes))


def batch_normalization(attributes, x, scale, shift, mean, variance):
    if attributes.get("training_mode"):
        raise NotImplementedError("in training mode")
    factor = scale / np.sqrt(variance + np.float32(attributes["epsilon"]))
    per_channel = (-1, *[1] * (x.ndim - 2))
    return x * factor.reshape(per_channel) + (shift - mean * factor).reshape(per_channel)


def layer_normalization(attributes, x, scale, shift):
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    return centred * lax.rsqrt(variance + np.float32(attributes["epsilon"])) * scale + shift


def windows(attributes, x, start, function):
    """`function` folded over every window of `x`, whose padding is `start`; with the padding that it took."""
    kernel, strides = attributes["kernel_shape"], attributes["strides"]
    dilations = attributes.get("dilations") or [1] * len(kernel)
    padding = pairs(attributes["pads"])
    if attributes["ceil_mode"]:
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
        padding = [ceiled(*each) for each in zip(x.shape[2:], padding, reach, strides)]
    return lax.reduce_window(
        x,
        start,
        function,
        window_dimensions=(1, 1, *kernel),
        window_strides=(1, 1, *strides),
        padding=[(0, 0), (0, 0), *padding],
        window_dilation=(1, 1, *dilations),
    )


def ceiled(size, padding, reach, stride):
    """`padding` grown at its end until a last, incomplete window fits, if it begins inside the image or before it."""
    before, after = padding
    count = -(-(size + before + after - reach) // stride) + 1
    if (count - 1) * stride >= size + before:
        count -= 1
    return before, max(after, (count - 1) * stride + reach - size - before)


def max_pool(attributes, x):
    if len(attributes["outputs"]) > 1:
        raise NotImplementedError("with indices")
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return windows(attributes, x, np.asarray(lowest, x.dtype), lax.max)


def average_pool(attributes, x):
    zero = np.zeros((), x.dtype)
    total = windows(attributes, x, zero, lax.add)
    padded = any(attributes["pads"])
    if attributes["ceil_mode"] and padded and attributes["count_include_pad"]:
        raise NotImplementedError("with ceil_mode and padding in the average")
    if not attributes["ceil_mode"] and (attributes["count_include_pad"] or not padded):
        return total / int(np.prod(attributes["kernel_shape"]))
    with jax.ensure_compile_time_eval():
        counts = windows(attributes, jnp.ones((1, 1, *x.shape[2:]), x.dtype), zero, lax.add)
    return total / counts


# Arithmetic


def folded(function):
    """`function` of the first two operands, of that and the third, and so on."""
    return lambda _attributes, *operands: functools.reduce(function, operands)


def gemm(attributes, a, b, c=None):
    y = attributes["alpha"] * ((a.T if attributes["transA"] else a) @ (b.T if attributes["transB"] else b))
    return y if c is None else y + attributes["beta"] * c


def clip(_attributes, x, low=None, high=None):
    return jnp.clip(x, low, high)


def divide(_attributes, a, b):
    """Of integers as in C: rounded towards zero."""
    return lax.div(*jnp.broadcast_arrays(a, b)) if jnp.issubdtype(a.dtype, jnp.integer) else a / b


def reduction(function):
    """Over `axes`, an attribute until opset 13 and since then, for ReduceSum, an input."""

    def reduce(attributes, x, axes=None):
        axes = attributes.get("axes") if axes is None else integers(axes, "axes")
        if not axes and attributes.get("noop_with_empty_axes"):
            return x
        return function(x, axis=tuple(axes) if axes else None, keepdims=bool(attributes["keepdims"]))

    return reduce


# Shapes


def flatten(attributes, x):
    axis = attributes["axis"] + (x.ndim if attributes["axis"] < 0 else 0)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def reshape(attributes, x, shape):
    if attributes.get("allowzero"):
        raise NotImplementedError("with allowzero")
    sizes = integers(shape, "sizes")
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def slice_(attributes, x, starts=None, ends=None, axes=None, steps=None):
    """Bounds are attributes, or inputs if they are computed from shapes."""
    starts = attributes["starts"] if starts is None else integers(starts, "starts")
    ends = attributes["ends"] if ends is None else integers(ends, "ends")
    axes = attributes.get("axes") or range(len(starts)) if axes is None else integers(axes, "axes")
    steps = attributes.get("steps") or [1] * len(starts) if steps is None else integers(steps, "steps")
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        beyond_the_front = step < 0 and end < -x.shape[axis]
        index[axis] = slice(start, None if beyond_the_front else end, step)
    return x[tuple(index)]


def pad(attributes, x):
    if attributes["mode"] != "constant" or "pads" not in attributes:
        raise NotImplementedError("by {}, or by a computed size".format(attributes["mode"]))
    return jnp.pad(x, pairs(attributes["pads"]), constant_values=attributes.get("value", 0))


def resize(attributes, x):
    """Each value repeated, or linear between the middles of pixels."""
    if "scales" not in attributes:
        raise NotImplementedError("to computed sizes")
    mode, way = attributes["mode"], attributes["coordinate_transformation_mode"]
    if attributes["repeats"]:
        for axis, times in enumerate(attributes["repeats"], start=2):
            x = jnp.repeat(x, times, axis=axis)
        return x
    if mode == "linear" and way in {"half_pixel", "pytorch_half_pixel"} and min(attributes["sizes"]) > 1:
        return jax.image.resize(x, (*x.shape[:2], *attributes["sizes"]), "linear", antialias=False)
    raise NotImplementedError("{} {} by {}".format(way, mode, attributes["scales"]))


def squeeze(_attributes, x, axes=None):
    return jnp.squeeze(x, None if axes is None else tuple(integers(axes, "axes")))


def unsqueeze(_attributes, x, axes):
    return jnp.expand_dims(x, tuple(integers(axes, "axes")))


def expand(_attributes, x, shape):
    return jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, tuple(integers(shape, "sizes"))))


def gather(attributes, x, indices):
    """Indices count from the end where they are negative, as numpy's do."""
    return jnp.take(x, indices, axis=attributes["axis"])


def split(attributes, x, sizes=None):
    """Into parts of `sizes`, else into equal ones."""
    sizes = attributes.get("split") if sizes is None else integers(sizes, "sizes")
    parts = len(attributes["outputs"]) if sizes is None else np.cumsum(sizes)[:-1].tolist()
    return jnp.split(x, parts, axis=attributes["axis"])


def cast(attributes, x):
    if attributes["to"] not in DTYPES:
        raise NotImplementedError("to ONNX's type {}".format(attributes["to"]))
    return jnp.asarray(x).astype(DTYPES[attributes["to"]])


DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
"""TensorProto.DataType -> numpy."""


def plain(function):
    """An operator without attributes that is `function` of its operands."""
    return lambda _attributes, *operands: function(*operands)


OPERATORS = {
    "Abs": plain(jnp.abs),
    "Add": plain(jnp.add),
    "And": plain(jnp.logical_and),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": cast,
    "Clip": clip,
    "Concat": lambda attributes, *parts: jnp.concatenate(parts, attributes["axis"]),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Div": divide,
    "Elu": lambda attributes, x: jax.nn.elu(x, attributes["alpha"]),
    "Equal": plain(jnp.equal),
    "Erf": plain(lax.erf),
    "Exp": plain(jnp.exp),
    "Expand": expand,
    "Flatten": flatten,
    "Floor": plain(jnp.floor),
    "Gather": gather,
    "Gelu": lambda _, x: jax.nn.gelu(x, approximate=False),
    "Gemm": gemm,
    "GlobalMaxPool": lambda _, x: jnp.max(x, axis=tuple(range(2, x.ndim)), keepdims=True),
    "GlobalAveragePool": lambda _, x: jnp.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True),
    "Greater": plain(jnp.greater),
    "GreaterOrEqual": plain(jnp.greater_equal),
    "HardSigmoid": lambda a, x: jnp.clip(x * a["alpha"] + a["beta"], 0, 1),
    "HardSwish": lambda _, x: x * jnp.clip(x / 6 + 0.5, 0, 1),
    "Identity": lambda _, x: x,
    "IsNaN": plain(jnp.isnan),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda attributes, x: jnp.where(x >= 0, x, attributes["alpha"] * x),
    "Less": plain(jnp.less),
    "LessOrEqual": plain(jnp.less_equal),
    "Log": plain(jnp.log),
    "MatMul": plain(jnp.matmul),
    "Max": folded(jnp.maximum),
    "MaxPool": max_pool,
    "Min": folded(jnp.minimum),
    "Mul": plain(jnp.multiply),
    "Neg": plain(jnp.negative),
    "Not": plain(jnp.logical_not),
    "Or": plain(jnp.logical_or),
    "PRelu": lambda _, x, slope: jnp.where(x >= 0, x, slope * x),
    "Pad": pad,
    "Pow": lambda _, base, exponent: jnp.power(base, exponent).astype(base.dtype),
    "Reciprocal": plain(jnp.reciprocal),
    "ReduceMax": reduction(jnp.max),
    "ReduceMean": reduction(jnp.mean),
    "ReduceMin": reduction(jnp.min),
    "ReduceSum": reduction(jnp.sum),
    "Relu": plain(jax.nn.relu),
    "Reshape": reshape,
    "Resize": resize,
    "Shape": lambda attributes, x: np.array(x.shape[attributes.get("start", 0) : attributes.get("end")], np.int64),
    "Sigmoid": plain(jax.nn.sigmoid),
    "Slice": slice_,
    "Softmax": lambda attributes, x: jax.nn.softmax(x, axis=attributes["axis"]),
    "Softplus": plain(jax.nn.softplus),
    "Split": split,
    "Sqrt": plain(jnp.sqrt),
    "Squeeze": squeeze,
    "Sub": plain(jnp.subtract),
    "Sum": folded(jnp.add),
    "Tanh": plain(jnp.tanh),
    "Transpose": lambda attributes, x: jnp.transpose(x, attributes["perm"]),
    "Unsqueeze": unsqueeze,
    "Where": plain(jnp.where),
}
"""ONNX operator -> function from its attributes and operands (None for one left out) to its result or results. Among
the attributes is the list of its `outputs`."""
