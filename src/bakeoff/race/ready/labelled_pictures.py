"""How many labelled pictures each engine puts into the right class: asked in the first round, after timing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bakeoff.models import pictures, sandbox
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready.runnable import Labelled
from bakeoff.records import ModelRecord


@dataclass(frozen=True)
class Pictures:
    """What the labelled pictures of a folder are to one model."""

    files: Sequence[Path]
    labels: Sequence[int]
    preprocessing: pictures.Preprocessing

    @property
    def digest(self) -> str:
        """Of pictures, labels and preprocessing."""
        sha = hashlib.sha256(msgspec.json.encode((self.labels, self.preprocessing)))
        for file in self.files:
            sha.update(hashlib.sha256(file.read_bytes()).digest())
        return sha.hexdigest()


def preprocessing(model: ModelRecord) -> pictures.Preprocessing | None:
    """How `model` wants its pictures; None where that is not known."""
    architecture = ARCHITECTURES.get(model.name)
    return architecture.preprocessing if architecture and model.classes else None


def labelled_in(model: ModelRecord, where: Path) -> Pictures:
    """The labelled pictures of `where`, for a `model` that can take them. Raises `ModelError` if they are no such."""
    known = preprocessing(model)
    assert known is not None  # noqa: S101 - the caller saw to it
    assert model.classes is not None  # noqa: S101
    labelled = pictures.labelled(where, model.classes)
    return Pictures([path for path, _ in labelled], [label for _, label in labelled], known)


def with_pictures(model: ModelRecord, where: Path, library: ModelLibrary) -> ModelRecord:
    """`model` with the number and the digest of the labelled pictures of `where`, which are prepared meanwhile.

    Raises `ModelError` where one cannot be opened or has no label.
    """
    labelled = labelled_in(model, where)
    prepared(model, labelled, library)
    return msgspec.structs.replace(model, pictures=len(labelled.files), pictures_digest=labelled.digest)


def prepared(model: ModelRecord, labelled: Pictures, library: ModelLibrary) -> NDArray[np.float32]:
    """`labelled` as the model's input, [pictures, 3, height, width]."""

    def write(target: Path) -> None:
        arguments = {
            "files": [str(file) for file in labelled.files],
            "how": msgspec.to_builtins(labelled.preprocessing),
            "target": str(target),
        }
        sandbox.run("preprocess", arguments, what=model.name)

    file = library.converted(model, f"pictures-{labelled.digest[:16]}.npy", write)
    array: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def labelled_sets(model: ModelRecord, where: Path, batch_size: int, library: ModelLibrary, folder: Path) -> Labelled:
    """The pictures of `where` as input sets of `batch_size`, written under `folder`; the last is filled up."""
    labelled = labelled_in(model, where)
    inputs = prepared(model, labelled, library)
    folder.mkdir(parents=True, exist_ok=True)
    paths, labels = [], []
    for first in range(0, len(inputs), batch_size):
        place = folder / f"{first}.npy"
        np.save(place, np.take(inputs, range(first, first + batch_size), axis=0, mode="wrap"), allow_pickle=False)
        paths.append(str(place))
        labels.append(tuple(labelled.labels[first : first + batch_size]))
    return Labelled(paths=tuple(paths), labels=tuple(labels))
