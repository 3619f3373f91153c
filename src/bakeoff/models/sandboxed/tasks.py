"""The tasks of the model worker. Each takes plain JSON values and `report`, and returns plain JSON.

Files that a task writes are whole only when it returns: the caller gives a temporary name and renames.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import onnx

from bakeoff.errors import UnsupportedModelError
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.pictures import Preprocessing
from bakeoff.models.sandboxed import (
    built_in,
    checkpoint,
    description,
    external_data,
    other_answers,
    plain_graph,
    preprocessing,
    reference,
    rounding,
    signature,
    stand_in,
    versions,
)
from bakeoff.models.sandboxed.deterministic import must_be_deterministic
from bakeoff.models.sandboxed.opening import Report, open_model, opset_of
from bakeoff.models.sandboxed.seeding import seeded_weights
from bakeoff.models.sandboxed.shaping import shape
from bakeoff.records import Shaping


def write_seeded(*, report: Report, name: str, path: str) -> dict[str, Any]:
    """A built-in network with seeded weights, as ONNX; returns what `inspect` does, like all that write a model."""
    report(f"writing {name}")
    architecture = ARCHITECTURES[name]
    built_in.write(architecture, seeded_weights(architecture), Path(path))
    return inspect(report=report, path=path)


def write_trained(*, report: Report, name: str, weights: str, path: str) -> dict[str, Any]:
    """A built-in network with the weights of a checkpoint, as ONNX."""
    report(f"reading {weights}")
    architecture, arrays = checkpoint.fitted(ARCHITECTURES[name], Path(weights))
    built_in.write(architecture, arrays, Path(path))
    return inspect(report=report, path=path)


def count_flops(*, report: Report) -> dict[str, int]:
    """Multiply-adds x 2 of one sample of each built-in network, by its name."""
    report("counting")
    return {name: built_in.flops(architecture) for name, architecture in ARCHITECTURES.items()}


def write_shaped(
    *, report: Report, source: str, path: str, shaping: dict[str, Any], data: Mapping[str, Sequence[int]]
) -> Any:
    """A user's ONNX file with the sizes that it leaves open, from `shaping` and from the shapes of the user's `data`.

    Returns what `inspect` does, and `files`: the others in its folder that it was read from.
    """
    report(f"reading {source}")
    folder = Path(source).parent
    model = open_model(source)
    must_be_deterministic(model)
    files = [file.relative_to(folder).as_posix() for file in external_data.files(model, folder)]
    external_data.write(shape(model, msgspec.convert(shaping, Shaping), data), folder, Path(path))
    return {**inspect(report=report, path=path), "files": files}


def describe(*, report: Report, source: str) -> Any:
    """The fields of `Description`, of a user's ONNX file as it is."""
    report(f"reading {source}")
    return msgspec.to_builtins(description.describe(open_model(source), Path(source).parent))


def write_stand_in(*, report: Report, signature: str, path: str) -> None:
    """The ONNX stand-in for a model of which there is only the signature that an importer wrote."""
    report("writing its signature")
    stand_in.write(stand_in.read(Path(signature)), Path(path))


def inspect(*, report: Report, path: str) -> dict[str, Any]:
    """Signature, parameters and work of a model."""
    report("reading the signature")
    found = signature.inspect(open_model(path), Path(path).parent)
    described: dict[str, Any] = msgspec.to_builtins(found)
    return described


def convert(*, report: Report, path: str, target: str, max_opset: int | None, max_ir_version: int | None) -> None:
    """The same model for an older reader of ONNX."""
    model = open_small(path)
    report(f"converting to opset {max_opset or 'as it is'}, IR version {max_ir_version or 'as it is'}")
    if max_opset is not None and (opset_of(model) or 0) > max_opset:
        model = versions.at_opset(model, max_opset)
    if max_ir_version is not None and model.ir_version > max_ir_version:
        model = versions.at_ir_version(model, max_ir_version)
    onnx.checker.check_model(model)
    Path(target).write_bytes(model.SerializeToString(deterministic=True))


def lower(*, report: Report, path: str, name: str, folder: str) -> None:
    """The model's plain graph."""
    report(f"lowering {name}")
    plain_graph.lower(open_small(path), name, Path(folder))


def extend_reference(*, report: Report, path: str, samples: Sequence[str], count: int, target: str) -> None:
    """The float64 reference, up to `count` samples."""
    model = external_data.with_weights(open_model(path), Path(path).parent)
    reference.extend(model, [Path(sample) for sample in samples], count, Path(target), report)


def answer_batches(*, report: Report, path: str, batches: Mapping[str, Sequence[str]]) -> None:
    """What the model answers in float64 to whole batches: by the file to write, the batch's files."""
    report("reference of whole batches")
    model = external_data.with_weights(open_model(path), Path(path).parent)
    reference.answer_batches(model, {Path(target): list(map(Path, files)) for target, files in batches.items()})


def extend_other_answers(*, report: Report, path: str, samples: Sequence[str], count: int, target: str) -> None:
    """What else integer outputs may rightly be, up to `count` samples."""
    model = external_data.with_weights(open_model(path), Path(path).parent)
    files, kind = [Path(sample) for sample in samples], other_answers.OtherAnswers
    reference.extend(model, files, count, Path(target), report, kind=kind, what="close calls")


def extend_rounded(
    *, report: Report, path: str, samples: Sequence[str], count: int, targets: Mapping[str, str]
) -> None:
    """What the model computes in each precision of `targets`, up to `count` samples."""
    files = {precision: Path(target) for precision, target in targets.items()}
    model = external_data.with_weights(open_model(path), Path(path).parent)
    rounding.extend_all(model, [Path(sample) for sample in samples], count, files, report)


def preprocess(*, report: Report, files: Sequence[str], how: Mapping[str, Any], target: str) -> None:
    """A user's pictures as a network's input; `how` holds the fields of `Preprocessing`."""
    wanted = msgspec.convert(how, Preprocessing)
    preprocessing.preprocess([Path(file) for file in files], wanted, Path(target), report)


def open_small(path: str) -> onnx.ModelProto:
    """A model that is one file. Raises `UnsupportedModelError` for one whose weights had to be left beside it."""
    model = open_model(path)
    if external_data.files(model, Path(path).parent):
        raise UnsupportedModelError("the model is larger than the 2 GB that this form of it can have")
    return model


TASKS: Mapping[str, Callable[..., Any]] = {
    task.__name__: task
    for task in (
        *(write_seeded, write_trained, count_flops, write_shaped, describe, write_stand_in, inspect),
        *(convert, lower, extend_reference, answer_batches, extend_other_answers, extend_rounded, preprocess),
    )
}
