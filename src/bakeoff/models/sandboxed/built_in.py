"""The built-in networks written as ONNX."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

from bakeoff.models.architectures import Architecture, layers
from bakeoff.models.sandboxed.signature import BATCH, concrete, count_flops
from bakeoff.records import TensorSpec

OPSET = 13
IR_VERSION = 7
"""The first that goes with opset 12 and 13: every current reader takes it."""


def write(architecture: Architecture, weights: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Write the network with `weights` (every parameter, by its checkpoint's name) as ONNX.

    Inputs and output are those of `architecture`, with the batch size left open. Batch norms stand unfused. The same
    weights give the same bytes.
    """
    names = [name for layer in layers(architecture) for name in layer.parameters]
    model = _model(architecture, [], [_tensor(name, weights[name]) for name in names])
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def flops(architecture: Architecture) -> int:
    """Multiply-adds x 2 of one sample, over convolutions and matrix products."""
    shapes = {name: shape for layer in layers(architecture) for name, shape in layer.parameters.items()}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    return count_flops(concrete(_model(architecture, values, []), 1))


def _model(architecture: Architecture, parameters: list[ValueInfoProto], weights: list[TensorProto]) -> onnx.ModelProto:
    """The network with its parameters as inputs, or with their values."""
    plan = layers(architecture)
    constants = {name: value for layer in plan for name, value in layer.constants.items()}
    graph = helper.make_graph(
        [helper.make_node(each.op, each.inputs, [each.output], each.name, **each.attributes) for each in plan],
        architecture.name,
        [*map(_value, architecture.inputs), *parameters],
        [_value(architecture.output)],
        [*weights, *(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())],
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="bakeoff",
    )


def _value(spec: TensorSpec) -> ValueInfoProto:
    shape = [BATCH if size is None else size for size in spec.shape]
    return helper.make_tensor_value_info(spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), shape)


def _tensor(name: str, values: NDArray[np.float32]) -> onnx.TensorProto:
    little_endian = np.ascontiguousarray(values, dtype="<f4")
    return helper.make_tensor(name, TensorProto.FLOAT, values.shape, little_endian.tobytes(), raw=True)
