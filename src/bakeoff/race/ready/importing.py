"""The record of a user's own model: an ONNX file is added as it is, a file in another format through an importer.

An importer is a script in an engine's folder that runs in an environment of its own, without network where the platform
allows, within limits of time and memory. Its ONNX is compared with the source: with the outputs of the first
engine that runs the user's file as it is, in that framework's own environment.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bakeoff import fenced
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import programs
from bakeoff.errors import EnvironmentUnavailableError, ModelError, WorkerError
from bakeoff.judge.case.parity import compare
from bakeoff.models import sandbox
from bakeoff.models.library import ModelLibrary
from bakeoff.models.sources import digest_of, files_of, format_of, is_copy, is_factory
from bakeoff.race.ready import arbitration, conversion, factories
from bakeoff.race.ready.exam import SAMPLES, calibrate
from bakeoff.race.ready.observer import Observer
from bakeoff.race.ready.prepare import install_all, make_ready
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Contender, Converter, EngineSpec, ModelRecord, Plan

MODEL, SIGNATURE = "model.onnx", "signature.json"
"""What an importer writes: the model, or else what there is to say of it."""


@dataclass(frozen=True)
class ImportContext:
    """What importing a model needs."""

    catalogue: Catalogue
    library: ModelLibrary
    observer: Observer


@dataclass(frozen=True)
class ImportedModel:
    """A user's model as ONNX, or as a stand-in with its signature where there is no ONNX of it."""

    onnx: Path
    file_name: str
    """of the user's file"""
    source: str = ""
    source_digest: str = ""
    importer: str = ""
    unconverted: str = ""


def import_model(plan: Plan, name: str, context: ImportContext) -> ModelRecord:
    """The record of the user's own model that `plan` calls `name`.

    Raises `ModelError` for what cannot be read, and what importing or shaping raises. What can be read but not
    converted, or comes out as another network, is left to the engines that take the user's file: see
    `ModelRecord.unconverted`.
    """
    file = plan.files[name]
    if is_factory(file):
        with factories.exported(plan, name, context.catalogue, context.observer) as path:
            imported = as_onnx(path, name, context)
    else:
        imported = as_onnx(Path(file).expanduser().absolute(), name, context)
    record = context.library.add(imported.onnx, plan.shaping, name, context.observer.say, imported.file_name)
    if not imported.source:
        return record
    record = msgspec.structs.replace(
        record, source=imported.source, source_digest=imported.source_digest, unconverted=imported.unconverted
    )
    if imported.unconverted:
        context.observer.note(imported.unconverted)
        return record
    fault = difference(record, plan, imported.importer, context)
    if fault:
        context.observer.note(fault)
    return msgspec.structs.replace(record, unconverted=fault)


# From the file to ONNX


def as_onnx(path: Path, name: str, context: ImportContext) -> ImportedModel:
    """The user's file or folder at `path`, to be called `name`, as ONNX. Raises `ModelError`."""
    source = format_of(path)
    if source == "onnx":
        return ImportedModel(path, path.name)
    importer = context.catalogue.importers.get(source)
    if importer is None:
        raise ModelError(f"{path.name}: no engine folder imports .{source}", "Export it as ONNX.")
    files = files_of(path, source)
    digest = digest_of(files)

    def copy(target: Path) -> None:
        for relative, file in files.items():
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / relative)

    kept = context.library.source(source, digest)
    context.library.imported(digest, "source", copy, lambda _: is_copy(kept, source, digest))
    folder = _imported(importer, kept, digest, name, context)
    reason = _reason(folder)
    return ImportedModel(
        onnx=folder / MODEL,
        file_name=path.name,
        source=source,
        source_digest=digest,
        importer=conversion.named(importer),
        unconverted=f"{conversion.named(importer)} cannot convert {name}: {reason}" if reason else "",
    )


def _imported(importer: Converter, source: Path, digest: str, name: str, context: ImportContext) -> Path:
    """The folder with what `importer` made of `source`, now if it never did; a note has the time it took."""
    if can := fenced.open_sides():
        context.observer.note(f"note: {name} is read by a process that can {can}")
    installed = install_all([importer.environment], context.observer)[importer.environment.name]
    log = source.parents[1] / "import.log"

    def write(target: Path) -> None:
        context.observer.say(f"importing {name} ({conversion.named(importer)})")
        started = time.monotonic()
        try:
            conversion.run(importer, installed, source, target, log)
        except programs.ProgramFailedError as error:
            message = f"{conversion.named(importer)} cannot read {name}: {error}"
            raise ModelError(message, f"the full log is {log}") from error
        if (target / SIGNATURE).is_file() or not (target / MODEL).is_file():
            arguments = {"signature": str(target / SIGNATURE), "path": str(target / MODEL)}
            sandbox.run("write_stand_in", arguments, report=context.observer.say, what=name)
        seconds = time.monotonic() - started
        context.observer.note(f"{name}: imported in {seconds:.0f} s ({conversion.named(importer)})")

    return context.library.imported(digest, conversion.digest(importer, installed), write)


def _reason(folder: Path) -> str:
    """Why the importer wrote a signature only; "" if it wrote the model."""
    try:
        raw = (folder / SIGNATURE).read_bytes()
    except FileNotFoundError:
        return ""
    return " ".join(str(msgspec.json.decode(raw).get("reason") or "no reason given").split())


# Whether it is still the same network


def difference(record: ModelRecord, plan: Plan, importer: str, context: ImportContext) -> str:
    """How the ONNX answers otherwise than the user's own file does; "" if it does not, or if nothing can tell.

    The file is run by the first engine of the catalogue that takes it, on the inputs of the race.
    """
    engines = context.catalogue.engines.values()
    native = next((engine for engine in engines if record.source in engine.takes), None)
    if native is None:
        context.observer.note(f"{record.name}: no engine takes .{record.source} itself, so its ONNX is not checked")
        return ""
    try:
        error, most = _error(record, plan, native, context)
    except (ModelError, WorkerError, EnvironmentUnavailableError) as reason:
        context.observer.note(f"{record.name}: its ONNX is not checked against {native.name}: {reason}")
        return ""
    if error <= most:
        context.observer.note(
            f"{record.name}: its ONNX answers as {native.name} does with the file itself, to {error:.1e}"
        )
        return ""
    return (
        f"{importer} made another network of {record.name}: its answers are {error:.1e} off those of {native.name} "
        f"with the file itself, and {most:.1e} is allowed"
    )


def _error(record: ModelRecord, plan: Plan, native: EngineSpec, context: ImportContext) -> tuple[float, float]:
    """The error between the source framework and the ONNX in float64, and the most it may be."""
    standing = install_all([native.environment], context.observer)
    samples = context.library.samples(record, plan.seed, SAMPLES)
    record, reference = calibrate(samples, samples.reference(context.observer.say), context.observer)

    def measure(target: Path) -> None:
        ready = make_ready(
            Contender(name=native.name, engine=native.name).having(threads=plan.threads),
            native,
            record,
            standing,
            context.library,
            context.observer.note,
        )
        if not isinstance(ready, Runnable):
            raise WorkerError(ready[1])
        context.observer.say(f"asking {native.name} about {record.name}")
        answers = arbitration.answers(ready, plan, record, samples.files)
        parity, fault = compare(answers, reference, classes=record.classes)
        if parity.max_rel_error is None:
            raise WorkerError(fault)
        target.write_bytes(msgspec.json.encode(parity.max_rel_error))

    drawn = record.data_digest[:16] or f"seed{plan.seed}"
    name = f"off-{record.source_digest[:16]}-{standing[native.environment.name].digest[:16]}-{drawn}.json"
    kept = context.library.converted(record, name, measure, holds_a_number)
    return msgspec.json.decode(kept.read_bytes(), type=float), record.tolerances.fp32


def holds_a_number(file: Path) -> bool:
    """Whether `file` is there and is a number in JSON."""
    try:
        msgspec.json.decode(file.read_bytes(), type=float)
    except (OSError, msgspec.DecodeError):
        return False
    return True
