"""What `bakeoff models show` prints of a user's model."""

from collections import Counter
from pathlib import Path

import onnx

from bakeoff.errors import ModelError
from bakeoff.models.sandboxed import external_data
from bakeoff.models.sandboxed.opening import graphs
from bakeoff.models.sandboxed.shaping import batch_axes, sized_inputs
from bakeoff.models.sandboxed.signature import Declared, count_parameters, declared, is_quantized
from bakeoff.records import Record


class Description(Record, frozen=True):
    """A model as its file has it, before it gets the sizes that it leaves open."""

    ir_version: int
    opsets: dict[str, int]
    """by domain"""
    producer: str
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    batch_axes: dict[str, int]
    """by input; empty if none was found"""
    open: str
    """what has to be said before it can be raced, and how; empty if nothing"""
    parameters: int
    operators: dict[str, int]
    """how often each is used, the most frequent first"""
    quantized: bool
    files: tuple[str, ...]
    """that hold weights, relative to the model's folder"""


def describe(model: onnx.ModelProto, folder: Path) -> Description:
    """The description of `model`, which lies in `folder`. Raises `ModelError` for what cannot be raced."""
    inputs, outputs = declared(model)
    axes = batch_axes(inputs)
    nodes = [node for graph in graphs(model.graph) for node in graph.node]
    return Description(
        ir_version=model.ir_version,
        opsets={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=inputs,
        outputs=outputs,
        batch_axes=axes,
        open=_open(inputs, axes),
        parameters=count_parameters(model.graph),
        operators=dict(Counter(node.op_type for node in nodes).most_common()),
        quantized=is_quantized(model),
        files=tuple(path.relative_to(folder).as_posix() for path in external_data.files(model, folder)),
    )


def _open(inputs: tuple[Declared, ...], axes: dict[str, int]) -> str:
    try:
        sized_inputs(inputs, axes, {})
    except ModelError as error:
        return f"{error}. {error.advice or ''}".strip()
    return ""
