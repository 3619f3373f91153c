"""Lowering ONNX to a plain graph, for frameworks that do not read ONNX.

A plain graph is a folder with ``graph.json`` and ``weights.npz``; docs/design.md describes it. Reading it takes
`json` and ``numpy.load(allow_pickle=False)`` and nothing else, on Python 3.6 and numpy 1.16 as on today's.
What ONNX leaves open is decided here once, so that translators stay small: opset 13, every default
written out, sizes and padding as numbers, constants among the weights, operators that do nothing at inference gone, and
layer norms, GELU and HardSwish in one piece, as later opsets have them.
"""

import itertools
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.sandboxed import fusion
from bakeoff.models.sandboxed.shape_folding import fold_shapes
from bakeoff.models.sandboxed.signature import tensor_specs
from bakeoff.models.sandboxed.versions import at_opset

SCHEMA = 2
OPSET = 13
YOUNGER = {"HardSwish": 14, "LayerNormalization": 17, "Gelu": 20}
"""Operators that are layers of frameworks, and the opset that has them."""
DTYPES = {
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.BOOL,
    TensorProto.UINT8,
    TensorProto.INT8,
    TensorProto.INT32,
    TensorProto.INT64,
}
"""What a weight may be: types that every numpy has."""

WINDOWED = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"}
DILATED = {"Conv", "ConvTranspose", "MaxPool"}

Array = NDArray[np.generic]
Shapes = Mapping[str, tuple[int | None, ...]]


def lower(model: onnx.ModelProto, name: str, folder: Path) -> None:
    """Write the plain graph of `model` into `folder`, which exists and is empty.

    Raises `UnsupportedModelError` naming the operator for what a plain graph cannot carry: subgraphs, other domains
    than ONNX's own, and operators whose meaning at opset 13 is not known.
    """
    model = at_opset(fold_shapes(model), OPSET, besides=YOUNGER)
    graph = onnx.shape_inference.infer_shapes(model).graph
    weights = {tensor.name: _weight(tensor) for tensor in graph.initializer}
    ranks = {name: len(shape) for name, shape in _shapes(graph, weights).items()}
    answers = {output.name for output in graph.output}
    nodes = fusion.fuse(_lowered(graph, weights), weights, ranks, answers)
    used = {name for node in nodes for name in node["inputs"]}
    inputs, outputs = tensor_specs(model)
    description = {
        "schema": SCHEMA,
        "name": name,
        "inputs": [{"name": i.name, "dtype": i.dtype, "shape": i.shape} for i in inputs],
        "outputs": [{"name": o.name, "dtype": o.dtype, "shape": o.shape} for o in outputs],
        "nodes": nodes,
    }
    (folder / "graph.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    _save({name: value for name, value in weights.items() if name in used}, folder / "weights.npz")


def _lowered(graph: GraphProto, weights: dict[str, Array]) -> list[dict[str, Any]]:
    """The nodes in running order; constants met on the way are added to `weights`."""
    shapes = _shapes(graph, weights)
    aliases: dict[str, str] = {}
    nodes: list[dict[str, Any]] = []
    for node in graph.node:
        inputs = [aliases.get(name, name) for name in node.input]
        if node.op_type == "Constant":
            weights[node.output[0]] = _constant(node)
        elif node.op_type in {"Identity", "Dropout"}:
            _must_do_nothing(node, inputs, graph, weights)
            aliases[node.output[0]] = inputs[0]
        else:
            operands, settings = _said_by_inputs(node, inputs, shapes, weights)
            nodes.append(
                {
                    "op": _plain_name(node, inputs, shapes),
                    "name": node.name or node.output[0],
                    "inputs": operands,
                    "outputs": list(node.output),
                    "attributes": _attributes(node, inputs, shapes) | settings,
                }
            )
    _name_outputs(graph, nodes, aliases)
    return nodes


def _said_by_inputs(
    node: NodeProto, inputs: list[str], shapes: Shapes, weights: Mapping[str, Array]
) -> tuple[list[str], dict[str, Any]]:
    """The operands of `node` alone, and as attributes what it goes by, which since some opset are inputs, too.

    What is computed stays an input.
    """
    operands, others = inputs[:1], inputs[1:]
    if node.op_type.startswith("Reduce"):
        return operands, {"axes": _axes(node, inputs, shapes, weights)}
    if _plain_name(node, inputs, shapes) in GLOBAL.values():
        return operands, {"axes": list(range(2, len(shapes[inputs[0]]))), "keepdims": 1}
    if node.op_type == "Resize" and len(shapes.get(node.output[0], ())) == len(shapes.get(inputs[0], (None,) * 99)):
        return operands, _sizes(node, inputs, shapes, weights)
    names = BY_INPUTS.get(node.op_type, ())
    if not names or not all(name in weights for name in others if name):
        return inputs, {}
    said = dict(zip(names, others, strict=False))
    return operands, {name: weights[tensor].tolist() for name, tensor in said.items() if tensor}


BY_INPUTS = {"Slice": ("starts", "ends", "axes", "steps"), "Pad": ("pads", "value"), "Split": ("split",)}
"""What these go by, as older opsets call it."""


def _plain_name(node: NodeProto, inputs: list[str], shapes: Shapes) -> str:
    """Frameworks pool images; over other than two axes a global pool is a reduction."""
    rank = len(shapes.get(inputs[0], ())) if inputs else 0
    operator: str = node.op_type
    return operator if rank in {0, IMAGE_RANK} else GLOBAL.get(operator, operator)


GLOBAL = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}
IMAGE_RANK = 4


def _axes(node: NodeProto, inputs: list[str], shapes: Shapes, weights: Mapping[str, Array]) -> list[int]:
    """The axes of a reduction, which some have as an input and some not at all, meaning every one."""
    said = next((list(a.ints) for a in node.attribute if a.name == "axes"), [])
    if len(inputs) > 1 and inputs[1]:
        if inputs[1] not in weights:
            raise _unsupported(node, "reduces computed axes")
        said = [int(axis) for axis in weights[inputs[1]].tolist()]
    does_nothing = any(a.name == "noop_with_empty_axes" and a.i for a in node.attribute)
    if not said and (does_nothing or inputs[0] not in shapes):
        raise _unsupported(node, "does nothing, or reduces an input of unknown rank")
    return said or list(range(len(shapes[inputs[0]])))


def _sizes(node: NodeProto, inputs: list[str], shapes: Shapes, weights: Mapping[str, Array]) -> dict[str, Any]:
    """What a Resize leads to: the sizes of the axes behind the first two, and how many times these are the old ones."""
    before, after = shapes[inputs[0]], shapes[node.output[0]]
    olds, news = before[2:], after[2:]
    if before[1] != after[1] or None in (*olds, *news):
        raise _unsupported(node, "resizes channels, or to an unknown size")
    given = weights.get(inputs[2]) if len(inputs) > 2 and inputs[2] else None  # noqa: PLR2004
    scales = [new / old for old, new in zip(olds, news, strict=True) if old and new]
    if given is not None and given.size == len(before):
        scales = [float(scale) for scale in given.tolist()[2:]]
    repeats = [int(scale) for scale in scales] if _repeats_pixels(node, scales) else None
    return {"sizes": list(news), "scales": scales, "repeats": repeats}


def _repeats_pixels(node: NodeProto, scales: list[float]) -> bool:
    """Whether a Resize is what frameworks call upsampling: each pixel as often as a whole scale says."""
    how = {a.name: a.s.decode() for a in node.attribute}
    ways = how.get("coordinate_transformation_mode", "half_pixel"), how.get("nearest_mode", "round_prefer_floor")
    return how.get("mode", "nearest") == "nearest" and ways in REPEATING and not any(scale % 1 for scale in scales)


REPEATING = {
    ("asymmetric", "floor"),
    *itertools.product(("half_pixel", "pytorch_half_pixel"), ("round_prefer_floor", "round_prefer_ceil")),
}
"""Where ONNX looks for the nearest pixel and how it rounds, such that whole scales repeat pixels."""


def _name_outputs(graph: GraphProto, nodes: list[dict[str, Any]], aliases: Mapping[str, str]) -> None:
    """Where an operator that was removed gave a graph output its name, its source takes that name."""
    renamed = {}
    for output in graph.output:
        source = aliases.get(output.name, output.name)
        made_here = any(source in node["outputs"] for node in nodes)
        if not made_here or source in renamed or (source != output.name and source in {o.name for o in graph.output}):
            raise UnsupportedModelError(
                f"output {output.name!r} is an input, a constant or another output, which a plain graph cannot carry"
            )
        if source != output.name:
            renamed[source] = output.name
    for node in nodes:
        for side in ("inputs", "outputs"):
            node[side] = [renamed.get(name, name) for name in node[side]]


def _must_do_nothing(node: NodeProto, inputs: list[str], graph: GraphProto, weights: Mapping[str, Array]) -> None:
    """Refuses a Dropout that trains or whose mask is used."""
    if node.op_type == "Identity":
        return
    mask = node.output[1] if len(node.output) > 1 else ""
    mask_is_used = mask and any(mask in other.input for other in graph.node)
    mask_is_output = mask and any(mask == output.name for output in graph.output)
    training = inputs[2] if len(inputs) > 2 else ""  # noqa: PLR2004
    trains = training and (training not in weights or bool(weights[training]))
    if mask_is_used or mask_is_output or trains:
        raise _unsupported(node, "drops out at inference, or its mask is used")


# Weights


def _weight(tensor: TensorProto) -> Array:
    if tensor.data_type not in DTYPES:
        dtype = TensorProto.DataType.Name(tensor.data_type).lower()
        raise UnsupportedModelError(f"weight {tensor.name!r} is {dtype}, which numpy does not have")
    array: Array = numpy_helper.to_array(tensor)
    return array


def _constant(node: NodeProto) -> Array:
    [attribute] = node.attribute
    value = helper.get_attribute_value(attribute)
    match attribute.name:
        case "value":
            return _weight(value)
        case "value_float" | "value_floats":
            return np.asarray(value, np.float32)
        case "value_int" | "value_ints":
            return np.asarray(value, np.int64)
        case kind:
            raise _unsupported(node, f"holds a {kind}")


def _save(weights: Mapping[str, Array], path: Path) -> None:
    """An .npz that is the same, byte for byte, whenever it is made; and whose keys may be any string."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in weights.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)


# Attributes


def _attributes(node: NodeProto, inputs: list[str], shapes: Shapes) -> dict[str, Any]:
    """What the node says, and every default that ONNX gives to what it does not say."""
    schema = onnx.defs.get_schema(node.op_type, YOUNGER.get(node.op_type, OPSET), node.domain)
    defaults = [a.default_value for a in schema.attributes.values() if a.default_value.type != AttributeProto.UNDEFINED]
    values = {a.name: _plain_value(node, a) for a in [*defaults, *node.attribute]}
    fill = _FILLED_IN.get(node.op_type)
    if fill:
        fill(node, inputs, shapes, values)
    return values


def _plain_value(node: NodeProto, attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    match attribute.type:
        case AttributeProto.INT | AttributeProto.FLOAT:
            return value
        case AttributeProto.INTS | AttributeProto.FLOATS:
            return list(value)
        case AttributeProto.STRING:
            return value.decode()
        case AttributeProto.STRINGS:
            return [item.decode() for item in value]
        case kind:
            what = AttributeProto.AttributeType.Name(kind).lower()
            raise _unsupported(node, f"has a {what} attribute ({attribute.name})")


def _fill_window(node: NodeProto, inputs: list[str], shapes: Shapes, values: dict[str, Any]) -> None:
    """Kernel, strides, pads and dilations in numbers."""
    if "kernel_shape" not in values:
        kernel = shapes.get(inputs[1], ())[2:]
        if not kernel or None in kernel:
            raise _unsupported(node, "has a kernel of unknown size")
        values["kernel_shape"] = list(kernel)
    rank = len(values["kernel_shape"])
    values.setdefault("strides", [1] * rank)
    if node.op_type in DILATED:
        values.setdefault("dilations", [1] * rank)
    if node.op_type == "ConvTranspose":
        values.setdefault("output_padding", [0] * rank)
    auto_pad = values.pop("auto_pad", "NOTSET")
    if auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
        values["pads"] = _same_pads(node, shapes.get(inputs[0], ())[2:], values, upper=auto_pad == "SAME_UPPER")
    elif auto_pad == "VALID":
        values["pads"] = [0] * 2 * rank
    else:
        values.setdefault("pads", [0] * 2 * rank)


def _same_pads(node: NodeProto, size: tuple[int | None, ...], values: Mapping[str, Any], *, upper: bool) -> list[int]:
    """Padding in numbers such that the output's size is the input's over the stride, rounded up."""
    if not size or None in size or node.op_type == "ConvTranspose":
        raise _unsupported(node, "pads automatically an input of unknown size")
    before, after = [], []
    dilations = values.get("dilations", [1] * len(size))
    for length, kernel, stride, dilation in zip(
        size, values["kernel_shape"], values["strides"], dilations, strict=True
    ):
        assert length is not None  # noqa: S101 - checked above; said for the type checker
        reach = (kernel - 1) * dilation + 1
        total = max(0, (-(-length // stride) - 1) * stride + reach - length)
        less, more = total // 2, total - total // 2
        before.append(less if upper else more)
        after.append(more if upper else less)
    return before + after


def _fill_perm(node: NodeProto, inputs: list[str], shapes: Shapes, values: dict[str, Any]) -> None:
    """Transpose without `perm` turns the axes round."""
    if "perm" not in values:
        if inputs[0] not in shapes:
            raise _unsupported(node, "turns round an input of unknown rank")
        values["perm"] = list(range(len(shapes[inputs[0]])))[::-1]


def _norm_last_axis(node: NodeProto, inputs: list[str], shapes: Shapes, values: dict[str, Any]) -> None:
    """A layer norm over the last axis, with a scale and a shift, is what frameworks have as a layer."""
    rank = len(shapes.get(inputs[0], ())) or None
    last = values["axis"] == -1 or (rank is not None and values["axis"] % rank == rank - 1)
    if not last or len([name for name in inputs if name]) != 3 or len(node.output) > 1:  # noqa: PLR2004
        raise _unsupported(node, "is other than a scaled and shifted one over the last axis")
    values["axis"] = -1


def _exact(node: NodeProto, _inputs: list[str], _shapes: Shapes, values: dict[str, Any]) -> None:
    if values["approximate"] != "none":
        raise _unsupported(node, f"is approximated by {values['approximate']}")


_FILLED_IN: dict[str, Callable[[NodeProto, list[str], Shapes, dict[str, Any]], None]] = {
    **dict.fromkeys(WINDOWED, _fill_window),
    "Gelu": _exact,
    "LayerNormalization": _norm_last_axis,
    "Transpose": _fill_perm,
}
"""Defaults that ONNX gives in words, not in its schema."""


def _shapes(graph: GraphProto, weights: Mapping[str, Array]) -> dict[str, tuple[int | None, ...]]:
    """What is known of each tensor's shape."""
    shapes: dict[str, tuple[int | None, ...]] = {name: value.shape for name, value in weights.items()}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            shapes[value.name] = tuple(d.dim_value if d.HasField("dim_value") else None for d in dims)
    return shapes


def _unsupported(node: NodeProto, why: str) -> UnsupportedModelError:
    where = f" {node.name!r}" if node.name else ""
    return UnsupportedModelError(f"operator {node.op_type}{where} {why}, which a plain graph cannot carry")
