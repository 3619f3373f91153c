"""Seeded changes to model files and engine.toml: bytes, and the structure that the bytes stand for.

The same seed writes the same file, so a finding is its seed.
"""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from tests.hostile.broken_models import external, model, nested

ENGINE = Path(__file__).parents[1] / "rogues" / "engine.toml"
ODD_SIZES = (-(2**63), -1, 0, 1, 2**31, 2**62)
ODD_NAMES = ("", "\x1b[2J", "x" * 10_000, "../../etc/passwd", "\x00", "y")


def a_network(rng: random.Random) -> onnx.ModelProto:
    """A small chain of layers, as exporters write them."""
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    shape = numpy_helper.from_array(np.array([-1, 4], np.int64), "s")
    chain = [("MatMul", ["w"]), ("Relu", []), ("Softmax", []), ("Reshape", ["s"]), ("Add", ["w"]), ("Identity", [])]
    nodes, last = [], "x"
    for place, (op, more) in enumerate(rng.sample(chain, rng.randrange(1, len(chain)))):
        nodes.append(helper.make_node(op, [last, *more], [f"t{place}"]))
        last = f"t{place}"
    return model([*nodes, helper.make_node("Relu", [last], ["y"])], [weight, shape])


def cycle(made: onnx.ModelProto, rng: random.Random) -> None:
    """An output of a later node, or of itself, is an input."""
    rng.choice(made.graph.node).input[0] = rng.choice(made.graph.node).output[0]


def sizes(made: onnx.ModelProto, rng: random.Random) -> None:
    """A size that no array has."""
    tensor = rng.choice([*made.graph.initializer])
    tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(ODD_SIZES)


def shapes(made: onnx.ModelProto, rng: random.Random) -> None:
    """An input of such a size."""
    made.graph.input[0].type.tensor_type.shape.dim[rng.randrange(2)].dim_value = rng.choice(ODD_SIZES)


def names(made: onnx.ModelProto, rng: random.Random) -> None:
    """A name that means something to a terminal, a file system or C."""
    node = rng.choice(made.graph.node)
    setattr(node, rng.choice(["op_type", "name", "domain"]), rng.choice(ODD_NAMES))


def types(made: onnx.ModelProto, rng: random.Random) -> None:
    """A type that the bytes are not of, or that is none."""
    rng.choice(made.graph.initializer).data_type = rng.choice([0, 7, 8, 10, 16, 99, -1])


def attributes(made: onnx.ModelProto, rng: random.Random) -> None:
    """An attribute that the operator has not, or not so."""
    value = rng.choice([2**62, -1, [2**40] * 9, "text", 1e300, [0.5]])
    rng.choice(made.graph.node).attribute.append(helper.make_attribute(rng.choice(["axis", "perm", "pads"]), value))


def versions(made: onnx.ModelProto, rng: random.Random) -> None:
    """Versions of the standard that are none."""
    made.opset_import[0].version = rng.choice([-1, 0, 1, 999, 2**40])
    made.ir_version = rng.choice([-1, 0, 3, 999])


def repeated(made: onnx.ModelProto, rng: random.Random) -> None:
    """Something is there twice."""
    of = rng.choice([made.graph.node, made.graph.initializer, made.graph.input, made.graph.output])
    of.append(rng.choice(of))


def gone(made: onnx.ModelProto, rng: random.Random) -> None:
    """Something is missing."""
    of = rng.choice([made.graph.node, made.graph.initializer, made.graph.input, made.graph.output])
    del of[rng.randrange(len(of))]


STRUCTURE: tuple[Callable[[onnx.ModelProto, random.Random], None], ...] = (
    *(cycle, sizes, shapes, names, types, attributes, versions, repeated, gone),
)


def of_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes set, pieces cut out, doubled or moved: a few times."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 2, 5, 20])):
        if not changed:
            break
        begin = rng.randrange(len(changed))
        end = min(len(changed), begin + rng.choice([1, 2, 8, 64]))
        kind = rng.randrange(5)
        if kind == 0:
            changed[begin] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[begin] = rng.choice([0, 0x7F, 0x80, 0xFF])
        elif kind == 2:
            del changed[begin:end]
        elif kind == 3:
            changed[begin:begin] = changed[begin:end] * rng.choice([1, 3])
        else:
            changed = changed[:begin]
    return bytes(changed)


def write(folder: Path, seed: int) -> Path:
    """The file of that seed, in a folder made for it: a model, one time in ten an engine.toml."""
    rng = random.Random(seed)  # noqa: S311 - a file, no secret
    folder.mkdir(parents=True)
    if rng.random() < 0.1:
        file = folder / "engine.toml"
        file.write_bytes(of_bytes(ENGINE.read_bytes(), rng))
        return file
    file = folder / "model.onnx"
    draw = rng.random()
    if draw < 0.05:
        content = nested(rng.choice([3, 50, 400]))
    elif draw < 0.1:
        content = external(
            rng.choice(["w.bin", "/etc/passwd", "../w.bin", "", "."]), rng.choice([16, 0, -1, 2**40])
        ).SerializeToString()
    else:
        made = a_network(rng)
        try:
            for _ in range(rng.choice([0, 1, 2, 4])):
                rng.choice(STRUCTURE)(made, rng)
        except (IndexError, ValueError):  # nothing is left to change
            pass
        content = made.SerializeToString()
    file.write_bytes(of_bytes(content, rng) if rng.random() < 0.5 else content)
    return file
