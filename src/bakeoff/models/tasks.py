"""What a model worker can be asked to do. Each task takes plain JSON values and `report`, and returns plain JSON.

Files that a task writes are whole only when it returns: the caller gives a temporary name and renames.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import onnx

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.models import checkpoint, plain_graph, reference, rounding, signature, versions, zoo
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.seeding import seeded_weights

Report = Callable[[str], None]


def write_seeded(*, report: Report, name: str, path: str) -> dict[str, Any]:
    """A built-in network with seeded weights, as ONNX; returns what `inspect` does, like all that write a model."""
    report(f"writing {name}")
    architecture = ARCHITECTURES[name]
    zoo.write(architecture, seeded_weights(architecture), Path(path))
    return inspect(report=report, path=path)


def write_trained(*, report: Report, name: str, weights: str, path: str) -> dict[str, Any]:
    """A built-in network with the weights of a torchvision checkpoint, as ONNX."""
    report(f"reading {weights}")
    architecture, arrays = checkpoint.fitted(ARCHITECTURES[name], Path(weights))
    zoo.write(architecture, arrays, Path(path))
    return inspect(report=report, path=path)


def copy(*, report: Report, source: str, path: str) -> dict[str, Any]:
    """A user's own ONNX file."""
    report(f"copying {source}")
    shutil.copyfile(source, path)
    return inspect(report=report, path=path)


def inspect(*, report: Report, path: str) -> dict[str, Any]:
    """Signature, parameters and work of a model."""
    report("reading the signature")
    found = signature.inspect(open_model(path))
    described: dict[str, Any] = msgspec.to_builtins(found)
    return described


def convert(*, report: Report, path: str, target: str, max_opset: int | None, max_ir_version: int | None) -> None:
    """The same model for an older reader of ONNX."""
    model = open_model(path)
    report(f"converting to opset {max_opset or 'as it is'}, IR version {max_ir_version or 'as it is'}")
    opset = next(o.version for o in model.opset_import if o.domain in {"", "ai.onnx"})
    if max_opset is not None and opset > max_opset:
        model = versions.at_opset(model, max_opset)
    if max_ir_version is not None and model.ir_version > max_ir_version:
        model = versions.at_ir_version(model, max_ir_version)
    onnx.checker.check_model(model)
    Path(target).write_bytes(model.SerializeToString(deterministic=True))


def lower(*, report: Report, path: str, name: str, folder: str) -> None:
    """The model's plain graph."""
    report(f"lowering {name}")
    plain_graph.lower(open_model(path), name, Path(folder))


def extend_reference(*, report: Report, path: str, samples: Sequence[str], count: int, target: str) -> None:
    """The float64 reference, up to `count` samples."""
    reference.extend(open_model(path), [Path(sample) for sample in samples], count, Path(target), report)


def extend_rounded(
    *, report: Report, path: str, samples: Sequence[str], count: int, targets: Mapping[str, str]
) -> None:
    """What the model computes in each precision of `targets`, up to `count` samples."""
    files = {precision: Path(target) for precision, target in targets.items()}
    rounding.extend_all(open_model(path), [Path(sample) for sample in samples], count, files, report)


def open_model(path: str) -> onnx.ModelProto:
    """Read and check an ONNX file. Raises `ModelError` for what is none; the caller puts the model's name before it."""
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # protobuf's own kinds of error differ between its versions
        raise ModelError(f"not an ONNX model, or cut short: {_one_line(error)}") from error
    if any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer):
        raise UnsupportedModelError("the weights are in other files", "Save the model with its weights inside.")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"not a sound ONNX model: {_one_line(error)}") from error
    return model


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


TASKS: Mapping[str, Callable[..., Any]] = {
    task.__name__: task
    for task in (write_seeded, write_trained, copy, inspect, convert, lower, extend_reference, extend_rounded)
}
