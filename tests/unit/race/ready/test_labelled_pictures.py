from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.errors import ModelError
from bakeoff.race.ready import labelled_pictures, resolve
from bakeoff.records import ModelRecord, TensorSpec

pytestmark = pytest.mark.unit

IMAGE = TensorSpec(name="input", dtype="float32", shape=(None, 3, 2, 2))
LOGITS = TensorSpec(name="logits", dtype="float32", shape=(None, 10))


def a_model(name: str, classes: int | None = 10) -> ModelRecord:
    return ModelRecord(name=name, digest="d", weights="trained", inputs=(IMAGE,), outputs=(LOGITS,), classes=classes)


class Library:
    """Has every picture prepared: all of its pixels are its number."""

    def __init__(self, folder: Path, count: int) -> None:
        self.file = folder / "prepared.npy"
        np.save(self.file, np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 3, 2, 2), np.float32))

    def converted(self, _model: ModelRecord, _name: str, _write: Callable[[Path], None]) -> Path:
        return self.file


class Notes:
    def __init__(self) -> None:
        self.noted: list[str] = []

    def note(self, what: str) -> None:
        self.noted.append(what)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, label in enumerate((3, 1, 4)):
        (folder / f"p{number}_{label}.jpg").write_bytes(bytes([number]))
    return folder


def test_the_last_batch_is_filled_up_with_the_first_pictures_which_have_no_label_there(
    pictures: Path, tmp_path: Path
) -> None:
    library: Any = Library(tmp_path, 3)
    made = labelled_pictures.labelled_sets(a_model("resnet18"), pictures, 2, library, tmp_path / "sets")
    assert made.labels == ((3, 1), (4,))
    assert [np.load(path)[:, 0, 0, 0].tolist() for path in made.paths] == [[0, 1], [2, 0]]


def test_other_pictures_or_labels_are_another_digest(pictures: Path, tmp_path: Path) -> None:
    library: Any = Library(tmp_path, 3)
    before = labelled_pictures.with_pictures(a_model("resnet18"), pictures, library)
    (pictures / "p0_3.jpg").rename(pictures / "p0_5.jpg")
    after = labelled_pictures.with_pictures(a_model("resnet18"), pictures, library)
    assert before.pictures == after.pictures == 3
    assert before.pictures_digest != after.pictures_digest


def test_models_that_take_no_pictures_are_noted_beside_one_that_does(pictures: Path, tmp_path: Path) -> None:
    library, notes = Library(tmp_path, 3), Notes()
    models = {"resnet18": a_model("resnet18"), "mine.onnx": a_model("mine.onnx"), "minilm": a_model("minilm", None)}
    arguments: Any = (library, notes)
    assert resolve.with_pictures(models, pictures, *arguments).keys() == {"resnet18"}
    assert [note.partition(":")[0] for note in notes.noted] == ["mine.onnx", "minilm"]
    with pytest.raises(ModelError, match="minilm: how it wants its pictures is not known"):
        resolve.with_pictures({"minilm": models["minilm"]}, pictures, *arguments)
