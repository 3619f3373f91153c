"""A model's inputs and outputs, its parameters and its work, read from its file."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.models.sandboxed.opening import copy_of, graphs, one_line
from bakeoff.records import Record, TensorSpec

CLASSES_RANK = 2
"""An output of batch x classes scores classes."""
BATCH = "batch"
"""The name of the one axis that is open in the models that we write."""
WEIGHTS = frozenset(
    {
        *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16),
        *(TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4),
    }
)
"""What weights are made of, quantized or not; other integers are indices and shapes."""
QUANTIZED = ("Quantize", "Dequantize", "DynamicQuantize", "QLinear")
"""How the names of operators begin that compute on rounded values: float64 has no meaning there."""

PASSES_ON = frozenset(
    {"Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
"""Operators whose output holds the values of their first input and no others."""
Shapes = Mapping[str, tuple[int, ...]]


class Declared(Record, frozen=True):
    """An input or output as a file declares it: an open axis by its name, "?" where it has none."""

    name: str
    dtype: str
    axes: tuple[int | str, ...]

    def __str__(self) -> str:
        """As in ``x float32 [batch, 3, ?, ?]``."""
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.axes))}]"


def declared(model: onnx.ModelProto) -> tuple[tuple[Declared, ...], tuple[Declared, ...]]:
    """Inputs and outputs in the model's own order. Raises `ModelError` for what cannot be raced."""
    inputs, outputs = real_inputs(model.graph), list(model.graph.output)
    if not inputs or not outputs:
        raise ModelError(f"the model has {len(inputs)} inputs and {len(outputs)} outputs; it needs some of each")
    names = Counter(value.name for value in [*model.graph.input, *outputs])
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ModelError(f"two of its inputs and outputs are called {twice[0]!r}")
    return tuple(_declared(value, "input") for value in inputs), tuple(_declared(value, "output") for value in outputs)


def _declared(value: ValueInfoProto, side: str) -> Declared:
    where, tensor = f"{side} {value.name!r}", value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == TensorProto.UNDEFINED:
        raise UnsupportedModelError(f"{where} is not a tensor of known type")
    if side == "input" and not tensor.HasField("shape"):
        raise UnsupportedModelError(
            f"{where} does not even say how many axes it has", "Export the model with its shapes."
        )
    for dim in tensor.shape.dim:
        if dim.dim_value < -1:
            raise ModelError(f"{where} has a size of {dim.dim_value}")
    # Some exporters write -1 or 0 for an open size.
    axes = tuple(d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in tensor.shape.dim)
    return Declared(name=value.name, dtype=_dtype(where, tensor.elem_type), axes=axes)


def _dtype(where: str, elem_type: int) -> str:
    if elem_type == TensorProto.STRING:
        raise UnsupportedModelError(f"{where} is text, which no engine takes", "Leave tokenizing out of the model.")
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(elem_type))
    except (KeyError, TypeError) as error:
        raise ModelError(f"{where} is of no known type ({elem_type})") from error
    if dtype.kind not in "biuf":
        raise UnsupportedModelError(f"{where} is {dtype.name}, which numpy does not have")
    return str(dtype.name)


def real_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs without the weights, which old files list among them."""
    weights = {tensor.name for tensor in graph.initializer} | {s.values.name for s in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in weights]


def tensor_specs(model: onnx.ModelProto) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a model whose only open axes are those of the batch, as ours are.

    Raises `UnsupportedModelError` for another.
    """
    inputs, outputs = (tuple(map(_spec, side)) for side in declared(model))
    for spec in inputs:
        if spec.shape.count(None) > 1:
            raise UnsupportedModelError(f"input {spec.name!r} leaves more open than the batch size")
    return inputs, outputs


def _spec(tensor: Declared) -> TensorSpec:
    shape = tuple(axis if isinstance(axis, int) else -1 if axis == "?" else None for axis in tensor.axes)
    return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=shape)


class Inspection(Record, frozen=True):
    """What `inspect` finds; the fields are those of `ModelRecord`."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: int | None
    parameters: int
    flops: int
    fixed_batch: int | None
    quantized: bool
    denormals: Mapping[str, int]


def inspect(model: onnx.ModelProto, folder: Path) -> Inspection:
    """Read the signature of a model whose only open axes are those of the batch; count its parameters and its work.

    Weights that are not in the model lie in `folder`.
    """
    inputs, outputs = tensor_specs(model)
    single = concrete(model, 1)
    first = outputs[0]
    scores = first.shape[1] if len(first.shape) == CLASSES_RANK and first.batch_axis == 0 else None
    return Inspection(
        inputs=with_ranges(inputs, single),
        outputs=outputs,
        classes=scores if scores is not None and scores > 1 and first.dtype.startswith("float") else None,
        parameters=count_parameters(model.graph),
        flops=count_flops(single),
        fixed_batch=_fixed_batch(inputs),
        quantized=is_quantized(model),
        denormals=count_denormals(model.graph, folder),
    )


def _fixed_batch(inputs: tuple[TensorSpec, ...]) -> int | None:
    """None if there is a batch axis; else the first size that all inputs of several axes share, else 1."""
    if any(spec.batch_axis is not None for spec in inputs):
        return None
    first = {spec.shape[0] for spec in inputs if len(spec.shape) > 1}
    return first.pop() if len(first) == 1 else 1


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether some operator computes on rounded values."""
    operators = {node.op_type for graph in graphs(model.graph) for node in graph.node}
    return any(op.startswith(QUANTIZED) or op.endswith("Integer") for op in operators)


def with_ranges(inputs: tuple[TensorSpec, ...], graph: GraphProto) -> tuple[TensorSpec, ...]:
    """`inputs`, those of integers with the bound that `graph`, a graph of known shapes, sets for their values."""
    shapes = known_shapes(graph)
    return tuple(
        msgspec.structs.replace(spec, below=bound_of(spec.name, graph, shapes)) if "int" in spec.dtype else spec
        for spec in inputs
    )


def bound_of(name: str, graph: GraphProto, shapes: Shapes) -> int | None:
    """The bound below which the values of the integer input `name` must stay; None if the graph sets none.

    The smallest of the axes that are looked up by them (Gather); 2 for what is called a mask. `shapes` are those of
    the graph's tensors as far as they are known.
    """
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for read in node.input:
            readers[read].append(node)
    found: list[int] = []
    seen, left = {name}, [name]
    while left:
        tensor = left.pop()
        for node in readers[tensor]:
            if node.op_type == "Gather" and node.input[1] == tensor and node.input[0] in shapes:
                table = shapes[node.input[0]]
                axis = next((int(a.i) for a in node.attribute if a.name == "axis"), 0)
                found += table[axis : axis + 1 or None]
            elif node.op_type in PASSES_ON and node.input[0] == tensor and node.output[0] not in seen:
                seen.add(node.output[0])
                left.append(node.output[0])
    if found:
        return min(found)
    return 2 if "mask" in name.lower() else None


def concrete(model: onnx.ModelProto, batch_size: int, *, check_type: bool = False) -> GraphProto:
    """The graph at one batch size, with the shapes of all its tensors as far as ONNX can infer them.

    Raises `ModelError` if its operators do not fit together and `check_type` asks for it.
    """
    fixed = copy_of(model)
    del fixed.graph.value_info[:]
    for value in [*fixed.graph.input, *fixed.graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_value = batch_size
    try:
        return onnx.shape_inference.infer_shapes(fixed, check_type=check_type, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(f"its operators do not fit together: {one_line(error)}") from error


def known_shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of which all sizes are known."""
    shapes: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    return shapes


def stored_tensors(graph: GraphProto) -> dict[str, TensorProto]:
    """Initializers and constants by name."""
    constants = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    stored = {tensor.name: tensor for tensor in graph.initializer}
    return stored | {node.output[0]: node.attribute[0].t for node in constants}


def count_parameters(graph: GraphProto) -> int:
    """Trainable numbers: stored as initializers or constants, without the running statistics of batch norms.

    A tensor without axes is a bound or an exponent, and no weight.
    """
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    return sum(
        math.prod(tensor.dims)
        for name, tensor in stored_tensors(graph).items()
        if name not in statistics and tensor.dims and tensor.data_type in WEIGHTS
    )


def count_denormals(graph: GraphProto, folder: Path) -> dict[str, int]:
    """How many numbers of each stored float32 tensor are denormal, of those that hold any."""
    found = {
        name: _denormals(numpy_helper.to_array(tensor, str(folder)))
        for name, tensor in stored_tensors(graph).items()
        if tensor.data_type == TensorProto.FLOAT
    }
    return {name: count for name, count in found.items() if count}


def _denormals(array: NDArray[np.float32]) -> int:
    size = np.abs(array)
    return int(np.count_nonzero((size > 0) & (size < np.finfo(np.float32).smallest_normal)))


def count_flops(graph: GraphProto) -> int:
    """Multiply-adds x 2 over convolutions and matrix products; 0 if some shape stays unknown."""
    shapes = known_shapes(graph)
    try:
        return sum(2 * _multiply_adds(node, shapes) for node in graph.node)
    except (KeyError, IndexError):
        return 0


def _multiply_adds(node: NodeProto, shapes: Shapes) -> int:
    match node.op_type:
        case "Conv":
            return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
        case "ConvTranspose":
            return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
        case "MatMul":
            return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
        case "Gemm":
            turned = any(a.name == "transA" and a.i for a in node.attribute)
            return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if turned else 1]
        case _:
            return 0
