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
    for name in ("builder", "arithmetic", "axes", "images"):
        monkeypatch.setitem(sys.modules, name, module(name))
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
    graph = {"schema": 3, "name": "g", "inputs": [tensor], "outputs": [tensor], "nodes": nodes}
    (folder / "graph.json").write_text(json.dumps(graph), encoding="utf-8")
    np.savez(folder / "weights.npz", w=np.float32(weight))
    return folder


def test_every_lacking_operator_is_named_before_keras_is_touched(translator: Any, tmp_path: Path) -> None:
    folder = plain_graph(tmp_path / "graph", "Relu", "Gemm", "Det")
    with pytest.raises(NotImplementedError, match="no Keras translation for: Det, Gemm"):
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


@pytest.mark.parametrize(("axis", "rank", "expected"), [(1, 4, 3), (-1, 4, 2), (-3, 4, 3), (2, 4, 1), (-1, 2, 1)])
def test_an_axis_is_found_where_nhwc_has_it(layout: Any, axis: int, rank: int, expected: int) -> None:
    assert layout.axis_in_nhwc(axis, rank) == expected


class Fake:
    """A tensor that is nothing but its shape."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


def node(op: str, output: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"op": op, "name": output, "inputs": list(inputs), "outputs": [output], "attributes": attributes}


@pytest.fixture
def build(translator: Any) -> Any:
    """A builder that turns tensors by itself, without Keras."""
    graph: dict[str, list[Any]] = {"nodes": [], "inputs": [], "outputs": []}
    weights = {"five": np.zeros((1, 1, 1, 1, 5))}

    layers = types.SimpleNamespace(
        Permute=lambda perm: lambda x: Fake(x.shape[0], *(x.shape[axis] for axis in perm)),
        Reshape=lambda sizes: lambda x: Fake(x.shape[0], *sizes),
    )
    builder = translator.Builder(graph, weights, types.SimpleNamespace(layers=layers, ops=None, backend=None))
    builder.keep("image", Fake(1, 6, 8, 3))
    builder.keep("rows", Fake(1, 48))
    return builder


def add(translator: Any, build: Any, made: dict[str, Any]) -> Any:
    build.add(made, translator.LAYERS[made["op"]])
    return build.values[made["outputs"][0]]


def test_an_image_is_turned_where_a_reshape_wants_the_graphs_order_and_back_where_a_layer_wants_nhwc(
    translator: Any, build: Any
) -> None:
    reshaped = add(translator, build, node("Reshape", "reshaped", "image", shape=[0, 8, 3, 2]))
    assert build.turned["image"].shape == (1, 3, 6, 8)
    assert reshaped.shape == (1, 8, 3, 2)
    assert "reshaped" not in build.in_nhwc
    build.nhwc = build.wants_nhwc(node("Conv", "y", "reshaped"))
    assert build.tensor("reshaped").shape == (1, 3, 2, 8)
    assert build.tensor("reshaped") is build.tensor("reshaped")


@pytest.mark.parametrize(
    ("perm", "shape"), [((0, 2, 3, 1), (1, 6, 8, 3)), ((0, 1, 2, 3), (1, 3, 6, 8)), ((0, 3, 1, 2), (1, 8, 3, 6))]
)
def test_an_image_is_transposed_at_once_from_where_its_axes_stand(
    translator: Any, build: Any, perm: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    transposed = add(translator, build, node("Transpose", "transposed", "image", perm=list(perm)))
    assert transposed.shape == shape
    assert (transposed is build.values["image"]) == (perm == (0, 2, 3, 1))


@pytest.mark.parametrize(
    ("op", "inputs", "nhwc"),
    [
        ("Conv", ["image"], True),
        ("Softmax", ["image"], True),
        ("Add", ["image", "image"], True),
        ("Add", ["image", "rows"], False),
        ("Add", ["image", "five"], False),
        ("Softmax", ["rows"], False),
    ],
)
def test_only_image_layers_and_what_has_images_alone_work_in_nhwc(
    build: Any, op: str, inputs: list[str], nhwc: bool
) -> None:
    assert build.wants_nhwc(node(op, "y", *inputs)) == nhwc


@pytest.mark.parametrize(("nhwc", "axis"), [(True, 3), (False, 1)])
def test_an_axis_is_where_the_node_at_hand_has_it(build: Any, nhwc: bool, axis: int) -> None:
    build.nhwc = nhwc
    assert build.axis(1, Fake(1, 3, 4, 4)) == axis


def test_what_a_transposed_convolution_makes_too_much_is_cropped(translator: Any) -> None:
    attributes = {"kernel_shape": [3, 3], "dilations": [1, 1], "strides": [2, 4], "pads": [1, 0, 1, 0]}
    cropped = translator.images.cropped_from_transposed
    assert cropped(attributes | {"output_padding": [1, 0]}) == ((1, 0), (0, 1))
    with pytest.raises(NotImplementedError, match="output_padding"):
        cropped(attributes | {"output_padding": [2, 0]})


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
