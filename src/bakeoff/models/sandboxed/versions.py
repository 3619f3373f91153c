"""The same model at another opset or IR version.

ONNX's own converter goes up well and down hardly at all: it knows no way back across opset 13, where nearly every
operator got a new version number for the sake of one more data type. So most of the way down is taken here: where
an operator means the same in both versions and uses nothing that the older one lacks, only the number changes; and
some, such as Clip, are rewritten in the older notation (`bakeoff.models.sandboxed.older_operators`).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, version_converter

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.inputs import draw, stack
from bakeoff.models.sandboxed import older_operators
from bakeoff.models.sandboxed.opening import copy_of, graphs, must_be_onnx_own, one_line, opset_of
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.shape_folding import fold_shapes
from bakeoff.models.sandboxed.signature import tensor_specs

# fmt: off
MEANS_THE_SAME = frozenset({
    "Abs", "Add", "And", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Concat", "Constant", "Conv",
    "ConvTranspose", "Cos", "DepthToSpace", "Div", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor",
    "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "HardSigmoid", "Identity",
    "InstanceNormalization", "IsNaN", "LRN", "LeakyRelu", "Less", "LessOrEqual", "Log", "LpNormalization", "MatMul",
    "Max", "MaxPool", "Mean", "Min", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "ReduceMax",
    "ReduceMean", "ReduceMin", "Relu", "Reshape", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign",
    "SpaceToDepth", "Sqrt", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Where",
})
# fmt: on
"""Operators that compute the same in every opset from 9 on that accepts their types, attributes and inputs: later
versions only added to these. Softmax, Resize and Dropout, for example, are not among them."""

INITIALIZERS_ARE_INPUTS = 3
"""The last IR version in which every initializer had to be a graph input."""


def at_opset(model: ModelProto, opset: int) -> ModelProto:
    """`model` with the meaning of `opset`, a copy unless it has it already.

    Where single operators do not have that meaning, what the model computes from shapes alone is folded first
    (`bakeoff.models.sandboxed.shape_folding`). Raises `UnsupportedModelError` naming the operators that do not exist
    there or do not mean the same.
    """
    must_be_onnx_own(model)
    current = opset_of(model)
    if current is None:
        raise UnsupportedModelError("the model does not say which opset its operators are of")
    if current == opset:
        return model
    said_otherwise, obstacles = _changes(model, current, opset)
    if obstacles:
        model = fold_shapes(model)
        said_otherwise, obstacles = _changes(model, current, opset)
    try:
        changed = (
            version_converter.convert_version(model, opset) if obstacles else _relabelled(model, opset, said_otherwise)
        )
        onnx.checker.check_model(changed, full_check=True)
        if obstacles:
            _must_compute_the_same(model, changed)
    except Exception as error:  # the converter and the checker raise several kinds, not all of them public
        why = "; ".join(obstacles[:3]) or one_line(error)
        raise UnsupportedModelError(f"no form at opset {opset} (the model is at {current}): {why}") from error
    return changed


def _changes(model: ModelProto, current: int, opset: int) -> tuple[dict[int, NodeProto], list[str]]:
    """The nodes that are said otherwise at `opset`, by number, and why the rest of the model has no form there."""
    hard = {i: why for i, node in enumerate(model.graph.node) if (why := _obstacle(node, current, opset))}
    said_otherwise = _said_otherwise(model, hard, current, opset)
    return said_otherwise, sorted({why for i, why in hard.items() if i not in said_otherwise})


def _must_compute_the_same(model: ModelProto, changed: ModelProto) -> None:
    """ONNX's converter now and then changes the number and not the meaning (Softmax across opset 13): try and see."""
    inputs, _ = tensor_specs(model)
    drawn = [draw(spec.dtype, spec.sample_shape, seed=0, count=1, below=2) for spec in inputs]
    sample = [stack(array, spec.batch_axis) for array, spec in zip(drawn, inputs, strict=True)]
    for before, after in zip(Float64Model(model)(sample), Float64Model(changed)(sample), strict=True):
        if before.shape != after.shape or not np.allclose(before, after, rtol=1e-9, atol=1e-9, equal_nan=True):
            raise UnsupportedModelError("the converted model computes something else")


def at_ir_version(model: ModelProto, ir_version: int) -> ModelProto:
    """A copy of `model` for readers of `ir_version`.

    Up to IR version 3 initializers must be graph inputs too; for later readers they must not be, or they would count
    as changeable.
    """
    changed = copy_of(model)
    changed.ir_version = ir_version
    weights = {tensor.name: tensor for tensor in changed.graph.initializer}
    real = [value for value in changed.graph.input if value.name not in weights]
    del changed.graph.input[:]
    changed.graph.input.extend(real)
    if ir_version <= INITIALIZERS_ARE_INPUTS:
        changed.graph.input.extend(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in weights.values()
        )
    return changed


def _obstacle(node: NodeProto, current: int, opset: int) -> str:
    """Why changing the number alone would not do for `node`; empty if it would."""
    if not onnx.defs.has(node.op_type, node.domain):
        return f"{node.op_type} is no operator of ONNX"
    try:
        here, there = (onnx.defs.get_schema(node.op_type, version, node.domain) for version in (current, opset))
    except onnx.defs.SchemaError:
        return f"{node.op_type} does not exist there"
    if here.since_version == there.since_version:
        return ""
    if node.op_type not in MEANS_THE_SAME:
        return f"{node.op_type} means something else there"
    defaults = {a.name: a.default_value for a in here.attributes.values()}
    unknown = [
        a.name for a in node.attribute if a.name not in there.attributes and not _is_default(a, defaults[a.name])
    ]
    if unknown:
        return f"{node.op_type} has no {', '.join(unknown)} there"
    fits = there.min_input <= len(node.input) <= there.max_input and len(node.output) <= there.max_output
    return "" if fits else f"{node.op_type} takes other inputs there"


def _is_default(attribute: AttributeProto, default: AttributeProto) -> bool:
    """Whether saying it changes nothing."""
    if attribute.name == "dilations":
        return set(attribute.ints) == {1}  # a default in ONNX's words, not in its schema
    same = attribute.type == default.type
    return same and bool(helper.get_attribute_value(attribute) == helper.get_attribute_value(default))


def _said_otherwise(model: ModelProto, numbers: Iterable[int], current: int, opset: int) -> dict[int, NodeProto]:
    """Those of the nodes `numbers` that `opset` says in another way, by number, as it says them."""
    rewritable = [number for number in numbers if model.graph.node[number].op_type in older_operators.REWRITES]
    if not rewritable:
        return {}
    known = older_operators.facts(model)
    found = {i: older_operators.downgraded(model.graph.node[i], current, opset, known) for i in rewritable}
    return {number: node for number, node in found.items() if node is not None}


def _relabelled(model: ModelProto, opset: int, said_otherwise: Mapping[int, NodeProto]) -> ModelProto:
    changed = copy_of(model)
    for number, node in said_otherwise.items():
        changed.graph.node[number].CopyFrom(node)
    if said_otherwise:
        _drop_unread(changed.graph)
    for node in changed.graph.node:
        known = onnx.defs.get_schema(node.op_type, opset, node.domain).attributes
        kept = [a for a in node.attribute if a.name in known]
        del node.attribute[:]
        node.attribute.extend(kept)
    del changed.opset_import[:]
    changed.opset_import.append(helper.make_opsetid("", opset))
    return changed


def _drop_unread(graph: GraphProto) -> None:
    """Take away the weights that no operator reads any more: they would be inputs to old readers."""
    read = {name for each in graphs(graph) for node in each.node for name in node.input}
    read |= {value.name for value in [*graph.input, *graph.output]}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
