"""The built-in networks written as ONNX. Runs in a model worker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from bakeoff.models.architectures import Architecture, Layer, layers
from bakeoff.models.seeding import EPSILON

OPSET = 13
IR_VERSION = 7
"""The first that goes with opset 12 and 13: every current reader takes it."""


def write(architecture: Architecture, weights: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Write the network with `weights` (every parameter, by torchvision's name) as ONNX.

    One input ``input`` [batch, 3, size, size] and one output ``logits`` [batch, classes], float32, with the batch
    size left open. Batch norms stand unfused. The same weights give the same bytes.
    """
    plan = layers(architecture)
    side, names = architecture.size, [name for layer in plan for name in layer.parameters()]
    graph = helper.make_graph(
        [_node(layer) for layer in plan],
        architecture.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", architecture.classes])],
        [_tensor(name, weights[name]) for name in names],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="bakeoff",
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _node(layer: Layer) -> onnx.NodeProto:
    parameters = list(layer.parameters())
    return helper.make_node(layer.op, [*layer.inputs, *parameters], [layer.output], layer.name, **_attributes(layer))


def _attributes(layer: Layer) -> dict[str, Any]:
    window = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2, "pads": [layer.pad] * 4}
    match layer.op:
        case "Conv":
            return window | {"dilations": [1, 1], "group": 1}
        case "MaxPool":
            return window
        case "BatchNormalization":
            return {"epsilon": EPSILON}
        case "Flatten":
            return {"axis": 1}
        case "Gemm":
            return {"transB": 1}
        case _:
            return {}


def _tensor(name: str, values: NDArray[np.float32]) -> onnx.TensorProto:
    little_endian = np.ascontiguousarray(values, dtype="<f4")
    return helper.make_tensor(name, TensorProto.FLOAT, values.shape, little_endian.tobytes(), raw=True)
