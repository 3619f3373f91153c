"""`bakeoff run ./model.onnx`: a user's own model, sound or broken, as it is typed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.hostile.broken_models import BREAKING, BROKEN

pytestmark = pytest.mark.end_to_end

Axes = Sequence[int | str]

RACE = ("--engines", "onnxruntime", "--rounds", "1", "--json")


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Axes]],
    outputs: Mapping[str, Axes],
    weights: Mapping[str, NDArray[np.generic]],
) -> None:
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, dtype, axes) for name, (dtype, axes) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def recurrent(path: Path) -> None:
    """Two inputs, integers among them, and two outputs; open axes with names; the batch axis second in some."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["looked_up"]),
        helper.make_node("Transpose", ["looked_up"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node("Add", ["by_time", "state"], ["new_state"]),
        helper.make_node("ReduceMean", ["new_state"], ["mean"], axes=[0], keepdims=0),
    ]
    by_time: Axes = ["time", "N", 8]
    inputs = {"ids": (TensorProto.INT64, ["N", "time"]), "state": (TensorProto.FLOAT, by_time)}
    save(
        path,
        nodes,
        inputs,
        {"new_state": by_time, "mean": ["N", 8]},
        {"table": np.random.default_rng(0).random((50, 8), np.float32)},
    )


def test_a_model_with_open_axes_is_raced_once_they_have_sizes(bakeoff: Any) -> None:
    recurrent(bakeoff.folder / "mine.onnx")
    asked = bakeoff("run", "./mine.onnx", *RACE)
    assert asked.code == 2
    assert "--shape time=" in asked.err
    result = bakeoff("run", "./mine.onnx", *RACE, "--shape", "time=5", "--batch", "1,3")
    assert "ids int64 [batch, 5], state float32 [5, batch, 8]" in " ".join(result.err.split())
    assert result.code == 0, result.err
    for size in (1, 3):
        assert result.rows["onnxruntime", size]["parity"]["max_rel_error"] < 1e-6
    assert "--shape time=5" in (bakeoff.folder / "results" / the_run(bakeoff) / "table.md").read_text(encoding="utf-8")
    shown = bakeoff("models", "show", "mine.onnx")
    assert "input state: float32 [time, N, 8], batch axis 1" in shown.out


def the_run(bakeoff: Any) -> str:
    (name,) = (path.name for path in (bakeoff.folder / "results").iterdir() if path.is_dir())
    return str(name)


def test_real_inputs_are_raced_and_belong_to_the_run(bakeoff: Any) -> None:
    recurrent(bakeoff.folder / "mine.onnx")
    random = np.random.default_rng(3)
    ids, state = random.integers(0, 50, (6, 4)), random.random((4, 6, 8))
    np.savez(bakeoff.folder / "data.npz", ids=ids, state=state)
    arguments = ("run", "mine.onnx", *RACE, "--input", "data.npz", "--batch", "2")
    result = bakeoff(*arguments)
    assert result.code == 0, result.err
    assert result.rows["onnxruntime", 2]["parity"]["max_rel_error"] < 1e-6
    np.savez(bakeoff.folder / "data.npz", ids=ids, state=state + 1)
    resumed = bakeoff("resume")
    assert resumed.code == 2
    assert "mine.onnx has changed since" in resumed.err
    ids[0, 0] = 50
    np.savez(bakeoff.folder / "data.npz", ids=ids, state=state)
    beyond = bakeoff(*arguments)
    assert beyond.code == 2
    assert "Traceback" not in beyond.err


def test_a_model_without_a_batch_axis_is_raced_at_its_own_shape(bakeoff: Any) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    save(bakeoff.folder / "fixed.onnx", [node], {"x": (TensorProto.FLOAT, [4, 3])}, {"y": [4, 3]}, {})
    result = bakeoff("run", "fixed.onnx", *RACE)
    assert result.code == 0, result.err
    assert [*result.rows] == [("onnxruntime", 4)]
    assert "raced at its fixed shape, batch 4, alone" in " ".join(result.err.split())
    assert result.rows["onnxruntime", 4]["parity"]["max_rel_error"] == 0


def test_what_float64_cannot_compute_is_judged_by_an_unoptimised_session_and_says_so(bakeoff: Any) -> None:
    scale, zero = np.float32(0.02), np.uint8(128)
    weights = {"w": np.random.default_rng(0).integers(0, 255, (16, 8), np.uint8), "s": scale, "z": zero}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("QLinearMatMul", ["q", "s", "z", "w", "s", "z", "s", "z"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "s", "z"], ["t"]),
        helper.make_node("Gelu", ["t"], ["y"], domain="com.microsoft"),
    ]
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    save(bakeoff.folder / "int8.onnx", nodes, {"x": (TensorProto.FLOAT, ["N", 16])}, {"y": ["N", 8]}, arrays)
    result = bakeoff("run", "int8.onnx", *RACE[:-1], "--batch", "2")
    assert result.code == 0, result.err
    assert "against ONNX Runtime without optimisations" in " ".join(result.out.split())


@pytest.mark.parametrize("name", [*BROKEN, *BREAKING])
def test_a_broken_model_is_one_clear_line(bakeoff: Any, name: str) -> None:
    write, said = (BROKEN | BREAKING)[name]
    (bakeoff.folder / "folder").mkdir()
    write(bakeoff.folder / "folder" / "model.onnx")
    result = bakeoff("run", "folder/model.onnx", *RACE)
    assert result.code == 2, result.err
    last = result.err.rpartition("bakeoff: ")[2]
    assert said in last
    assert len(last.splitlines()) <= 2, "more than the line and its advice"
    assert "Traceback" not in result.err
    assert not result.out
