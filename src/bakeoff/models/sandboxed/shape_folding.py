"""Constant folding of shape arithmetic: the same network with its sizes as numbers.

Exporters write a reshape to "whatever the first axis is, times twelve" as a dozen operators on the shapes of tensors.
Where only the batch is open, all of that is constant or grows with the batch, and can be told by trying a few batch
sizes. Readers of ONNX do so themselves when they load a model; frameworks for which the network is built from layers,
and old readers without some of these operators, get it done.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TypeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bakeoff.models.sandboxed.opening import OWN_DOMAINS, copy_of
from bakeoff.models.sandboxed.signature import BATCH, real_inputs

TRIED = (1, 2, 3)
"""The batch sizes tried: 1, for which some models have a way of their own, and two that are no multiples of another."""
MOST_BYTES = 2**30
"""What one constant may grow to."""
OF_SHAPES = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten"})
"""Operators that keep the values and their order: each is a Reshape to the shape of its output."""
DIFFERENT_EACH_TIME = ("Random", "Multinomial", "Bernoulli")

Array = NDArray[np.generic]
Shape = tuple[int, ...]


@dataclass
class _Seen:
    """What is known of a model's tensors at one batch size without the values of its inputs."""

    values: dict[str, Array] = field(default_factory=dict)
    types: dict[str, TypeProto] = field(default_factory=dict)

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor, if all of it is known."""
        if name in self.values:
            return self.values[name].shape
        tensor = self.types[name].tensor_type if name in self.types else None
        if tensor is None or not tensor.HasField("shape"):
            return None
        sizes = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
        return tuple(size for size in sizes if size is not None) if None not in sizes else None


def fold_shapes(model: ModelProto) -> ModelProto:
    """A copy of `model` that computes the same, without what depends on shapes alone.

    The only open axes of `model` are those of the batch. Constants are among the initializers, reshapes have sizes in
    numbers (0 and -1 for the batch), and every tensor's shape is written down as far as it could be inferred.
    """
    weights: dict[str, Array] = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    seen = [_walk(model, weights, batch) for batch in TRIED]
    changed = copy_of(model)
    del changed.graph.node[:], changed.graph.value_info[:]
    outputs = {output.name for output in model.graph.output}
    constants = {name: value for name, value in _in_all(seen) if name not in outputs}
    for node in model.graph.node:
        if not all(name in constants for name in node.output):
            changed.graph.node.append(_in_numbers(node, seen, constants))
    _drop_unread(changed, constants)
    _tell_shapes(changed, seen)
    return changed


# What is known at a batch size


def _walk(model: ModelProto, weights: Mapping[str, Array], batch: int) -> _Seen:
    """Every value that does not hang on the inputs', and every shape, at batch size `batch`."""
    seen = _Seen(values=dict(weights))
    for value in real_inputs(model.graph):
        sized = copy_of(value.type)
        for dim in sized.tensor_type.shape.dim:
            if not dim.HasField("dim_value"):
                dim.dim_value = batch
        seen.types[value.name] = sized
    for node in model.graph.node:
        _step(node, model, seen)
    return seen


def _step(node: NodeProto, model: ModelProto, seen: _Seen) -> None:
    """What `node` makes, as far as it can be told, added to `seen`."""
    of = seen.shape(node.input[0]) if node.op_type == "Shape" else None
    if of is not None:
        bounds = {attribute.name: attribute.i for attribute in node.attribute}
        seen.values[node.output[0]] = np.array(of[bounds.get("start", 0) : bounds.get("end")], np.int64)
        return
    like = _type_of(node.input[1], seen) if node.op_type == "CastLike" and node.input[0] in seen.values else None
    if like is not None:  # which hangs on a type alone, whatever the values are
        dtype = helper.tensor_dtype_to_np_dtype(like.tensor_type.elem_type)
        seen.values[node.output[0]] = seen.values[node.input[0]].astype(dtype)
        return
    seen.types |= _inferred(node, model, seen)
    if not all(name in seen.values for name in node.input if name) or not _may_be_evaluated(node, seen):
        return
    graph = helper.make_graph([node], "node", [], [helper.make_empty_tensor_value_info(name) for name in node.output])
    graph.input.extend(helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(node.input) if name)
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    try:
        results = ReferenceEvaluator(alone).run(None, {name: seen.values[name] for name in node.input if name})
    except Exception:  # noqa: BLE001 - onnx.reference raises what it likes; then the node stays, which is no harm
        return
    seen.values |= {name: np.asarray(result) for name, result in zip(node.output, results, strict=True)}


def _inferred(node: NodeProto, model: ModelProto, seen: _Seen) -> Mapping[str, TypeProto]:
    """The types of what `node` makes, by ONNX's own inference from one node to the next."""
    known = {name: _type_of(name, seen) for name in node.input if name}
    types = {name: of for name, of in known.items() if of is not None}
    small = {name: seen.values[name] for name in types if name in seen.values and seen.values[name].ndim <= 1}
    version = next((o.version for o in model.opset_import if o.domain == node.domain), 1)
    try:
        found: Mapping[str, TypeProto] = onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(node.op_type, version, node.domain),
            node,
            types,
            {name: numpy_helper.from_array(np.asarray(value), name) for name, value in small.items()},
            opset_imports=list(model.opset_import),
            ir_version=model.ir_version,
        )
    except Exception:  # noqa: BLE001 - it cannot be told; what follows from it stays as it is
        return {}
    return found


def _type_of(name: str, seen: _Seen) -> TypeProto | None:
    if name in seen.values:
        value = seen.values[name]
        return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
    return seen.types.get(name)


def _may_be_evaluated(node: NodeProto, seen: _Seen) -> bool:
    """Nothing random, no graphs within, and nothing that would not fit."""
    if node.op_type.startswith(DIFFERENT_EACH_TIME):
        return False
    if any(attribute.type in {AttributeProto.GRAPH, AttributeProto.GRAPHS} for attribute in node.attribute):
        return False
    shapes = [seen.shape(name) for name in node.output if name]
    return all(shape is None or np.prod(shape, dtype=float) * 8 <= MOST_BYTES for shape in shapes)


# What holds at every batch size


def _in_all(seen: Sequence[_Seen]) -> Iterator[tuple[str, Array]]:
    """The values that do not hang on the batch size."""
    one, *others = (each.values for each in seen)
    for name, value in one.items():
        if all(name in other and (other[name] is value or _is_the_same(value, other[name])) for other in others):
            yield name, value


def _is_the_same(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _in_numbers(node: NodeProto, seen: Sequence[_Seen], constants: dict[str, Array]) -> NodeProto:
    """`node` with sizes in numbers, which join `constants`; as it is where they cannot be told."""
    keeps_order = node.op_type in OF_SHAPES or (node.op_type == "GatherND" and _takes_all_in_order(node, seen))
    if node.op_type in {"Conv", "ConvTranspose"}:
        return _with_kernel(node, seen[0].shape(node.input[1]))
    if not (keeps_order or node.op_type in {"Expand", "Resize"}) or node.domain not in OWN_DOMAINS:
        return node
    befores = [each.shape(node.input[0]) for each in seen]
    afters = [each.shape(node.output[0]) for each in seen]
    if any(shape is None for shape in (*befores, *afters)):
        return node
    pairs = [(before, after) for before, after in zip(befores, afters, strict=True) if before is not None and after]
    if node.op_type == "Expand":
        sizes = _expansion(pairs)
    elif node.op_type == "Resize":
        return _by_scales(node, pairs, constants)
    else:
        plain_flatten = node.op_type == "Flatten" and all(a.i == 1 for a in node.attribute)
        sizes = None if plain_flatten else _reshaping(pairs)
    if sizes is None:
        return node
    name = f"{node.output[0]}/sizes"
    constants[name] = np.array(sizes, np.int64)
    op_type = "Expand" if node.op_type == "Expand" else "Reshape"
    return helper.make_node(op_type, [node.input[0], name], list(node.output), name=node.name)


def _with_kernel(node: NodeProto, weight: Shape | None) -> NodeProto:
    """A convolution that tells the size of its kernel, which old readers do not take from the weights."""
    if weight is None or any(attribute.name == "kernel_shape" for attribute in node.attribute):
        return node
    changed = copy_of(node)
    changed.attribute.append(helper.make_attribute("kernel_shape", weight[2:]))
    return changed


def _takes_all_in_order(node: NodeProto, seen: Sequence[_Seen]) -> bool:
    """Whether a GatherND by known indices leaves every value where it is, as exporters have it of attention masks."""
    for each in seen:
        data, indices = each.shape(node.input[0]), each.values.get(node.input[1])
        if any(attribute.i for attribute in node.attribute) or data is None or indices is None:
            return False
        if indices.shape[-1] != len(data) or indices.size != np.prod(data) * len(data):
            return False
        places = indices.reshape(-1, len(data)).T
        if not np.array_equal(places, np.indices(data).reshape(len(data), -1)):
            return False
    return True


def _reshaping(pairs: Sequence[tuple[Shape, Shape]]) -> list[int] | None:
    """The sizes from each shape to the other: 0 where an axis of the batch stays, -1 where one grows with it."""
    if len(pairs) != len(TRIED) or len({len(after) for _, after in pairs}) > 1:
        return None
    sizes = []
    for axis, ways in enumerate(zip(*(after for _, after in pairs), strict=True)):
        stays = all(before[axis : axis + 1] == after[axis : axis + 1] for before, after in pairs)
        grows = len(set(ways)) > 1
        sizes.append(0 if stays and (grows or axis == 0) else -1 if grows else ways[0])
    return sizes if sizes.count(-1) <= 1 else None


def _expansion(pairs: Sequence[tuple[Shape, Shape]]) -> list[int] | None:
    """The sizes that each shape expands to: 1, which changes nothing, where an axis already has the batch's size."""
    if len(pairs) != len(TRIED):
        return None
    sizes = []
    for axis, ways in enumerate(zip(*(after[::-1] for _, after in pairs), strict=True)):
        stays = all(before[::-1][axis : axis + 1] == (way,) for (before, _), way in zip(pairs, ways, strict=True))
        if len(set(ways)) > 1 and not stays:
            return None
        sizes.append(1 if stays else ways[0])
    return sizes[::-1]


def _by_scales(node: NodeProto, pairs: Sequence[tuple[Shape, Shape]], constants: dict[str, Array]) -> NodeProto:
    """A Resize to sizes that are computed, as one by scales, if these are whole numbers."""
    sizes = node.input[3] if len(node.input) > 3 else ""  # noqa: PLR2004
    ratios = {tuple(a / b for b, a in zip(before, after, strict=True)) for before, after in pairs}
    if not sizes or sizes in constants or len(ratios) != 1:
        return node
    scales = ratios.pop()
    if any(scale % 1 for scale in scales):
        return node
    name = f"{node.output[0]}/scales"
    constants[name] = np.array(scales, np.float32)
    changed = copy_of(node)
    del changed.input[2:]
    changed.input.append(name)
    return changed


# The model that is left


def _drop_unread(model: ModelProto, constants: Mapping[str, Array]) -> None:
    """Leave the nodes that the outputs hang on, and the constants that these read."""
    read = {output.name for output in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if read & set(node.output):
            kept.append(node)
            read |= set(node.input) | set(_read_within(node))
    del model.graph.node[:]
    model.graph.node.extend(kept[::-1])
    inputs = real_inputs(model.graph)
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    there = {tensor.name for tensor in weights} | {name for node in kept for name in node.output}
    del model.graph.input[:], model.graph.initializer[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(weights)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in constants.items()
        if name in read and name not in there
    )


def _read_within(node: NodeProto) -> Iterator[str]:
    """What the graphs inside a node read, their own tensors among it."""
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs:
            for inner in graph.node:
                yield from inner.input
                yield from _read_within(inner)
            yield from (output.name for output in graph.output)


def _tell_shapes(model: ModelProto, seen: Sequence[_Seen]) -> None:
    """Write down the shape of whatever lies between inputs and outputs."""
    outputs = {output.name for output in model.graph.output}
    for name in [name for node in model.graph.node for name in node.output if name and name not in outputs]:
        shapes = [shape for each in seen if (shape := each.shape(name)) is not None]
        if len(shapes) < len(seen) or len({len(shape) for shape in shapes}) > 1 or name not in seen[0].types:
            continue
        sizes = zip(*shapes, strict=True)
        axes = [each[0] if len(set(each)) == 1 else BATCH if each == TRIED else None for each in sizes]
        kind = seen[0].types[name].tensor_type.elem_type
        model.graph.value_info.append(helper.make_tensor_value_info(name, kind, axes))
