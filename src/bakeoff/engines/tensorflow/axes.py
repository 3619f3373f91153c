"""What moves values about: reshaping, transposing, taking apart and putting together."""

import numpy as np
from arithmetic import of_operands
from layout import IMAGE_AXES, shape_of

# Other axes


def flatten(build, node, _attributes):
    return flat(build, build.input(node))


def flat(build, x):
    """(N, C*H*W) in the graph's own order: channels outermost."""
    shape = shape_of(x)
    if len(shape) == 2:  # noqa: PLR2004
        return x
    if build.nhwc and len(shape) == IMAGE_AXES and shape[1:3] != (1, 1):
        x = build.layers.Permute((3, 1, 2))(x)
    return build.layers.Flatten()(x)


def reshape(build, node, attributes):
    x, sizes = build.input(node), attributes["shape"]
    if is_flatten(shape_of(x), sizes):
        return flat(build, x)
    build.keep_order()
    x = build.input(node)
    sizes = [shape_of(x)[axis] if axis and size == 0 else size for axis, size in enumerate(sizes)]
    if None in sizes:
        raise NotImplementedError("that keeps an axis of unknown size")
    if sizes and sizes[0] == 0:
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


def expand(build, node, attributes):
    """By repeating axes of size one; a 1 leaves an axis as it is."""
    build.keep_order()
    x, sizes = build.input(node), attributes["shape"]
    shape = (1,) * (len(sizes) - len(shape_of(x))) + shape_of(x)
    sizes = [1] * (len(shape) - len(sizes)) + sizes
    repeats = [1 if size in {1, old} else size for old, size in zip(shape, sizes)]
    if any(many > 1 and old != 1 for old, many in zip(shape, repeats)):
        raise NotImplementedError("of an axis of unknown size")
    if len(shape) > len(shape_of(x)):
        x = build.computed(lambda t: t[(None,) * (len(shape) - len(shape_of(t)))], x)
    return build.computed(lambda t: build.math.tile(t, repeats), x) if max(repeats) > 1 else x


def tile(build, node, attributes):
    build.keep_order()
    return build.computed(lambda t: build.math.tile(t, attributes["repeats"]), build.input(node))


# Parts


def take_slice(build, node, attributes):
    x = build.input(node)
    bounds = zip(*(attributes[name] for name in ("axes", "starts", "ends", "steps")))
    return part(build, x, {build.axis(axis, x): slice(*bound) for axis, *bound in bounds})


def part(build, x, bounds):
    """`x` between `bounds`, slices of some axes."""
    index = [bounds.get(axis, slice(None)) for axis in range(len(shape_of(x)))]
    return build.computed(lambda t: t[tuple(index)], x)


def split(build, node, attributes):
    x, sizes = build.input(node), attributes["split"]
    axis, ends = build.axis(attributes["axis"], x), np.cumsum(sizes).tolist()
    return [part(build, x, {axis: slice(end - size, end)}) for end, size in zip(ends, sizes)]


def gather(build, node, attributes):
    """Rows of a constant table by computed indices, or whatever places of an axis are told."""
    build.keep_order()
    table, axis = build.weights.get(node["inputs"][0]), attributes["axis"]
    places = build.weights.get(node["inputs"][1])
    if places is not None:
        places = places.astype(np.int32)
        return build.computed(lambda t: build.math.take(t, places, axis=axis), build.input(node))
    # Keras 2's embeddings are such that not every TensorFlow 1 can freeze them.
    if table is None or table.ndim != 2 or axis != 0 or not hasattr(build.keras, "ops"):  # noqa: PLR2004
        return of_operands(build, node, lambda x, indices: build.math.take(x, indices, axis=axis))
    layer = build.layers.Embedding(*table.shape, embeddings_initializer="zeros")
    return build.filled(layer, build.tensor(node["inputs"][1]), [table])


def gather_elements(build, node, attributes):
    build.keep_order()
    take = build.math.take_along_axis
    return of_operands(build, node, lambda x, indices: take(x, indices, axis=attributes["axis"]))


def scatter_rows(build, node, attributes):
    if attributes["reduction"] != "none":
        raise NotImplementedError("by {}".format(attributes["reduction"]))
    build.keep_order()
    math = build.math
    return of_operands(build, node, lambda x, places, new: math.scatter_update(x, math.reshape(places, (-1, 1)), new))


def top_k(build, node, attributes):
    """Along the last axis, where Keras has it; the smallest are the largest of the others' sign."""
    build.keep_order()
    math, axis, sign = build.math, attributes["axis"], 1 if attributes["largest"] else -1

    def first(x):
        values, places = math.top_k(math.swapaxes(x, axis, -1) * sign, attributes["k"])
        return [math.swapaxes(values * sign, axis, -1), math.swapaxes(places, axis, -1)]

    x = build.input(node)
    if sign < 0 and "uint" in str(x.dtype):
        raise NotImplementedError("of unsigned integers, the smallest ones")
    return build.computed(first, x)


# Together


def concat(build, node, attributes):
    inputs = build.inputs(node)
    axis = build.axis(attributes["axis"], inputs[0])
    if len(inputs) < len(node["inputs"]):
        return of_operands(build, node, lambda *parts: build.math.concatenate(parts, axis=axis))
    return build.layers.Concatenate(axis=axis)(inputs)


def pad(build, node, attributes):
    x, pads = build.input(node), attributes["pads"]
    pairs = list(zip(pads[: len(pads) // 2], pads[len(pads) // 2 :]))
    return build.pad(x, tuple(pairs[axis] for axis in build.order(len(pairs))), attributes["value"])
