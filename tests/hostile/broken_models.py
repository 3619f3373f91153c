"""Broken and hostile ONNX files, each with what a user must be told: shared by unit and end-to-end tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

Write = Callable[[Path], object]

RELU = helper.make_node("Relu", ["x"], ["y"])
OUTSIDE = "outside.bin"


def model(
    nodes: Sequence[onnx.NodeProto] = (RELU,),
    weights: Sequence[TensorProto] = (),
    *,
    shape: Sequence[int | str] = ("N", 4),
    dtype: int = TensorProto.FLOAT,
    **changes: Any,
) -> onnx.ModelProto:
    """From ``x`` to ``y``; `changes` go to the model's own fields."""
    inputs = [helper.make_tensor_value_info("x", dtype, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", *shape[1:]])]
    graph = helper.make_graph(list(nodes), "net", inputs, outputs, list(weights))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def at_opset(version: int) -> onnx.ModelProto:
    made = model()
    made.opset_import[0].version = version
    return made


def write(made: onnx.ModelProto) -> Write:
    return lambda path: path.write_bytes(made.SerializeToString())


def content(data: bytes) -> Write:
    return lambda path: path.write_bytes(data)


def weighed(weight: TensorProto) -> onnx.ModelProto:
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [weight])


def tensor(**changes: Any) -> TensorProto:
    made = numpy_helper.from_array(np.ones(4, np.float32), "w")
    for name, value in changes.items():
        if name == "dims":
            del made.dims[:]
            made.dims.extend(value)
        else:
            setattr(made, name, value)
    return made


def external(location: str, length: int = 16) -> onnx.ModelProto:
    """Its one weight lies in the file at `location`."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in ("location", location), ("length", str(length)):
        weight.external_data.add(key=key, value=value)
    return weighed(weight)


def beside(made: onnx.ModelProto, prepare: Write) -> Write:
    """`made`, and in its folder what `prepare` does."""

    def both(path: Path) -> None:
        prepare(path.parent)
        write(made)(path)

    return both


def symlink(folder: Path) -> None:
    target = folder.parent / OUTSIDE
    target.write_bytes(bytes(16))
    (folder / "link.bin").symlink_to(target)


def nested(depth: int) -> bytes:
    """Ifs inside of Ifs, deeper than any library would write: put together byte by byte."""
    graph = helper.make_graph([RELU], "leaf", [], []).SerializeToString()
    for _ in range(depth):
        branch = AttributeProto(name="then_branch", type=AttributeProto.GRAPH).SerializeToString() + field(6, graph)
        graph = field(1, helper.make_node("If", ["c"], ["y"]).SerializeToString() + field(5, branch))
    start: bytes = onnx.ModelProto(ir_version=8).SerializeToString()
    return start + field(7, graph)


def field(number: int, message: bytes) -> bytes:
    """A message within another, as protobuf writes it."""
    size, digits = len(message), b""
    while size >= 128:
        digits, size = digits + bytes([size % 128 + 128]), size // 128
    return bytes([number * 8 + 2]) + digits + bytes([size]) + message


def with_graph(change: Callable[[onnx.GraphProto], Any]) -> onnx.ModelProto:
    made = model()
    change(made.graph)
    return made


def text_input() -> onnx.ModelProto:
    return model([helper.make_node("StringNormalizer", ["x"], ["y"])], shape=["N"], dtype=TensorProto.STRING)


def sequence_input() -> onnx.ModelProto:
    made = model([helper.make_node("SequenceAt", ["x", "i"], ["y"])], [numpy_helper.from_array(np.array(0), "i")])
    made.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None))
    return made


def memory_bomb() -> onnx.ModelProto:
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["one"], keepdims=0),
        helper.make_node("Add", ["x", "one"], ["y"]),
    ]
    return model(nodes, [numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "s")])


def convolution(**attributes: Any) -> onnx.ModelProto:
    kernel = numpy_helper.from_array(np.ones((4, 4, 3, 3), np.float32), "w")
    return model([helper.make_node("Conv", ["x", "w"], ["y"], **attributes)], [kernel], shape=["N", 4, 8, 8])


GOOD = model(weights=[numpy_helper.from_array(np.ones(1000, np.float32), "unused")]).SerializeToString()
MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])
INTEGERS = numpy_helper.from_array(np.ones(4, np.int64), "w")
CYCLE = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
TWICE = [RELU, helper.make_node("Sigmoid", ["x"], ["y"])]

BROKEN: dict[str, tuple[Write, str]] = {
    "truncated": (content(GOOD[:2000]), "not an ONNX model, cut short"),
    "wrong-magic": (content(b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "not an ONNX model"),
    "text": (content(b"dear reader, this is no model\n" * 10), "not an ONNX model"),
    "empty": (content(b""), "the file is empty"),
    "directory": (lambda path: path.mkdir(), "is a folder, not a model"),
    "no-graph": (write(onnx.ModelProto(ir_version=8)), "there is no graph in it"),
    "cyclic-graph": (
        write(model([*CYCLE, helper.make_node("Relu", ["b"], ["y"])])),
        "not a sound ONNX model: Nodes in a graph must be topologically sorted",
    ),
    "dangling-input": (write(model([helper.make_node("Add", ["x", "nowhere"], ["y"])])), "'nowhere'"),
    "duplicate-names": (write(model(TWICE)), "'y' has been used as output names multiple times"),
    "duplicate-inputs": (write(with_graph(lambda g: g.input.append(g.input[0]))), "'x' has been used"),
    "no-inputs": (
        write(model([helper.make_node("Relu", ["w"], ["y"])], [tensor(), tensor(name="x")])),
        "0 inputs and 1 outputs",
    ),
    "zero-outputs": (write(with_graph(lambda g: g.ClearField("output"))), "1 inputs and 0 outputs"),
    "unknown-operator": (write(model([helper.make_node("NoSuchThing", ["x"], ["y"])])), "NoSuchThing"),
    "new-opset": (write(at_opset(999)), "its opset is 999"),
    "new-ir-version": (write(model(ir_version=999)), "its IR version is 999"),
    "external-data-missing": (write(external("weights.bin")), "'weights.bin', which is not there"),
    "external-data-above": (
        beside(external(f"../{OUTSIDE}"), lambda folder: (folder.parent / OUTSIDE).write_bytes(bytes(16))),
        "does not lie beside the model",
    ),
    "external-data-absolute": (write(external("/etc/passwd")), "does not lie beside the model"),
    "external-data-through-a-link": (
        beside(external("link.bin"), symlink),
        "a link that leads out of the model's folder",
    ),
    "external-data-too-short": (
        beside(external("w.bin"), lambda folder: (folder / "w.bin").write_bytes(bytes(8))),
        "which is too short: 8 bytes, not 16",
    ),
    "external-data-of-another-size": (
        beside(external("w.bin", 8), lambda folder: (folder / "w.bin").write_bytes(bytes(16))),
        "of 8 bytes, but its shape takes 16",
    ),
    "absurd-shape": (write(model(shape=["N", 3, 10**6, 10**6])), "at most 256"),
    "claims-3-gb": (write(weighed(tensor(dims=[30_000, 25_000]))), "claims 3,000,000,000 bytes and holds 16"),
    "negative-weight-shape": (write(weighed(tensor(dims=[-4]))), "negative size in its shape [-4]"),
    "negative-input-shape": (write(model(shape=["N", -5])), "has a size of -5"),
    "unknown-type": (write(weighed(tensor(data_type=99))), "of no known type (99)"),
    "weight-of-wrong-type": (write(weighed(INTEGERS)), "do not fit together"),
    "text-input": (write(text_input()), "is text, which no engine takes"),
    "sequence-input": (write(sequence_input()), "is not a tensor of known type"),
    "nested-bomb": (content(nested(200)), "nested too deep"),
    "huge-attribute": (write(convolution(pads=[2**40] * 4)), "at most 256"),
    "huge-kernel": (write(convolution(kernel_shape=[2**40, 2**40])), "would be of a negative size"),
}
"""Name -> what writes the file, and what opening it says."""

BREAKING: dict[str, tuple[Write, str]] = {
    "shapes-do-not-fit": (write(model([MATMUL], [tensor(dims=[2, 2])])), "no engine can run it"),
    "memory-bomb": (write(memory_bomb()), "no engine can run it"),
}
"""The same for models that are sound to look at, and break when they run."""
