"""The stand-in for a model that has a signature but no ONNX: an ONNX file with one node for all of it.

It gets shapes and inputs like any other model; only engines that take the user's own file can compute it.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import ValueInfoProto, helper

from bakeoff.errors import ModelError
from bakeoff.models.sandboxed.signature import Declared

DOMAIN = "bakeoff.opaque"
"""Part of the digests of stored models, as are the other names in the file."""


class Signature(msgspec.Struct, frozen=True):
    """What an importer writes of a model that it cannot bring to ONNX."""

    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    reason: str


def read(path: Path) -> Signature:
    """The signature that an importer wrote. Raises `ModelError` if it is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Signature)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"its importer wrote no sound signature: {error}") from error


def write(signature: Signature, path: Path) -> None:
    """The stand-in for a model of `signature`, as ONNX."""
    inputs, outputs = ([_value(tensor) for tensor in side] for side in (signature.inputs, signature.outputs))
    names: dict[str, Any] = {"inputs": [v.name for v in inputs], "outputs": [v.name for v in outputs]}
    node = helper.make_node("Opaque", **names, domain=DOMAIN)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(helper.make_graph([node], "opaque", inputs, outputs), opset_imports=opsets, ir_version=8)
    onnx.save(model, path)


def _value(tensor: Declared) -> ValueInfoProto:
    try:
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    except (TypeError, KeyError, ValueError) as error:
        raise ModelError(f"{tensor.name!r} is of no known type ({tensor.dtype})") from error
    return helper.make_tensor_value_info(tensor.name, dtype, list(tensor.axes))
