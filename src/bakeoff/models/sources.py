"""Users' models that are not ONNX: which format one is, and what is refused before anything opens it."""

import hashlib
import re
from pathlib import Path

from bakeoff.errors import ModelError

SAVED_MODEL = "saved_model"
FORMATS = {
    "pt2": "a PyTorch exported program",
    "keras": "a Keras model",
    SAVED_MODEL: "a TensorFlow SavedModel",
    "tflite": "a TFLite model",
    "xml": "an OpenVINO IR",
}
"""what is taken besides ONNX, by suffix; a SavedModel is a folder"""
KNOWN = "Taken are .onnx, .pt2, .keras, .tflite, an OpenVINO .xml, a SavedModel's folder, and package.module:factory."
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
BY_EXPORT = 'Export it: torch.export.save(torch.export.export(model.eval(), (example,)), "model.pt2")'
BY_KERAS = 'Save it again: keras.models.load_model(path).save("model.keras")'
REFUSED = {
    **dict.fromkeys(PICKLES, ("a pickle runs whatever code it holds when it is read, so it is not opened", BY_EXPORT)),
    ".h5": ("HDF5 files of Keras may hold code, so they are not opened", BY_KERAS),
    ".hdf5": ("HDF5 files of Keras may hold code, so they are not opened", BY_KERAS),
    ".pb": ("a graph without a signature does not say what it takes", "Give the folder of a SavedModel."),
    ".safetensors": ("these are weights without a network", BY_EXPORT),
    ".bin": ("these are weights without a network", "Give the .xml of an OpenVINO IR; the .bin lies beside it."),
}
"""suffix -> why it is not taken, and what to do"""
_FACTORY = re.compile(r"[A-Za-z_]\w+(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_factory(name: str) -> bool:
    """Whether a model is meant as ``package.module:factory``."""
    return bool(_FACTORY.fullmatch(Path(name).name)) and not Path(name).exists()


def format_of(path: Path) -> str:
    """The format of the user's file or folder, "onnx" or a key of `FORMATS`. Raises `ModelError` for any other."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return SAVED_MODEL
        raise ModelError(f"{path} is a folder, not a model", f"There is no saved_model.pb in it. {KNOWN}")
    if not path.is_file():
        raise ModelError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix == ".onnx" or suffix[1:] in FORMATS:
        return suffix[1:]
    why, advice = REFUSED.get(suffix, ("models of this kind are not read", KNOWN))
    raise ModelError(f"{path.name}: {why}", advice)


def files_of(path: Path, format_: str) -> dict[str, Path]:
    """The files of a model, by what each is called in the cache. Raises `ModelError` for one that is not there."""
    if format_ == SAVED_MODEL:
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {f"source.{format_}/{file.relative_to(path).as_posix()}": file for file in files}
    found = {f"source.{format_}": path}
    if format_ == "xml":
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise ModelError(f"{path.name}: its weights are not beside it: {weights.name}", "An OpenVINO IR is both.")
        found["source.bin"] = weights
    return found


def is_copy(path: Path, format_: str, digest: str) -> bool:
    """Whether the model at `path` is there and has this `digest`."""
    try:
        return digest_of(files_of(path, format_)) == digest
    except (OSError, ModelError):
        return False


def digest_of(files: dict[str, Path]) -> str:
    """sha256 over the files and their names, hex."""
    sha = hashlib.sha256()
    for name, path in sorted(files.items()):
        sha.update(f"{name} {sha256(path)}\n".encode())
    return sha.hexdigest()


def sha256(path: Path) -> str:
    """Of the file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
