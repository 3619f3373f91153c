from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bakeoff.models.inputs import draw
from bakeoff.models.sandboxed.signature import inspect

pytestmark = pytest.mark.unit


def test_integers_are_drawn_below_what_is_looked_up_by_them() -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["ids", "one"], ["wide"]),
        helper.make_node("Gather", ["words", "wide"], ["a"]),
        helper.make_node("Cast", ["kinds"], ["kinds64"], to=TensorProto.INT64),
        helper.make_node("Gather", ["types", "kinds64"], ["b"], axis=1),
        helper.make_node("Cast", ["attention_mask"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["count"], ["c"], to=TensorProto.FLOAT),
    ]
    inputs = {"ids": 7, "kinds": 6, "attention_mask": 7, "count": 7}
    outputs = {"a": ["N", 1, 5, 2], "b": [2, "N", 5], "m": ["N", 5], "c": ["N", 5]}
    weights = {"words": np.ones((40, 2), np.float32), "types": np.ones((2, 3), np.float32), "one": np.array([1])}
    graph = helper.make_graph(
        nodes,
        "lookups",
        [helper.make_tensor_value_info(name, dtype, ["N", 5]) for name, dtype in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    found = inspect(model, Path()).inputs
    assert {spec.name: spec.below for spec in found} == {"ids": 40, "kinds": 3, "attention_mask": 2, "count": None}


def test_drawn_integers_stay_in_range_and_use_it() -> None:
    assert set(np.unique(draw("int64", (500,), 0, 1, below=3))) == {0, 1, 2}
