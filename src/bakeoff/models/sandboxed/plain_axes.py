"""What ONNX moves about, in a plain graph: sizes in numbers, indices from the front. Runs in a model worker."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.models.sandboxed.plain_node import Node, Rewrite, Rewrites

MATRIX = 2
NO_END = 2**31 - 1
"""from here on a bound of a Slice means the axis' end"""

Places = NDArray[np.int64]


# Shapes


def _reshape(node: Node) -> None:
    sizes = node.integers(1, "sizes")
    if sizes is None or (node.attributes.get("allowzero") and 0 in sizes):
        raise node.unsupported("reshapes to a size of zero")
    node.put("Reshape", node.inputs[:1], shape=sizes)


def _flatten(node: Node) -> None:
    """From axis 1 on: from others the sizes are known, and it is a Reshape already."""
    if node.attributes["axis"] != 1 and node.axis() != 1:
        raise node.unsupported("flattens other axes, of unknown size")
    node.put("Flatten", node.inputs)


def _of_unknown_shape(node: Node) -> None:
    """Where the shape is known it is a Reshape already."""
    raise node.unsupported("changes the axes of a tensor of unknown shape")


def _expand(node: Node) -> None:
    node.put("Expand", node.inputs[:1], shape=node.integers(1, "sizes"))


def _tile(node: Node) -> None:
    node.put("Tile", node.inputs[:1], repeats=node.integers(1, "repeats"))


def _transpose(node: Node) -> None:
    """Without `perm` the axes are turned round."""
    node.put("Transpose", node.inputs, perm=node.attributes.get("perm") or list(range(node.rank()))[::-1])


def _concat(node: Node) -> None:
    if len(node.inputs) == 1:
        node.stand_for(node.inputs[0])
    else:
        node.put("Concat", node.inputs, axis=node.axis())


# Parts


def _split(node: Node) -> None:
    """Into parts of sizes in numbers; the last of equal parts may be smaller."""
    axis, parts = node.axis(), len(node.outputs)
    sizes = node.integers(1, "sizes")
    if sizes is None:
        size = node.shape()[axis]
        if size is None:
            raise node.unsupported("takes apart an axis of unknown size")
        whole = -(-size // parts)
        sizes = [max(0, min(whole, size - whole * part)) for part in range(parts)]
    node.put("Split", node.inputs[:1], axis=axis, split=sizes)


def _slice(node: Node) -> None:
    """Forwards, with bounds within the axis where its size is known; a step backwards takes places by number."""
    starts, ends = (node.integers(i, "bounds") or [] for i in (1, 2))
    axes = node.integers(3, "axes") or list(range(len(starts)))
    steps = node.integers(4, "steps") or [1] * len(starts)
    shape, forwards, backwards = node.shape(), [], []
    for start, end, axis, step in zip(starts, ends, (axis % len(shape) for axis in axes), steps, strict=True):
        size = shape[axis]
        if size is not None:
            places = range(size)[start:end:step]
            if step < 0:
                backwards.append((axis, np.array(places, np.int64)))
            elif len(places) != size:
                forwards.append((axis, places.start, min(places.stop, size), step))
        elif step < 0 or (start, min(end, NO_END), step) != (0, NO_END, 1):
            raise node.unsupported("takes part of an axis of unknown size")
    _finish(node, _sliced(node, node.inputs[0], forwards), backwards)


def _sliced(node: Node, x: str, bounds: Sequence[tuple[int, int, int, int]]) -> str:
    """`x` between bounds that say axis, start, end and step."""
    if not bounds:
        return x
    shape = list(node.lowering.shapes[x])
    for axis, start, end, step in bounds:
        shape[axis] = len(range(start, end, step))
    axes, starts, ends, steps = (list(each) for each in zip(*bounds, strict=True))
    return node.make("Slice", [x], shape, axes=axes, starts=starts, ends=ends, steps=steps)


def _finish(node: Node, x: str, taken: Sequence[tuple[int, Places]]) -> None:
    """The node's result: of `x` the places in each pair of axis and places."""
    for axis, places in taken:
        x = _taken(node, x, axis, places)
    node.stand_for(x)


def _taken(node: Node, x: str, axis: int, places: Places) -> str:
    shape = list(node.lowering.shapes[x])
    shape[axis : axis + 1] = places.shape
    return node.make("Gather", [x, node.number(places, "int64")], shape, axis=axis)


def _pad(node: Node) -> None:
    """With a number; what is padded with values of its own takes them by their places."""
    shape, rank, mode = node.shape(), node.rank(), node.attributes["mode"]
    given, axes = node.integers(1, "sizes") or [], node.integers(3, "axes")
    chosen = list(range(rank)) if axes is None else [axis % rank for axis in axes]
    befores, afters = [0] * rank, [0] * rank
    for number, axis in enumerate(chosen):
        befores[axis], afters[axis] = given[number], given[len(chosen) + number]
    crops = [
        (axis, max(0, -before), shape[axis] or 0, max(0, -after))
        for axis, (before, after) in enumerate(zip(befores, afters, strict=True))
    ]
    bounds = [(axis, first, size - last, 1) for axis, first, size, last in crops if first or last]
    padded = [axis for axis in range(rank) if befores[axis] > 0 or afters[axis] > 0]
    if any(shape[axis] is None for axis, *_ in bounds):
        raise node.unsupported("crops an axis of unknown size")
    x = _sliced(node, node.inputs[0], bounds)
    befores, afters = ([max(0, size) for size in side] for side in (befores, afters))
    if mode != "constant":
        _finish(node, x, [(axis, _padded_places(node, x, axis, befores[axis], afters[axis])) for axis in padded])
    elif padded:
        value = node.constant(2, "values")
        node.put("Pad", [x], pads=[*befores, *afters], value=0 if value is None or not value.size else value.item())
    else:
        node.stand_for(x)


def _padded_places(node: Node, x: str, axis: int, before: int, after: int) -> Places:
    size = node.lowering.shapes[x][axis]
    if size is None:
        raise node.unsupported("pads an axis of unknown size")
    places: Places = np.pad(np.arange(size), (before, after), mode=node.attributes["mode"])
    return places


def _trilu(node: Node) -> None:
    *_, rows, columns = node.shape()
    if rows is None or columns is None:
        raise node.unsupported("takes a triangle of a matrix of unknown size")
    offset = node.constant(1, "diagonals")
    triangle = (np.triu if node.attributes["upper"] else np.tril)(np.ones((rows, columns), bool), int(offset or 0))
    node.put("Where", [node.number(triangle, "bool"), node.inputs[0], node.number(0)])


# By indices


def _gather(node: Node) -> None:
    node.put("Gather", [node.inputs[0], _from_the_front(node, 1, node.shape()[node.axis()])], axis=node.axis())


def _from_the_front(node: Node, index: int, size: int | Sequence[int] | None) -> str:
    """Input `index`, indices into axes of `size`, with those that count from the end as those from the front."""
    dtype = node.dtype(index)
    if node.is_constant(index):
        places = node.needed(index, "places").astype(np.int64)
        if (places >= 0).all():
            return node.inputs[index]
        if size is None:
            raise node.unsupported("counts from the end of an axis of unknown size")
        return node.number(np.where(places < 0, places + np.asarray(size), places), dtype)
    if size is None:
        raise node.unsupported("takes computed places along an axis of unknown size")
    indices = node.inputs[index]
    if dtype.startswith("uint"):
        return indices
    negative = node.make("Less", [indices, node.number(0, dtype)], dtype="bool")
    return node.make("Where", [negative, node.make("Add", [indices, node.number(size, dtype)]), indices])


def _gather_elements(node: Node) -> None:
    """From as much of the other axes as there are indices."""
    axis, shape, of_indices = node.axis(), node.sizes(), node.sizes(1)
    bounds = [
        (other, 0, few, 1)
        for other, (size, few) in enumerate(zip(shape, of_indices, strict=True))
        if other != axis and few < size
    ]
    indices = _from_the_front(node, 1, shape[axis])
    node.put("GatherElements", [_sliced(node, node.inputs[0], bounds), indices], axis=axis)


def _gather_nd(node: Node) -> None:
    """Rows of a table, whose numbers come of the indices and the sizes of the axes that they go along."""
    shape, of_indices, batch = node.sizes(), node.sizes(1), node.attributes["batch_dims"]
    depth = batch + of_indices[-1]
    places = _numbers(node, shape[batch:depth], of_indices[:-1])
    if batch:
        step = math.prod(shape[batch:depth])
        starts = np.arange(math.prod(shape[:batch])) * step
        column = starts.reshape(*shape[:batch], *[1] * (len(of_indices) - 1 - batch))
        places = node.computed("Add", places, node.number(column, "int64"), of_indices[:-1])
    rows = (math.prod(shape[:depth]), *shape[depth:])
    table = node.make("Reshape", node.inputs[:1], rows, shape=list(rows))
    node.put("Gather", [table, places], axis=0)


def _numbers(node: Node, shape: Sequence[int], of_result: Sequence[int]) -> str:
    """The number in the order of the tensor of each place that a row of input 1 tells along axes of `shape`."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    products = node.computed("Mul", _from_the_front(node, 1, shape), node.number(strides, "int64"), node.shape(1))
    if products in node.lowering.weights:
        return node.number(node.lowering.weights[products].sum(-1), "int64")
    return node.make("ReduceSum", [products], of_result, axes=[len(of_result)], keepdims=0)


def _scatter_nd(node: Node) -> None:
    shape, of_indices = node.sizes(), node.sizes(1)
    depth = of_indices[-1]
    count, rest = math.prod(of_indices[:-1]), shape[depth:]
    places = _numbers(node, shape[:depth], of_indices[:-1])
    _scatter(node, _flat(node, places, (count,)), (math.prod(shape[:depth]), *rest), (count, *rest))


def _scatter_elements(node: Node) -> None:
    axis, shape, of_indices = node.axis(), node.sizes(), node.sizes(1)
    stride = math.prod(shape[axis + 1 :])
    indices = _from_the_front(node, 1, shape[axis])
    if node.dtype(1) != "int64" and not node.is_constant(1):
        indices = node.make("Cast", [indices], of_indices, "int64", to="int64")
    others = sum(
        grid * math.prod(shape[other + 1 :]) for other, grid in enumerate(np.indices(of_indices)) if other != axis
    )
    along = node.computed("Mul", indices, node.number(stride, "int64"), of_indices)
    places = node.computed("Add", along, node.number(np.broadcast_to(others, of_indices), "int64"), of_indices)
    count = math.prod(of_indices)
    _scatter(node, _flat(node, places, (count,)), (math.prod(shape),), (count,))


def _scatter(node: Node, places: str, rows: tuple[int, ...], of_updates: tuple[int, ...]) -> None:
    """Into the rows of a table, which then has the shape of the data again."""
    table, updates = _flat(node, node.inputs[0], rows), _flat(node, node.inputs[2], of_updates)
    how = node.attributes.get("reduction", "none")
    result = node.make("ScatterRows", [table, places, updates], rows, reduction=how)
    node.put("Reshape", [result], shape=list(node.sizes()))


def _flat(node: Node, x: str, shape: tuple[int, ...]) -> str:
    if node.lowering.shapes.get(x) == shape:
        return x
    if x in node.lowering.weights:
        return node.number(node.lowering.weights[x].reshape(shape), node.lowering.dtype(x))
    return node.make("Reshape", [x], shape, shape=list(shape))


def _one_hot(node: Node) -> None:
    """Where the number of the place is the index, counted from the front or from the end."""
    depth = node.needed(1, "depths")
    size, rank = int(depth.item()), node.rank()
    axis = node.attributes["axis"] % (rank + 1)
    shape = [*node.sizes()[:axis], 1, *node.sizes()[axis:]]
    column = node.make("Reshape", node.inputs[:1], shape, shape=shape)
    places = np.arange(size).reshape(-1, *[1] * (rank - axis))
    full = [*shape[:axis], size, *shape[axis + 1 :]]
    numbers = [places, places - size] if not node.dtype().startswith("uint") else [places]
    found = [node.make("Equal", [column, node.number(each)], full, "bool") for each in numbers]
    hot = found[0] if len(found) == 1 else node.make("Or", found, full)
    values = node.needed(2, "values")
    off, on = (node.number(value, node.dtype(2)) for value in values)
    node.put("Where", [hot, on, off])


# Reductions and orders


def _reduction(op: str) -> Rewrite:
    """Over axes in numbers, every one where none are told."""

    def rewrite(node: Node) -> None:
        said = node.integers(1, "axes") or node.attributes.get("axes")
        if not said and node.attributes.get("noop_with_empty_axes"):
            node.stand_for(node.inputs[0])
            return
        rank = node.rank()
        axes = sorted(axis % rank for axis in said) if said else list(range(rank))
        keepdims = node.attributes["keepdims"]
        if not axes:
            node.stand_for(node.inputs[0])
        elif node.dtype() == "bool":
            left = [1 if axis in axes else size for axis, size in enumerate(node.shape())]
            shape = left if keepdims else [size for axis, size in enumerate(left) if axis not in axes]
            wide = node.make("Cast", node.inputs[:1], dtype="int32", to="int32")
            node.put("Cast", [node.make(op, [wide], shape, axes=axes, keepdims=keepdims)], to="bool")
        else:
            node.put(op, node.inputs[:1], axes=axes, keepdims=keepdims)

    return rewrite


def _arg(node: Node) -> None:
    if node.attributes["select_last_index"]:
        raise node.unsupported("takes the last of equal values")
    node.put(node.op, node.inputs, axis=node.axis(), keepdims=node.attributes["keepdims"])


def _top_k(node: Node) -> None:
    """The first `k` along `axis`, in order."""
    count = int(node.needed(1, "numbers of values").item())
    node.put("TopK", node.inputs[:1], axis=node.axis(), k=count, largest=node.attributes["largest"])


def _cum_sum(node: Node) -> None:
    axis = int(node.needed(1, "axes").item()) % max(1, node.rank())
    exclusive, reverse = node.attributes["exclusive"], node.attributes["reverse"]
    if not exclusive and not reverse:
        node.put("CumSum", node.inputs[:1], axis=axis)
        return
    turned = np.arange(node.sizes()[axis])[::-1]
    x = _taken(node, node.inputs[0], axis, turned) if reverse else node.inputs[0]
    total = node.make("CumSum", [x], node.shape(), axis=axis)
    total = node.make("Sub", [total, x]) if exclusive else total
    node.stand_for(_taken(node, total, axis, turned) if reverse else total)


def _softmax(node: Node) -> None:
    node.put("Softmax", node.inputs, axis=node.axis())


def _einsum(node: Node) -> None:
    node.put("Einsum", node.inputs, equation=node.attributes["equation"].replace(" ", ""))


REWRITES: Rewrites = {
    "ArgMax": _arg,
    "ArgMin": _arg,
    "Concat": _concat,
    "CumSum": _cum_sum,
    "Einsum": _einsum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "Pad": _pad,
    **{op: _reduction(op) for op in ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum")},
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _of_unknown_shape,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _of_unknown_shape,
}
