"""A network as users bring it: two outputs, shape arithmetic, attention over an image, an upsampled map."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, CHANNELS = 16, 8
OPSET, IR_VERSION = 12, 7
"""The last opset that converters for the readers of 2019 still meet often."""


def write(path: Path) -> None:
    """The ONNX file: from an image [batch, 3, 16, 16] to scores [batch, 5] and a map [batch, 1, 16, 16]."""
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        return random.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)

    weights = {
        "stem": drawn(CHANNELS, 3, 3, 3),
        "down": drawn(CHANNELS, CHANNELS, 3, 3),
        "up": drawn(CHANNELS, 1, 2, 2),
        "query": drawn(CHANNELS, CHANNELS),
        "key": drawn(CHANNELS, CHANNELS),
        "head": drawn(CHANNELS, 5),
        "none": np.zeros(0, np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "zero": np.array([0]),
        "two": np.array([2]),
        "pixels": np.array([-1]),
    }
    node = helper.make_node
    repeats = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    nodes = [
        node("Conv", ["image", "stem"], ["large"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["large"], ["features"]),
        node("Conv", ["features", "down"], ["small"], pads=[1, 1, 1, 1], strides=[2, 2]),
        # The map: what is small made large again, and added.
        node("Resize", ["small", "none", "scales"], ["resized"], **repeats),
        node("Add", ["resized", "features"], ["merged"]),
        node("ConvTranspose", ["merged", "up"], ["logits"], strides=[2, 2]),
        node("Sigmoid", ["logits"], ["map"]),
        # The scores: the pixels of what is small attend to each other.
        node("Shape", ["small"], ["shape"]),
        node("Slice", ["shape", "zero", "two", "zero"], ["front"]),
        node("Concat", ["front", "pixels"], ["sizes"], axis=0),
        node("Reshape", ["small", "sizes"], ["columns"]),
        node("Transpose", ["columns"], ["rows"], perm=[0, 2, 1]),
        node("MatMul", ["rows", "query"], ["queries"]),
        node("MatMul", ["rows", "key"], ["keys"]),
        node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        node("MatMul", ["queries", "turned"], ["likeness"]),
        node("Softmax", ["likeness"], ["shares"], axis=2),
        node("MatMul", ["shares", "rows"], ["attended"]),
        node("ReduceMean", ["attended"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "head"], ["scores"]),
    ]
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "users",
        [helper.make_tensor_value_info("image", floats, ["batch", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("scores", floats, ["batch", 5]),
            helper.make_tensor_value_info("map", floats, ["batch", 1, SIDE, SIDE]),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
