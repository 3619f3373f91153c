"""What a model file says about itself: its inputs and outputs, its size, its work. Runs in a model worker."""

import math
from collections.abc import Mapping, Sequence

import onnx
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.records import Record, TensorSpec

CLASSES_RANK = 2
"""An output of batch x classes scores classes."""
FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16})


def tensor_specs(model: onnx.ModelProto) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs in the model's own order; None where the batch size goes.

    The batch size is the first axis of every input and output, and left open in the model. Raises
    `UnsupportedModelError` for a model that is otherwise.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_spec(value, "input") for value in model.graph.input if value.name not in weights)
    outputs = tuple(_spec(value, "output") for value in model.graph.output)
    if not inputs or not outputs:
        raise ModelError(f"the model has {len(inputs)} inputs and {len(outputs)} outputs; it needs some of each")
    return inputs, outputs


def _spec(value: ValueInfoProto, side: str) -> TensorSpec:
    tensor = value.type.tensor_type
    where = f"{side} {value.name!r}"
    if not value.type.HasField("tensor_type") or tensor.elem_type == TensorProto.UNDEFINED:
        raise UnsupportedModelError(f"{where} is not a tensor of known type")
    if not tensor.HasField("shape"):
        raise UnsupportedModelError(
            f"{where} has no known shape", "Export it with static shapes but for the batch size."
        )
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    if not shape or shape[0] is not None:
        raise UnsupportedModelError(
            f"{where} has no open batch size in front: its shape is {_as_text(shape)}",
            "Export the model with a dynamic first axis.",
        )
    if None in shape[1:] and side == "input":
        raise UnsupportedModelError(
            f"{where} leaves more open than the batch size: its shape is {_as_text(shape)}",
            "Export the model with only its first axis dynamic.",
        )
    return TensorSpec(name=value.name, dtype=helper.tensor_dtype_to_np_dtype(tensor.elem_type).name, shape=shape)


def _as_text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


class Inspection(Record, frozen=True):
    """What `inspect` finds; the fields are those of `ModelRecord`."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: int | None
    parameters: int
    flops: int


def inspect(model: onnx.ModelProto) -> Inspection:
    """Read a model's signature and count its parameters and its work."""
    inputs, outputs = tensor_specs(model)
    scores = outputs[0].shape[1] if len(outputs[0].shape) == CLASSES_RANK else None
    return Inspection(
        inputs=inputs,
        outputs=outputs,
        classes=scores if scores is not None and scores > 1 and outputs[0].dtype.startswith("float") else None,
        parameters=count_parameters(model.graph),
        flops=count_flops(model),
    )


def count_parameters(graph: GraphProto) -> int:
    """Trainable numbers: float initializers, without the running statistics of batch norms."""
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    return sum(
        math.prod(tensor.dims)
        for tensor in graph.initializer
        if tensor.name not in statistics and tensor.data_type in FLOATS
    )


def count_flops(model: onnx.ModelProto) -> int:
    """Multiply-adds x 2 of one sample, over convolutions and matrix products; 0 if some shape stays unknown."""
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in [*single.graph.input, *single.graph.output]:
        for dim in value.type.tensor_type.shape.dim[:1]:
            if not dim.HasField("dim_value"):
                dim.dim_value = 1
    del single.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(single).graph
    shapes: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    try:
        return sum(2 * _multiply_adds(node, shapes) for node in graph.node)
    except (KeyError, IndexError):
        return 0


def _multiply_adds(node: NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
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
