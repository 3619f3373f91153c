"""Lowering ONNX to a plain graph, for frameworks that do not read ONNX. Runs in a model worker.

A plain graph is a folder with ``graph.json`` and ``weights.npz``; docs/design.md describes it. Reading it takes
`json` and ``numpy.load(allow_pickle=False)`` and nothing else, on Python 3.6 and numpy 1.16 as on today's.
Everything that ONNX leaves open is decided here once, so that translators stay small: every default is written out,
sizes and padding are numbers, operators that do nothing at inference are gone, those that ONNX defines by others are
written as these, and layer norms, GELU and HardSwish stand in one piece, as later opsets have them.
"""

import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto
from onnx.inliner import inline_selected_functions

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.sandboxed import fusion, plain_arithmetic, plain_axes, plain_images
from bakeoff.models.sandboxed.opening import copy_of, must_be_onnx_own, opset_of
from bakeoff.models.sandboxed.plain_node import Array, Lowering
from bakeoff.models.sandboxed.shape_folding import fold_shapes
from bakeoff.models.sandboxed.signature import tensor_specs
from bakeoff.models.sandboxed.versions import at_opset

SCHEMA = 3
LEAST_OPSET = 13
"""Since then later opsets only added to what operators mean: attributes with defaults, inputs that may be absent."""
REWRITES = {**plain_arithmetic.REWRITES, **plain_axes.REWRITES, **plain_images.REWRITES}
"""ONNX operator -> function that adds what it is in a plain graph. Others are carried over as they are."""
LAYERS = frozenset(
    {
        *("Elu", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "LayerNormalization", "LeakyRelu"),
        *("PRelu", "Relu", "Softmax", "Softplus", "Clip", "GreaterOrEqual", "LessOrEqual", "Range", "CastLike"),
    }
)
"""Operators that stay though ONNX defines them by others: frameworks have them."""
SET_ASIDE = "bakeoff.whole"
"""the domain of nodes that stay whole while others of their operator are written out"""


def lower(model: ModelProto, name: str, folder: Path) -> None:
    """Write the plain graph of `model` into `folder`, which exists and is empty.

    Raises `UnsupportedModelError` naming the operator for what a plain graph cannot carry: subgraphs, other domains
    than ONNX's own, and what hangs on values that are not known.
    """
    model = fold_shapes(model)
    if (opset_of(model) or LEAST_OPSET) < LEAST_OPSET:
        model = at_opset(model, LEAST_OPSET)
    must_be_onnx_own(model)
    lowering = Lowering(_written_out(model))
    for node in lowering.graph.node:
        lowering.add(node, REWRITES)
    lowering.name_outputs()
    ranks = {name: len(shape) for name, shape in lowering.shapes.items()}
    nodes = fusion.fuse(lowering.nodes, lowering.weights, ranks, {output.name for output in model.graph.output})
    used = {name for node in nodes for name in node["inputs"]}
    inputs, outputs = tensor_specs(model)
    made = {name for node in nodes for name in node["outputs"]} | {spec.name for spec in inputs}
    description = {
        "schema": SCHEMA,
        "name": name,
        "inputs": [{"name": i.name, "dtype": i.dtype, "shape": i.shape} for i in inputs],
        "outputs": [{"name": o.name, "dtype": o.dtype, "shape": o.shape} for o in outputs],
        "dtypes": {name: dtype for name, dtype in lowering.dtypes.items() if name in made},
        "nodes": nodes,
    }
    (folder / "graph.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    _save({name: value for name, value in lowering.weights.items() if name in used}, folder / "weights.npz")


def _written_out(model: ModelProto) -> ModelProto:
    """`model` with the operators that ONNX defines by others written as these, but for those that frameworks have."""
    opset, constants = opset_of(model) or LEAST_OPSET, {tensor.name for tensor in model.graph.initializer}
    whole = [_stays_whole(node, constants) for node in model.graph.node]
    nodes = list(zip(model.graph.node, whole, strict=True))
    defined = {node.op_type for node, stays in nodes if not stays and _is_defined(node, opset)}
    if not defined:
        return model
    changed = copy_of(model)
    for node, stays in zip(changed.graph.node, whole, strict=True):
        if node.op_type in defined and stays:
            node.domain = SET_ASIDE
        elif node.op_type in defined:
            node.attribute.extend(_unsaid(node, opset))
    # The inliner asks for the type of whatever an operator takes, and of initializers it finds none.
    changed.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in changed.graph.initializer
    )
    if any(node.domain == SET_ASIDE for node in changed.graph.node):
        changed.opset_import.append(onnx.helper.make_opsetid(SET_ASIDE, 1))
    kept = [("", operator) for operator in LAYERS - defined]
    try:
        changed = inline_selected_functions(changed, kept, exclude=True, inline_schema_functions=True)
    except Exception as error:  # the inliner raises what the operators' own code does
        what = ", ".join(sorted(defined))
        raise UnsupportedModelError(f"{what}: ONNX's own functions do not tell how to write it otherwise") from error
    for node in changed.graph.node:
        if node.domain == SET_ASIDE:
            node.domain = ""
    return fold_shapes(changed)


def _stays_whole(node: onnx.NodeProto, constants: Collection[str]) -> bool:
    some = node.op_type in plain_images.WHOLE
    return node.op_type in LAYERS and (not some or plain_images.is_layer(node, constants))


def _is_defined(node: onnx.NodeProto, opset: int) -> bool:
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    return bool(schema.has_function or schema.has_context_dependent_function)


def _unsaid(node: onnx.NodeProto, opset: int) -> Iterator[onnx.AttributeProto]:
    """The defaults of what `node` does not say, which the operators that define it refer to."""
    said = {attribute.name for attribute in node.attribute}
    for name, attribute in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
        if name not in said and attribute.default_value.type != onnx.AttributeProto.UNDEFINED:
            yield attribute.default_value


def _save(weights: Mapping[str, Array], path: Path) -> None:
    """An .npz that is the same, byte for byte, whenever it is made; and whose keys may be any string."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in weights.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
