"""Every model in every form, with its inputs and its reference: made once, kept in the cache, found again.

No model file is opened here: a model worker does that. Files are written under a temporary name and renamed, under a
file lock, so that two runs at once never see half of one.
"""

import contextlib
import difflib
import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from bakeoff import fenced
from bakeoff.errors import ModelError
from bakeoff.models import download, sandbox, user_inputs
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.cached import holds_an_array, making, scratch_in
from bakeoff.models.samples import Samples, must_be_there, own_file_of
from bakeoff.models.sandbox import Report
from bakeoff.models.sources import format_of, sha256
from bakeoff.records import ModelForm, ModelRecord, Shaping

VERSION = 1
"""of everything in the cache: goes up whenever weights, inputs or references come out differently"""
FORMS = 5
"""of the forms that are made of models: goes up whenever one comes out differently"""


@dataclass(frozen=True)
class _Source:
    """Where a model comes from: what the cache calls it, and the task that writes it."""

    key: str
    name: str
    weights: str
    task: str
    arguments: Mapping[str, Any]
    folder: Path | None = None
    """of a user's own file: others that belong to it lie here"""


class ModelLibrary:
    """The models of one cache folder."""

    def __init__(self, cache: Path, trained: Path | None = None) -> None:
        """`trained` is where `bakeoff models get` puts checkpoints; by default ``models`` in the working directory."""
        self.root = cache / "models" / f"v{VERSION}"
        self.trained = trained or Path("models")
        self._not_made: dict[Path, ModelError] = {}
        """why, of what could not be made: many engines take one form, and a time-out is long"""

    # Models

    def resolve(self, name: str, weights: str = "seeded", report: Report | None = None) -> ModelRecord:
        """The model called `name`, written if it is not in the cache yet.

        `name` is a built-in network; `add` has those in files. `weights` is "seeded", "trained" (what `bakeoff models
        get` fetched) or the path of a torchvision checkpoint. Raises `ModelError`.
        """
        if name not in ARCHITECTURES:
            close = difflib.get_close_matches(name, ARCHITECTURES, n=3, cutoff=0.4)
            known = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(ARCHITECTURES)}."
            raise ModelError(f"no model is called {name!r}", f"{known} Or give the path of a model file.")
        if weights == "seeded":
            return self._built(_Source(f"{name}-seeded", name, weights, "write_seeded", {"name": name}), report)
        checkpoint = self._checkpoint(name, weights)
        key = f"{name}-{sha256(checkpoint)[:16]}"
        label = "trained" if weights == "trained" else checkpoint.name
        arguments = {"name": name, "weights": str(checkpoint)}
        return self._built(_Source(key, name, label, "write_trained", arguments), report)

    def add(
        self,
        path: Path,
        shaping: Shaping | None = None,
        name: str | None = None,
        report: Report | None = None,
        weights: str | None = None,
    ) -> ModelRecord:
        """The record of a user's ONNX file, copied into the cache with the sizes that it leaves open from `shaping`.

        It is called `name` and its weights `weights`, by default as the file is. Raises `ModelError` for a file that is
        no sound model, for one that leaves something open, and for inputs that do not fit it.
        """
        path, shaping, name = onnx_file(path), shaping or Shaping(), name or path.name
        arrays = user_inputs.read(Path(shaping.data)) if shaping.data else {}
        if report and (can := fenced.open_sides()):
            report(f"note: {name} is read by a process that can {can}")
        sizes = msgspec.structs.replace(shaping, data="")
        arguments = {
            "source": str(path),
            "shaping": msgspec.to_builtins(sizes),
            "data": {name: array.shape for name, array in arrays.items()},
        }
        asked = hashlib.sha256(msgspec.json.encode([arguments["shaping"], arguments["data"]], order="sorted"))
        key = f"file-{name}-{sha256(path)[:16]}-{asked.hexdigest()[:8]}"
        record = self._built(_Source(key, name, weights or path.name, "write_shaped", arguments, path.parent), report)
        return self._with_data(record, arrays, Path(shaping.data)) if shaping.data else record

    def path(self, model: ModelRecord) -> Path:
        """The model's source ONNX file. Raises `ModelError` if the cache lost it."""
        return must_be_there(model, self._file(model))

    def form(self, model: ModelRecord, form: ModelForm, report: Report | None = None) -> Path:
        """The model in the form that an engine takes: an ONNX file, or the folder of a plain graph.

        Raises `UnsupportedModelError` where the model has no such form, `ModelTaskError` where making it failed.
        """
        source = self.path(model)
        if form.format == "plain":
            return self._plain(model, source, report)
        if form.format != "onnx":
            raise ModelError(f"no model has the form {form.format!r}", 'Known: "onnx" and "plain".')
        if form.max_opset is None and form.max_ir_version is None:
            return source
        limited = f"opset-{form.max_opset or 'any'}-ir-{form.max_ir_version or 'any'}"
        target = source.with_name(f"{limited}-{FORMS}.onnx")
        with self._making(target) as scratch:
            if scratch:
                limits = {"max_opset": form.max_opset, "max_ir_version": form.max_ir_version}
                arguments = {"path": str(source), "target": str(scratch), **limits}
                sandbox.run("convert", arguments, report=report, what=model.name)
        return target

    def converted(
        self, model: ModelRecord, name: str, write: Callable[[Path], None], sound: Callable[[Path], bool] = Path.exists
    ) -> Path:
        """What ``write(target)`` makes of `model`, a file or a folder, made now if none is there and `sound`.

        `name` is its key. Raises what `write` raises, and keeps nothing then.
        """
        target = self._folder(model) / name
        with self._making(target, sound) as scratch:
            if scratch:
                write(scratch)
        return target

    def source(self, format_: str, digest: str) -> Path:
        """Where a user's model in a format other than ONNX is kept, by its digest."""
        return self.root / "sources" / digest[:16] / "source" / f"source.{format_}"

    def imported(
        self,
        source_digest: str,
        name: str,
        write: Callable[[Path], None],
        sound: Callable[[Path], bool] = Path.exists,
    ) -> Path:
        """As `converted`, of a user's own file that is not ONNX, known by the digest of what it is."""
        target = self.root / "sources" / source_digest[:16] / name
        with making(target, sound) as scratch:
            if scratch:
                write(scratch)
        return target

    # Inputs and reference

    def samples(self, model: ModelRecord, seed: int, count: int) -> Samples:
        """`count` inputs of `model` drawn from `seed`, or the user's own, at most as many as there are."""
        return Samples(model, self._file(model), seed, count)

    # Inside

    def _folder(self, model: ModelRecord) -> Path:
        return self.root / model.digest[:16]

    def _file(self, model: ModelRecord) -> Path:
        return self._folder(model) / "model.onnx"

    def _checkpoint(self, name: str, weights: str) -> Path:
        if weights == "trained":
            if name not in download.CHECKPOINTS:
                raise ModelError(f"{name} has no trained weights", f"Known: {', '.join(download.CHECKPOINTS)}.")
            path = self.trained / download.CHECKPOINTS[name]
            advice = f"Fetch them: bakeoff models get {name}"
        else:
            path = Path(weights).expanduser()
            advice = 'Weights are "seeded", "trained" or the path of a .pth or .safetensors file.'
        if not path.is_file():
            raise ModelError(f"the weights of {name} are not there: {path}", advice)
        return path.absolute()

    def _with_data(self, record: ModelRecord, arrays: dict[str, NDArray[np.generic]], path: Path) -> ModelRecord:
        """`record` with the user's own inputs put beside the model."""
        samples, given = user_inputs.samples(arrays, record)
        changes = {"data_digest": sha256(path), "data_samples": len(samples[0]), "data_given": given}
        record = msgspec.structs.replace(record, **changes)
        for index, array in enumerate(samples):
            with making(own_file_of(self._folder(record), record, index), holds_an_array) as scratch:
                if scratch:
                    np.save(scratch, array, allow_pickle=False)
        return record

    def _built(self, source: _Source, report: Report | None) -> ModelRecord:
        """The record of `source`; if there is none, or its file is gone or changed, the model is made anew."""
        self.root.mkdir(parents=True, exist_ok=True)
        index = self.root / f"{source.key}.json"
        with FileLock(f"{index}.lock"):
            known = self._known(index, source.folder)
            if known:
                return known
            with scratch_in(self.root) as scratch:
                made = scratch / "model.onnx"
                arguments = {**source.arguments, "path": str(made)}
                found = sandbox.run(source.task, arguments, report=report, what=source.name)
                beside = {file: sha256((source.folder or Path()) / file) for file in found.pop("files", ())}
                known_by = {"name": source.name, "weights": source.weights, "digest": _digest(scratch)}
                record = msgspec.convert(found | known_by, ModelRecord)
                folder = self._folder(record)
                folder.mkdir(exist_ok=True)
                for file in sorted(scratch.iterdir()):  # the data before the model that needs it
                    file.replace(folder / file.name)
                _replace(_beside(index), msgspec.json.encode(beside))
                _replace(index, msgspec.json.encode(record))
            return record

    def _known(self, index: Path, folder: Path | None) -> ModelRecord | None:
        """The record in `index`, if its model is sound and the other files in the user's `folder` are the same."""
        try:
            record = msgspec.json.decode(index.read_bytes(), type=ModelRecord)
            sound = record.denormals is not None and _digest(self._folder(record)) == record.digest
            if folder:
                beside = msgspec.json.decode(_beside(index).read_bytes(), type=dict[str, str])
                sound = sound and all(sha256(folder / file) == digest for file, digest in beside.items())
        except (OSError, msgspec.DecodeError):
            return None
        return record if sound else None

    def _plain(self, model: ModelRecord, source: Path, report: Report | None) -> Path:
        folder = source.with_name(f"plain-{FORMS}")
        with self._making(folder, _holds_weights) as scratch:
            if scratch:
                scratch.mkdir()
                arguments = {"path": str(source), "name": model.name, "folder": str(scratch)}
                sandbox.run("lower", arguments, report=report, what=model.name)
        return folder

    @contextlib.contextmanager
    def _making(self, target: Path, sound: Callable[[Path], bool] = Path.exists) -> Iterator[Path | None]:
        """As `making`; where the block ended in a `ModelError` before, that is raised again without another try."""
        if target in self._not_made:
            raise self._not_made[target]
        try:
            with making(target, sound) as scratch:
                yield scratch
        except ModelError as error:
            self._not_made[target] = error
            raise


def _holds_weights(folder: Path) -> bool:
    """Whether the plain graph in `folder` is there and its weights are an archive to the end."""
    return (folder / "graph.json").is_file() and zipfile.is_zipfile(folder / "weights.npz")


def is_file_name(model: str) -> bool:
    """Whether a model is meant as a file: built-in ones have plain names."""
    return model not in ARCHITECTURES and (bool(Path(model).suffix) or Path(model).name != model)


def count_flops() -> dict[str, int]:
    """Multiply-adds x 2 of one sample of each built-in network, by its name."""
    return dict(sandbox.run("count_flops", {}))


def describe(path: Path, report: Report | None = None) -> dict[str, Any]:
    """What a user's own model says about itself: the fields of `bakeoff.models.sandboxed.description.Description`."""
    return dict(sandbox.run("describe", {"source": str(onnx_file(path))}, report=report, what=path.name))


def onnx_file(path: Path) -> Path:
    """The user's ONNX file as an absolute path. Raises `ModelError` if it is none."""
    path = path.expanduser().absolute()
    if format_of(path) != "onnx":
        raise ModelError(f"{path.name} has to become an ONNX file first")
    return path


def _digest(folder: Path) -> str:
    """Of the model in `folder`: of its file, and of the file with its weights if it is too large for one."""
    digest, data = sha256(folder / "model.onnx"), folder / "model.data"
    return hashlib.sha256(f"{digest} {sha256(data)}".encode()).hexdigest() if data.exists() else digest


def _beside(index: Path) -> Path:
    """Where the digests stand of the other files that a user's model was read from."""
    return index.with_suffix(".files.json")


def _replace(path: Path, content: bytes) -> None:
    written = path.with_suffix(".new")
    written.write_bytes(content)
    written.replace(path)
