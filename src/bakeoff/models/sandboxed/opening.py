"""Opening a user's ONNX file: any fault in it is one line."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import onnx
from onnx import AttributeProto, GraphProto, TensorProto
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.printable import cut

Report = Callable[[str], None]
"""what a task says of its progress goes there"""
Message = TypeVar("Message", onnx.ModelProto, onnx.NodeProto, onnx.TypeProto)
OWN_DOMAINS = frozenset({"", "ai.onnx"})
"""what models call the domain of ONNX's own operators"""
KNOWN_TYPES = frozenset(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}
BITS = {
    **dict.fromkeys((TensorProto.UINT4, TensorProto.INT4), 4),
    **dict.fromkeys((TensorProto.BOOL, TensorProto.UINT8, TensorProto.INT8), 8),
    **dict.fromkeys((TensorProto.UINT16, TensorProto.INT16, TensorProto.FLOAT16, TensorProto.BFLOAT16), 16),
    **dict.fromkeys((TensorProto.UINT32, TensorProto.INT32, TensorProto.FLOAT), 32),
    **dict.fromkeys((TensorProto.UINT64, TensorProto.INT64, TensorProto.DOUBLE, TensorProto.COMPLEX64), 64),
}
"""of one value where it is stored raw; the 8-bit floats and other rarities are left to ONNX's checker"""


def open_model(path: str) -> onnx.ModelProto:
    """Read and check an ONNX file; weights that lie in other files are checked to be there, and not read.

    Raises `ModelError` for what is no sound model; the caller puts the model's name before it.
    """
    model = _read(Path(path))
    _check_versions(model)
    for tensor in tensors(model):
        if uses_external_data(tensor):
            external_file(tensor, Path(path).parent)
        else:
            _check_size(tensor)
    try:
        onnx.checker.check_model(_without_external_data(model))
    except onnx.checker.ValidationError as error:
        raise ModelError(f"not a sound ONNX model: {one_line(error)}") from error
    return model


def tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor that is stored in the model: weights and constants, inside subgraphs and functions too."""
    for graph in graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    nodes = [node for graph in graphs(model.graph) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    for node in nodes:
        for attribute in node.attribute:
            yield from [attribute.t] if attribute.type == AttributeProto.TENSOR else attribute.tensors


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """`graph` and every graph inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs:
                yield from graphs(inner)


def external_file(tensor: TensorProto, folder: Path) -> Path:
    """The file that holds `tensor`, beside the model or below it, and long enough. Raises `ModelError` otherwise."""
    try:
        info = ExternalDataInfo(tensor)
        offset, length = int(info.offset or 0), int(info.length or 0)
    except (ValueError, TypeError) as error:
        raise ModelError(f"weight {tensor.name!r} says in no sound way where its data is: {one_line(error)}") from error
    where = f"weight {tensor.name!r} is in another file, {info.location!r},"
    path: Path = folder / info.location
    if not info.location or not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder)):
        raise ModelError(f"{where} which does not lie beside the model", "Only files in the model's folder are read.")
    if not any(path.resolve().is_relative_to(tree) for tree in _trees(folder)):
        raise ModelError(f"{where} a link that leads out of the model's folder", "Copy the folder with `cp -rL`.")
    if not path.is_file():
        raise ModelError(f"{where} which is not there", f"Put it into {folder}.")
    if offset < 0 or length < 0 or offset + length > path.stat().st_size:
        raise ModelError(f"{where} which is too short: {path.stat().st_size} bytes, not {offset + length}")
    if length and tensor.data_type in BITS and length != claimed_bytes(tensor):
        raise ModelError(f"{where} of {length} bytes, but its shape takes {claimed_bytes(tensor)}")
    return path


def _trees(folder: Path) -> list[Path]:
    """Where links in `folder` may lead: to itself and, in Hugging Face's cache, to the blobs of the same model."""
    here = folder.resolve()
    hubs = [parent.parent for parent in (here, *here.parents) if parent.name == "snapshots"]
    return [here, *(hub / "blobs" for hub in hubs if hub.name.startswith("models--"))]


def _without_external_data(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` for ONNX's checker, which refuses links: tensors in other files, checked here, as empty ones."""
    if not any(map(uses_external_data, tensors(model))):
        return model
    bare = copy_of(model)
    for tensor in tensors(bare):
        if uses_external_data(tensor):
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            del tensor.dims[:]
            tensor.dims.append(0)
    return bare


def opset_of(model: onnx.ModelProto) -> int | None:
    """The opset of ONNX's own operators; None if the model does not say."""
    return next((opset.version for opset in model.opset_import if opset.domain in OWN_DOMAINS), None)


def must_be_onnx_own(model: onnx.ModelProto) -> None:
    """Raise `UnsupportedModelError` that names the domains of operators which are not ONNX's own."""
    if foreign := sorted({node.domain for node in model.graph.node} - OWN_DOMAINS):
        raise UnsupportedModelError(f"operators of {', '.join(foreign)} are not ONNX's own")


def copy_of(message: Message) -> Message:
    """The same model, node or type, which can be changed."""
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def claimed_bytes(tensor: TensorProto) -> int:
    """How many bytes the tensor's shape and type take."""
    bits: int = math.prod(tensor.dims) * BITS[tensor.data_type]
    return -(-bits // 8)


def one_line(error: BaseException) -> str:
    """The message of a library's error, without line breaks and not endless."""
    return cut(str(error), 200)


def _read(path: Path) -> onnx.ModelProto:
    try:
        size = path.stat().st_size
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}") from error
    except MemoryError:
        raise
    except Exception as error:  # protobuf's own kinds of error differ between its versions
        raise ModelError(f"not an ONNX model, cut short, or nested too deep: {one_line(error)}") from error
    if not size:
        raise ModelError("the file is empty")
    if not model.HasField("graph"):
        raise ModelError("not an ONNX model: there is no graph in it")
    return model


def _check_versions(model: onnx.ModelProto) -> None:
    if not 1 <= model.ir_version <= onnx.IR_VERSION:
        raise ModelError(f"its IR version is {model.ir_version}; 1 to {onnx.IR_VERSION} can be read")
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in OWN_DOMAINS and not 1 <= opset.version <= newest:
            raise ModelError(f"its opset is {opset.version}; 1 to {newest} can be read")


def _check_size(tensor: TensorProto) -> None:
    """Refuses a tensor that claims another size than it has: what believes the claim allocates it."""
    if tensor.data_type not in KNOWN_TYPES:
        raise ModelError(f"weight {tensor.name!r} is of no known type ({tensor.data_type})")
    if any(size < 0 for size in tensor.dims):
        raise ModelError(f"weight {tensor.name!r} has a negative size in its shape {list(tensor.dims)}")
    if tensor.HasField("raw_data") and tensor.data_type in BITS and len(tensor.raw_data) != claimed_bytes(tensor):
        raise ModelError(
            f"weight {tensor.name!r} claims {claimed_bytes(tensor):,} bytes and holds {len(tensor.raw_data):,}"
        )
