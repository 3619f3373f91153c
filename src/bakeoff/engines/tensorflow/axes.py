"""What moves values about: reshaping, transposing, taking apart and putting together."""

import numpy as np
from layout import IMAGE_AXES, shape_of

TO_THE_END = 10**9
"""From here on a bound of a Slice means the axis' end: no axis is that long."""


# Other axes


def flatten(build, node, attributes):
    if attributes["axis"] != 1:
        raise NotImplementedError("from axis {}".format(attributes["axis"]))
    return flat(build, build.input(node))


def flat(build, x):
    """(N, C*H*W) in the graph's own order: channels outermost."""
    shape = shape_of(x)
    if len(shape) == 2:  # noqa: PLR2004
        return x
    if build.nhwc and len(shape) == IMAGE_AXES and shape[1:3] != (1, 1):
        x = build.layers.Permute((3, 1, 2))(x)
    return build.layers.Flatten()(x)


def reshape(build, node, _attributes):
    x, sizes = build.input(node), build.constant(node, 1).tolist()
    if is_flatten(shape_of(x), sizes):
        return flat(build, x)
    build.keep_order()
    x = build.input(node)
    sizes = [shape_of(x)[axis] if axis and size == 0 else size for axis, size in enumerate(sizes)]
    if None in sizes:
        raise NotImplementedError("that keeps an axis of unknown size")
    if sizes[0] == 0:
        return build.layers.Reshape(tuple(sizes[1:]))(x)
    return build.computed(lambda t: build.math.reshape(t, sizes), x)


def is_flatten(shape, sizes):
    """Whether a Reshape keeps the first axis and makes one of all others."""
    if len(sizes) != 2 or len(shape) < 2 or not (sizes[0] in {0, -1} or shape[0] in {None, sizes[0]}):  # noqa: PLR2004
        return False
    return sizes[1] == -1 or (None not in shape[1:] and sizes[1] == int(np.prod(shape[1:])))


def transpose(build, node, attributes):
    """One permutation from where the axes stand to where the graph wants them."""
    x = build.input(node)
    order = build.order(len(shape_of(x)))
    perm = tuple(order.index(axis) for axis in attributes["perm"])
    build.keep_order()
    build.transposed[node["outputs"][0]] = x, perm
    return build.permuted(x, perm)


def expand(build, node, _attributes):
    """By repeating axes of size one; a 1 leaves an axis as it is."""
    build.keep_order()
    x, sizes = build.input(node), build.constant(node, 1).tolist()
    shape = (1,) * (len(sizes) - len(shape_of(x))) + shape_of(x)
    sizes = [1] * (len(shape) - len(sizes)) + sizes
    repeats = [1 if size in {1, old} else size for old, size in zip(shape, sizes)]
    if any(many > 1 and old != 1 for old, many in zip(shape, repeats)):
        raise NotImplementedError("of an axis of unknown size")
    if len(shape) > len(shape_of(x)):
        x = build.computed(lambda t: t[(None,) * (len(shape) - len(shape_of(t)))], x)
    return build.computed(lambda t: build.math.tile(t, repeats), x) if max(repeats) > 1 else x


# Parts


def take_slice(build, node, attributes):
    if "starts" not in attributes:
        raise NotImplementedError("between computed bounds")
    x, starts, ends = build.input(node), attributes["starts"], attributes["ends"]
    axes = attributes.get("axes") or range(len(starts))
    steps = attributes.get("steps") or [1] * len(starts)
    bounds = {build.axis(axis, x): bound for axis, bound in zip(axes, zip(starts, ends, steps))}
    return part(build, x, bounds)


def part(build, x, bounds):
    """`x` between `bounds`, which say start, end and step of some axes; `x` itself if that is all of it."""
    index = [slice(None)] * len(shape_of(x))
    for axis, (start, end, step) in bounds.items():
        if step < 0:
            raise NotImplementedError("backwards")
        index[axis] = settled_slice(start, end, step, shape_of(x)[axis])
    if index == [slice(None)] * len(index):
        return x
    return build.computed(lambda t: t[tuple(index)], x)


def settled_slice(start, end, step, size):
    """A slice whose bounds lie within the axis if its size is known."""
    if size is None:
        found = slice(start, None if end >= TO_THE_END else end, step)
        return slice(None) if found == slice(0, None, 1) else found
    first, last, step = slice(start, end, step).indices(size)
    return slice(None) if (first, last, step) == (0, size, 1) else slice(first, last, step)


def split(build, node, attributes):
    x = build.input(node)
    axis, count = build.axis(attributes["axis"], x), len(node["outputs"])
    size = shape_of(x)[axis]
    if len(node["inputs"]) > 1 or size is None:
        raise NotImplementedError("into computed sizes, or of an axis of unknown size")
    sizes = attributes.get("split") or [size // count] * count
    ends = np.cumsum(sizes).tolist()
    return [part(build, x, {axis: (end - length, end, 1)}) for end, length in zip(ends, sizes)]


def gather(build, node, attributes):
    """Rows of a constant table by computed indices, or constant places of a tensor."""
    if node["inputs"][0] in build.values and node["inputs"][1] in build.weights:
        return take(build, node, attributes["axis"])
    table = build.weights.get(node["inputs"][0])
    if table is None or table.ndim != 2 or attributes["axis"] != 0:  # noqa: PLR2004
        raise NotImplementedError("other than of a constant table's rows or at constant places")
    if not hasattr(build.keras, "ops"):  # whose embeddings not every TensorFlow 1 can freeze
        return build.computed(lambda places: build.math.take(table, places), build.values[node["inputs"][1]])
    layer = build.layers.Embedding(*table.shape, embeddings_initializer="zeros")
    return build.filled(layer, build.values[node["inputs"][1]], [table])


def take(build, node, axis):
    build.keep_order()
    x, places = build.input(node), build.constant(node, 1)
    axis %= len(shape_of(x))
    size = shape_of(x)[axis]
    if size is None:
        raise NotImplementedError("along an axis of unknown size")
    places = np.where(places < 0, places + size, places).astype(np.int32)
    return build.computed(lambda t: build.math.take(t, places, axis=axis), x)


# Together


def concat(build, node, attributes):
    inputs = build.inputs(node)
    if len(inputs) != len(node["inputs"]):
        raise NotImplementedError("with a constant")
    axis = build.axis(attributes["axis"], inputs[0])
    return inputs[0] if len(inputs) == 1 else build.layers.Concatenate(axis=axis)(inputs)


# Shapes


def pad(build, node, attributes):
    if "pads" not in attributes or attributes["mode"] != "constant":
        raise NotImplementedError("by computed pads, or with other than a constant")
    x, pads = build.input(node), attributes["pads"]
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :]))
    if min(pads) < 0:
        raise NotImplementedError("with negative pads")
    ordered = tuple(pairs[axis] for axis in build.order(len(pairs)))
    return build.pad(x, ordered, attributes.get("value", 0.0)) if any(pads) else x
