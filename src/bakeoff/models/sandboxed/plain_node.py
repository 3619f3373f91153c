"""A plain graph while it is made, and a node of ONNX's as its rewrites take it. Runs in a model worker."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.sandboxed.opening import opset_of

Array = NDArray[np.generic]
Shape = tuple[int | None, ...]
Rewrite = Callable[["Node"], None]
Rewrites = Mapping[str, Rewrite]

NUMBERS = "biuf"
"""Kinds of types that every numpy has."""


class Lowering:
    """The nodes in running order, the constants, and what is known of every tensor."""

    def __init__(self, model: ModelProto) -> None:
        self.graph = onnx.shape_inference.infer_shapes(model).graph
        self.opset = opset_of(model)
        self.weights: dict[str, Array] = {tensor.name: _weight(tensor) for tensor in self.graph.initializer}
        self.shapes: dict[str, Shape] = {name: value.shape for name, value in self.weights.items()}
        self.dtypes: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.nodes: list[dict[str, Any]] = []
        for value in [*self.graph.input, *self.graph.value_info, *self.graph.output]:
            tensor = value.type.tensor_type
            if tensor.HasField("shape"):
                dims = tensor.shape.dim
                self.shapes[value.name] = tuple(d.dim_value if d.HasField("dim_value") else None for d in dims)
            if tensor.elem_type:
                self.dtypes[value.name] = numpy_type(tensor.elem_type)

    def add(self, node: NodeProto, rewrites: Rewrites) -> None:
        """What `node` is in a plain graph: as one of `rewrites` says it, or as it is."""
        if node.op_type == "Constant":
            self.keep(node.output[0], _constant(node))
            return
        said = Node(self, node)
        rewrite = rewrites.get(node.op_type)
        if rewrite is None:
            self.put(node.op_type, said.name, said.inputs, said.outputs, said.attributes)
        else:
            rewrite(said)

    def keep(self, name: str, array: Array) -> str:
        """A constant of that name; returns the name."""
        self.weights[name], self.shapes[name] = array, array.shape
        return name

    def put(
        self, op: str, name: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Any]
    ) -> None:
        """Add a node of the plain graph."""
        trimmed = [*inputs]
        while trimmed and not trimmed[-1]:
            trimmed.pop()
        self.nodes.append(
            {"op": op, "name": name, "inputs": trimmed, "outputs": [*outputs], "attributes": dict(attributes)}
        )

    def dtype(self, name: str) -> str:
        """The tensor's type as numpy calls it; empty where it is not known."""
        return str(self.weights[name].dtype) if name in self.weights else self.dtypes.get(name, "")

    def name_outputs(self) -> None:
        """Where an operator that was removed gave a graph output its name, its source takes that name.

        An output that is an input, or another output, becomes what an Identity makes of it.
        """
        renamed: dict[str, str] = {}
        outputs = {output.name for output in self.graph.output}
        for name in [output.name for output in self.graph.output if output.name in self.aliases]:
            source = self.aliases[name]
            made_here = any(source in node["outputs"] for node in self.nodes)
            if source in self.weights:
                raise UnsupportedModelError(f"output {name!r} is a constant, which a plain graph cannot carry")
            self.shapes[name], self.dtypes[name] = self.shapes.get(source, ()), self.dtype(source)
            if not made_here or source in renamed or source in outputs:
                self.put("Identity", name, [renamed.get(source, source)], [name], {})
            else:
                renamed[source] = name
        for node in self.nodes:
            for side in ("inputs", "outputs"):
                node[side] = [renamed.get(name, name) for name in node[side]]
        made = {name for node in self.nodes for name in node["outputs"]}
        for output in self.graph.output:
            if output.name not in made:
                raise UnsupportedModelError(
                    f"output {output.name!r} is an input or a constant, which a plain graph cannot carry"
                )


class Node:
    """A node of ONNX's, what it takes and what it says; its rewrite adds what it is in the plain graph."""

    def __init__(self, lowering: Lowering, node: NodeProto) -> None:
        self.lowering, self.op, self.proto = lowering, node.op_type, node
        self.inputs: list[str] = [lowering.aliases.get(name, name) for name in node.input]
        self.outputs: list[str] = list(node.output)
        self.name = node.name or node.output[0]
        self.attributes = self._attributes()
        self.made = 0

    # What it says

    def _attributes(self) -> dict[str, Any]:
        """What the node says, and every default that ONNX gives to what it does not say."""
        schema = onnx.defs.get_schema(self.op, self.lowering.opset, "")
        defaults = [a.default_value for a in schema.attributes.values()]
        given = [a for a in defaults if a.type != AttributeProto.UNDEFINED]
        return {a.name: self._plain_value(a) for a in [*given, *self.proto.attribute]}

    def _plain_value(self, attribute: AttributeProto) -> Any:
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
                raise self.unsupported(f"has a {what} attribute ({attribute.name})")

    def unsupported(self, why: str) -> UnsupportedModelError:
        """The error that says that this node `why`."""
        where = f" {self.proto.name!r}" if self.proto.name else ""
        return UnsupportedModelError(f"operator {self.op}{where} {why}, which a plain graph cannot carry")

    # What it takes

    def given(self, index: int) -> str:
        """The name of input `index`, empty where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def is_constant(self, index: int) -> bool:
        """Whether input `index` is there and a constant."""
        return self.given(index) in self.lowering.weights

    def constant(self, index: int, what: str = "") -> Array | None:
        """The constant that is input `index`, or None where it is absent. `what` names it where it is computed."""
        name = self.given(index)
        if name and name not in self.lowering.weights:
            raise self.unsupported(f"takes computed {what or f'values as input {index}'}")
        return self.lowering.weights[name] if name else None

    def needed(self, index: int, what: str) -> Array:
        """The constant that is input `index`, one that ONNX demands."""
        found = self.constant(index, what)
        if found is None:
            raise self.unsupported(f"lacks its {what}")
        return found

    def integers(self, index: int, what: str) -> list[int] | None:
        """The same as a list of numbers."""
        found = self.constant(index, what)
        return None if found is None else [int(item) for item in found.ravel().tolist()]

    def shape(self, index: int = 0) -> Shape:
        """The shape of input `index`, None on an axis of unknown size."""
        name = self.given(index)
        if name not in self.lowering.shapes:
            raise self.unsupported("takes a tensor of unknown rank")
        return self.lowering.shapes[name]

    def sizes(self, index: int = 0) -> tuple[int, ...]:
        """The same where every size is known, as it is where the batch is not an axis."""
        shape = self.shape(index)
        if None in shape:
            raise self.unsupported("needs sizes that are not known")
        return tuple(size for size in shape if size is not None)

    def rank(self, index: int = 0) -> int:
        """How many axes input `index` has."""
        return len(self.shape(index))

    def axis(self, name: str = "axis", index: int = 0) -> int:
        """The attribute `name`, an axis of input `index`, counted from the front."""
        return int(self.attributes[name]) % max(1, self.rank(index))

    def dtype(self, index: int = 0) -> str:
        """The type of input `index`."""
        return self.lowering.dtype(self.given(index))

    # What it is in a plain graph

    def put(self, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """The last node of the rewrite: it makes this one's outputs."""
        self.lowering.put(op, self.name, inputs, self.outputs, attributes)

    def make(
        self,
        op: str,
        inputs: Sequence[str],
        sizes: Sequence[int | None] | None = None,
        dtype: str | None = None,
        **attributes: Any,
    ) -> str:
        """A node in between, with one output of shape `sizes` and `dtype`, by default those of its first input."""
        self.made += 1
        name = f"{self.outputs[0]}/{self.made}-{op}"
        known = self.lowering.shapes.get(inputs[0])
        found = known if sizes is None else tuple(sizes)
        if found is not None:
            self.lowering.shapes[name] = found
        self.lowering.dtypes[name] = dtype or self.lowering.dtype(inputs[0])
        self.lowering.put(op, f"{self.name}/{self.made}-{op}", inputs, [name], attributes)
        return name

    def number(self, value: Any, dtype: str | None = None) -> str:
        """The name of a new constant, by default of the type of the first input."""
        self.made += 1
        array = np.asarray(value, dtype or self.dtype())
        return self.lowering.keep(f"{self.outputs[0]}/{self.made}-constant", array)

    def computed(self, op: str, one: str, other: str, sizes: Sequence[int | None]) -> str:
        """The sum or the product of two tensors of whole numbers, at once where both are constants."""
        weights = self.lowering.weights
        if one in weights and other in weights:
            function = {"Add": np.add, "Mul": np.multiply}[op]
            return self.number(function(weights[one], weights[other]), "int64")
        return self.make(op, [one, other], sizes, "int64")

    def stand_for(self, name: str) -> None:
        """The node does nothing: whoever reads its output reads the tensor `name`."""
        self.lowering.aliases[self.outputs[0]] = name


def numpy_type(elem_type: int) -> str:
    """The name in numpy of a type of ONNX's; empty if numpy does not have it."""
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(elem_type))
    except (KeyError, TypeError):
        return ""
    return dtype.name if dtype.kind in NUMBERS and dtype.isbuiltin == 1 else ""


def _weight(tensor: TensorProto) -> Array:
    if not numpy_type(tensor.data_type):
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
            raise UnsupportedModelError(f"operator Constant holds a {kind}, which a plain graph cannot carry")
