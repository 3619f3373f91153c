from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tests.hostile.broken_models import model

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.models.sandboxed import external_data, tasks
from bakeoff.models.sandboxed.opening import open_model
from bakeoff.models.sandboxed.signature import count_denormals

pytestmark = pytest.mark.unit


def outside(folder: Path) -> Path:
    """A model whose weight lies in another file."""
    weight = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    path = folder / "model.onnx"
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], [weight])
    onnx.save(made, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def test_weights_of_a_model_that_fits_go_into_its_file(tmp_path: Path) -> None:
    source = outside(tmp_path)
    (tmp_path / "taken").mkdir()
    external_data.write(open_model(str(source)), tmp_path, tmp_path / "taken" / "model.onnx")
    taken = open_model(str(tmp_path / "taken" / "model.onnx"))
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["model.onnx"]
    assert np.array_equal(numpy_helper.to_array(taken.graph.initializer[0]), np.arange(4))


def test_a_model_that_is_too_large_for_one_file_keeps_its_weights_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_data, "INSIDE", 100)
    monkeypatch.setattr(external_data, "SMALLEST", 0)
    source = outside(tmp_path)
    path = tmp_path / "taken" / "model.onnx"
    path.parent.mkdir()
    external_data.write(open_model(str(source)), tmp_path, path)
    assert {file.name for file in path.parent.iterdir()} == {"model.onnx", external_data.BESIDE}
    taken = external_data.with_weights(open_model(str(path)), path.parent)
    assert np.array_equal(numpy_helper.to_array(taken.graph.initializer[0]), np.arange(4))
    with pytest.raises(UnsupportedModelError, match="larger than the 2 GB"):
        tasks.lower(report=lambda _: None, path=str(path), name="m", folder=str(tmp_path))


def hub(folder: Path) -> Path:
    """A model as Hugging Face's cache has it: its files are links into the blobs of its repository."""
    source = outside(folder)
    there = folder / "models--shop--net" / "snapshots" / "0a1b" / "onnx"
    blobs = there.parents[2] / "blobs"
    there.mkdir(parents=True)
    blobs.mkdir()
    for name in ("model.onnx", "w.bin"):
        source.with_name(name).rename(blobs / f"sha-of-{name}")
        (there / name).symlink_to(Path("../../../blobs") / f"sha-of-{name}")
    return there / "model.onnx"


def test_weights_behind_the_links_of_hugging_face_s_cache_are_read(tmp_path: Path) -> None:
    source = hub(tmp_path)
    external_data.write(open_model(str(source)), source.parent, tmp_path / "taken.onnx")
    taken = open_model(str(tmp_path / "taken.onnx"))
    assert np.array_equal(numpy_helper.to_array(taken.graph.initializer[0]), np.arange(4))


def test_links_that_leave_the_cache_s_own_tree_are_refused_in_words(tmp_path: Path) -> None:
    source = hub(tmp_path)
    weights = source.with_name("w.bin")
    elsewhere = tmp_path / "elsewhere.bin"
    elsewhere.write_bytes(weights.read_bytes())
    weights.unlink()
    weights.symlink_to(elsewhere)
    with pytest.raises(ModelError, match=r"'w\.bin', a link that leads out of the model's folder") as caught:
        open_model(str(source))
    assert caught.value.advice == "Copy the folder with `cp -rL`."


def test_denormal_weights_are_counted_by_tensor_in_the_file_and_beside_it(tmp_path: Path) -> None:
    smallest = np.finfo(np.float32).smallest_normal
    arrays = {"w": np.array([1e-40, -1e-45, smallest, 0, 1], np.float32), "v": np.array([smallest, 0], np.float32)}
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    made = model([helper.make_node("Add", ["x", "w"], ["a"]), helper.make_node("Add", ["x", "v"], ["y"])], weights)
    assert count_denormals(made.graph, tmp_path) == {"w": 2}
    onnx.save(made, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert count_denormals(open_model(str(tmp_path / "model.onnx")).graph, tmp_path) == {"w": 2}
