"""Weights that lie beside an ONNX file instead of in it."""

from pathlib import Path

import onnx
from onnx import TensorProto
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from bakeoff.models.sandboxed.opening import claimed_bytes, external_file, tensors

INSIDE = 2**31 - 2**27
"""What fits into one protobuf message, whose limit is 2 GiB, with 128 MiB to spare for the graph."""
BESIDE = "model.data"
SMALLEST = 1024
"""Smaller tensors, in bytes, stay inside: shapes and axes, which engines want to see at once."""


def files(model: onnx.ModelProto, folder: Path) -> list[Path]:
    """The files in `folder`, or below it, that hold weights of `model`; each once. Raises `ModelError`."""
    found = (external_file(tensor, folder) for tensor in tensors(model) if uses_external_data(tensor))
    return list(dict.fromkeys(found))


def with_weights(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """`model` itself, its weights from the files in `folder` now in memory."""
    for tensor in tensors(model):
        if uses_external_data(tensor):
            info = ExternalDataInfo(tensor)
            with external_file(tensor, folder).open("rb") as file:  # ONNX's own loader refuses links
                file.seek(int(info.offset or 0))
                tensor.raw_data = file.read(int(info.length or 0) or claimed_bytes(tensor))
            tensor.ClearField("external_data")
            tensor.data_location = TensorProto.DEFAULT
    return model


def write(model: onnx.ModelProto, folder: Path, target: Path) -> None:
    """Write `model`, whose other files lie in `folder`, as `target`: one file where that is possible.

    A model that is too large for one file gets its weights into `BESIDE`, in the folder of `target`.
    """
    outside = sum(path.stat().st_size for path in files(model, folder))
    fits = outside + model.ByteSize() <= INSIDE
    model = with_weights(model, folder)
    if fits:
        target.write_bytes(model.SerializeToString(deterministic=True))
    else:
        onnx.save(model, target, save_as_external_data=True, location=BESIDE, size_threshold=SMALLEST)
