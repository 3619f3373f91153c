"""Shared by the tests of models: the tiny network, and small ONNX models made by hand."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.sandboxed import built_in
from bakeoff.models.sandboxed.seeding import seeded_weights

Net = Callable[..., onnx.ModelProto]


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "resnet-tiny.onnx"
    architecture = ARCHITECTURES["resnet-tiny"]
    built_in.write(architecture, seeded_weights(architecture), path)
    return path


@pytest.fixture
def tiny(tiny_path: Path) -> onnx.ModelProto:
    return onnx.load(tiny_path)


@pytest.fixture
def net() -> Net:
    """Make a model from ``x`` [N, 4, 8, 8] to ``y`` out of nodes and weights."""

    def make(
        nodes: Sequence[onnx.NodeProto],
        weights: Mapping[str, NDArray[np.generic]] | None = None,
        opset: int = 13,
        out: Sequence[int | str] = ("N", 4, 8, 8),
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            list(nodes),
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(out))],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)

    return make
