"""Models that answer differently each time, or by who else is in the batch: no answer of theirs can be judged."""

from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnx.external_data_helper import uses_external_data

from bakeoff.errors import ModelError
from bakeoff.models.sandboxed.opening import graphs

RANDOM = ("Random", "Multinomial", "Bernoulli")
"""How the names of operators begin that draw random numbers, seeded or not: each engine has a generator of its own."""


def must_be_deterministic(model: ModelProto) -> None:
    """Raise `ModelError` that names the first operator which draws random numbers, or trains as it computes.

    Operators whose results nothing uses do not count.
    """
    nodes = [node for graph in graphs(model.graph) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    used = {name for node in nodes for name in node.input}
    for holder in (*graphs(model.graph), *model.functions):
        used |= {output if isinstance(output, str) else output.name for output in holder.output}
    constants = _constants(model)
    for node in nodes:
        results = [name for name in node.output if name in used]
        if results and (why := _why_not(node, results, constants)):
            name = f" {node.name!r}" if node.name else ""
            raise ModelError(
                f"operator {node.op_type}{name} {why}",
                "Export the model for inference (in PyTorch, after model.eval()); noise that it needs can be an input.",
            )


def _why_not(node: NodeProto, results: list[str], constants: dict[str, bool]) -> str:
    if node.op_type.startswith(RANDOM):
        return "draws random numbers: the same input is answered differently each time"
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "BatchNormalization" and (attributes.get("training_mode") or len(results) > 1):
        return "is in training mode: an answer depends on the other samples of its batch"
    asks = node.input[2] if node.op_type == "Dropout" and len(node.input) > 2 else ""  # noqa: PLR2004 - training_mode
    if asks and constants.get(asks, True):
        return "is in training mode: the same input is answered differently each time"
    return ""


def _constants(model: ModelProto) -> dict[str, bool]:
    """The constant truths in the model, by name: whether any value of each is true."""
    tensors = {t.name: t for graph in graphs(model.graph) for t in graph.initializer}
    for graph in graphs(model.graph):
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].HasField("t"):
                tensors[node.output[0]] = node.attribute[0].t
    truths = {name: t for name, t in tensors.items() if t.data_type == TensorProto.BOOL and not uses_external_data(t)}
    return {name: bool(numpy_helper.to_array(t).any()) for name, t in truths.items()}
