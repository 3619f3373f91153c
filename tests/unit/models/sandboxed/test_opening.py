"""What is wrong with a model file is one clear line. The same files go through the command in tests/end_to_end."""

from pathlib import Path

import pytest
from tests.hostile.broken_models import BROKEN, GOOD, content

from bakeoff.errors import ModelError
from bakeoff.models import library
from bakeoff.models.sandboxed import tasks

pytestmark = pytest.mark.unit


def take(path: Path) -> None:
    source = str(library.onnx_file(path))
    tasks.write_shaped(
        report=lambda _: None, source=source, path=str(path.with_name("taken.onnx")), shaping={}, data={}
    )


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_one_clear_line(tmp_path: Path, name: str) -> None:
    write, said = BROKEN[name]
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "model.onnx"
    write(path)
    with pytest.raises(ModelError) as caught:
        take(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not path.with_name("taken.onnx").exists()


@pytest.mark.parametrize("length", [0, 15, 3000, 27_000])
def test_a_model_cut_short_is_one_clear_line(tiny_path: Path, tmp_path: Path, length: int) -> None:
    (tmp_path / "cut.onnx").write_bytes(tiny_path.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"^(not an? (sound )?ONNX model|the file is empty)") as caught:
        tasks.inspect(report=lambda _: None, path=str(tmp_path / "cut.onnx"))
    assert "\n" not in str(caught.value)


def test_the_same_kind_of_model_unbroken_is_taken(tmp_path: Path) -> None:
    content(GOOD)(tmp_path / "model.onnx")
    take(tmp_path / "model.onnx")
    assert (tmp_path / "taken.onnx").is_file()


def test_a_model_of_another_format_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "model.doc").touch()
    with pytest.raises(ModelError, match=r"model\.doc: models of this kind are not read") as caught:
        library.onnx_file(tmp_path / "model.doc")
    assert "Taken are .onnx" in str(caught.value.advice)
