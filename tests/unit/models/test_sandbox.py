import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bakeoff.errors import ModelError, ModelTaskError
from bakeoff.models import sandbox
from bakeoff.models.sandbox import Limits

Net = Callable[..., onnx.ModelProto]

pytestmark = pytest.mark.unit

posix = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="the platform sets no limit to memory")


def reference_of(model: onnx.ModelProto, folder: Path, limits: Limits) -> None:
    onnx.save(model, folder / "hog.onnx")
    np.save(folder / "x.npy", np.zeros((1, 4, 8, 8), np.float32))
    arguments = {"path": str(folder / "hog.onnx"), "samples": [str(folder / "x.npy")], "count": 1}
    sandbox.run("extend_reference", arguments | {"target": str(folder / "r.npz")}, limits=limits, what="hog")


@posix
def test_a_model_that_wants_too_much_memory_ends_in_one_line(net: Net, tmp_path: Path) -> None:
    hog = net(
        [helper.make_node("ConstantOfShape", ["shape"], ["y"])], {"shape": np.array([1, 40_000, 40_000, 4], np.int64)}
    )
    with pytest.raises(ModelTaskError, match=r"hog: .*(2\.0 GB|Unable to allocate)") as caught:
        reference_of(hog, tmp_path, Limits(memory_mb=2048))
    assert "\n" not in str(caught.value)


def test_a_model_that_takes_too_long_is_stopped(net: Net, tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(n, t, s) for n, t, s in (("i", 7, []), ("c", 9, []), ("a", 1, None))]
    results = [helper.make_tensor_value_info("d", 9, []), helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["a"], ["b"])],
        "body",
        values,
        results,
    )
    weights = {"times": np.int64(10**12), "yes": np.array(True)}
    hog = net([helper.make_node("Loop", ["times", "yes", "x"], ["y"], body=body)], weights)
    began = time.monotonic()
    with pytest.raises(ModelTaskError, match=r"hog: stopped after the 1 s that a model may take"):
        reference_of(hog, tmp_path, Limits(seconds=1))
    assert time.monotonic() - began < 10


def test_a_worker_that_dies_is_one_line(tiny_path: Path) -> None:
    with pytest.raises(
        ModelTaskError, match=r"tiny: the model worker died \((SIG\w+|exit code \d+); it may use"
    ) as caught:
        sandbox.run("inspect", {"path": str(tiny_path)}, limits=Limits(memory_mb=1), what="tiny")
    assert "\n" not in str(caught.value)


def test_a_model_cut_short_is_one_line(tiny_path: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(tiny_path.read_bytes()[:3000])
    with pytest.raises(ModelError, match=r"cut: not an? (sound )?ONNX model") as caught:
        sandbox.run("inspect", {"path": str(tmp_path / "cut.onnx")}, what="cut")
    assert "\n" not in str(caught.value)


def test_an_unexpected_error_in_a_task_is_one_line() -> None:
    with pytest.raises(ModelTaskError, match=r"tiny: TypeError: .* unexpected keyword argument 'colour'") as caught:
        sandbox.run("inspect", {"path": "tiny.onnx", "colour": "red"}, what="tiny")
    assert "\n" not in str(caught.value)


def test_progress_comes_while_the_task_runs(tiny_path: Path) -> None:
    said: list[str] = []
    found = sandbox.run("inspect", {"path": str(tiny_path)}, report=said.append)
    assert "reading the signature" in said
    assert found["classes"] == 10
