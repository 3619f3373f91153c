"""What the translators do before any framework is needed; tests/contract runs them inside the frameworks."""

import importlib.util
import json
import sys
import types
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bakeoff.engines

pytestmark = pytest.mark.unit

FOLDER = Path(bakeoff.engines.__file__).parent / "tensorflow"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tensorflow_folder_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def layout() -> Any:
    return module("layout")


@pytest.fixture
def translator(monkeypatch: pytest.MonkeyPatch, layout: Any) -> Any:
    monkeypatch.setitem(sys.modules, "layout", layout)  # as the worker puts the adapter's folder on the path
    monkeypatch.setitem(sys.modules, "builder", module("builder"))
    return module("translator")


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return module("exports")


def plain_graph(folder: Path, *ops: str, weight: float = 1.0) -> Path:
    folder.mkdir(exist_ok=True)
    nodes = [{"op": op, "name": op, "inputs": ["x"], "outputs": [op], "attributes": {}} for op in ops]
    tensor = {"name": "x", "dtype": "float32", "shape": [None, 3, 4, 4]}
    graph = {"schema": 1, "name": "g", "inputs": [tensor], "outputs": [tensor], "nodes": nodes}
    (folder / "graph.json").write_text(json.dumps(graph), encoding="utf-8")
    np.savez(folder / "weights.npz", w=np.float32(weight))
    return folder


def test_every_lacking_operator_is_named_before_keras_is_touched(translator: Any, tmp_path: Path) -> None:
    folder = plain_graph(tmp_path / "graph", "Relu", "Sinh", "Det")
    with pytest.raises(NotImplementedError, match="no Keras translation for: Det, Sinh"):
        translator.translate(str(folder), None, 1)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3)])
def test_a_tensor_comes_back_from_nhwc_as_it_was(layout: Any, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    there = layout.to_nhwc(array)
    assert there.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(layout.to_nchw(there), array)


@pytest.mark.parametrize(
    ("size", "reach", "stride", "pads"),
    [(224, 7, 2, [2, 3]), (56, 3, 1, [1, 1]), (56, 3, 2, [0, 1]), (7, 3, 2, [1, 1]), (56, 1, 2, [0, 0])],
)
def test_same_padding_is_what_tensorflow_documents(
    layout: Any, size: int, reach: int, stride: int, pads: list[int]
) -> None:
    before, after = pads
    got = layout.same_pads((size, size), (reach, reach), (stride, stride))
    assert got == [before, before, after, after]


@pytest.mark.parametrize(
    ("size", "reach", "pad", "expected"),
    [(10, 3, 0, [0, 1]), (9, 3, 0, [0, 0]), (112, 3, 0, [0, 1]), (6, 3, 1, [1, 2]), (5, 2, 1, [1, 1])],
)
def test_an_incomplete_last_window_is_padded_for_unless_it_starts_outside(
    layout: Any, size: int, reach: int, pad: int, expected: list[int]
) -> None:
    before, after = expected
    got = layout.ceiled([pad] * 4, (size, size), (reach, reach), (2, 2))
    assert got == [before, before, after, after]


@pytest.mark.parametrize(("axis", "rank", "expected"), [(1, 4, 3), (-1, 4, 2), (-3, 4, 3), (2, 4, 1), (-1, 2, 1)])
def test_an_axis_is_found_where_nhwc_has_it(layout: Any, axis: int, rank: int, expected: int) -> None:
    assert layout.axis_in_nhwc(axis, rank) == expected


@pytest.mark.parametrize(("ops", "axis"), [(("Conv", "Softmax"), 3), (("MatMul", "Softmax"), 1)])
def test_only_graphs_of_images_turn_their_axes_to_nhwc(
    translator: Any, tmp_path: Path, ops: tuple[str, ...], axis: int
) -> None:
    graph, weights = translator.read(str(plain_graph(tmp_path / "graph", *ops)))
    for side in ("inputs", "outputs"):
        graph[side][0]["shape"] = [None, 3]
    build = translator.Builder(graph, weights, types.SimpleNamespace(layers=None, ops=None, backend=None))
    assert build.axis(1, np.zeros((1, 3, 4, 4))) == axis


def test_an_export_is_written_once(exports: Any, tmp_path: Path) -> None:
    graph, written = plain_graph(tmp_path / "graph", "Relu"), []

    def write(folder: str) -> None:
        written.append(folder)
        Path(folder, "file").write_text("made", encoding="utf-8")

    folders = {exports.exported(str(graph), "kind", write) for _ in range(2)}
    assert len(written) == 1
    assert [Path(folder, "file").read_text(encoding="utf-8") for folder in folders] == ["made"]


def test_other_weights_another_graph_or_another_kind_are_exported_anew(exports: Any, tmp_path: Path) -> None:
    def export(kind: str, *ops: str, weight: float) -> str:
        graph = plain_graph(tmp_path / "graph", *ops, weight=weight)
        folder: str = exports.exported(str(graph), kind, lambda _folder: None)
        return folder

    folders = [
        export("kind", "Relu", weight=1.0),
        export("kind", "Relu", weight=2.0),
        export("kind", "Relu", "Tanh", weight=1.0),
        export("other", "Relu", weight=1.0),
    ]
    assert len(set(folders)) == len(folders)
    assert export("kind", "Relu", weight=1.0) == folders[0]


def test_an_export_that_fails_leaves_nothing_behind(exports: Any, tmp_path: Path) -> None:
    graph = plain_graph(tmp_path / "graph", "Relu")

    def fail(folder: str) -> None:
        Path(folder, "half").write_text("", encoding="utf-8")
        raise NotImplementedError("no")

    with pytest.raises(NotImplementedError):
        exports.exported(str(graph), "kind", fail)
    assert not list((tmp_path / "home" / ".cache" / "tensorflow-exports").iterdir())
