"""The rounded network against arithmetic that really is of that precision, made by numpy."""

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from bakeoff.judge.case.leagues import calibrated, size
from bakeoff.judge.case.parity import compare, worst
from bakeoff.models.inputs import draw
from bakeoff.models.sandboxed import plain_graph
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.rounding import ACCUMULATION, SIGNIFICANT_BITS, RoundedModel, rounded
from bakeoff.records import PRECISIONS

pytestmark = pytest.mark.unit

Array = NDArray[Any]
Net = Callable[..., onnx.ModelProto]

RANDOM = np.random.RandomState(0)
HONEST = Path(__file__).parents[3] / "rogues" / "honest.py"


def to_bf16(values: Array) -> Array:
    """The upper half of a float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


NATIVE: dict[str, Callable[[Array], Array]] = {
    "fp32": lambda values: values.astype(np.float32),
    "fp16": lambda values: values.astype(np.float16),
    "bf16": to_bf16,
}


@given(st.sampled_from(PRECISIONS), st.floats(2**-14, 60000, width=32), st.sampled_from([1.0, -1.0]))
def test_rounding_is_that_of_the_format_itself(precision: str, value: float, sign: float) -> None:
    [found] = rounded(np.array([sign * value]), SIGNIFICANT_BITS[precision])
    assert found == float(NATIVE[precision](np.array([sign * value], np.float32))[0])
    assert rounded(np.array([found]), SIGNIFICANT_BITS[precision])[0] == found


def test_what_is_not_finite_or_no_float_stays() -> None:
    odd = rounded(np.array([np.inf, -np.inf, np.nan, 0.0]), 8)
    assert np.array_equal(odd, [np.inf, -np.inf, np.nan, 0.0], equal_nan=True)
    assert rounded(np.array([257]), 8)[0] == 257


def test_operators_that_only_move_or_choose_values_add_no_error(net: Net) -> None:
    x = to_bf16(RANDOM.standard_normal((1, 4, 8, 8)))
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["b"], ["y"], perm=[0, 1, 3, 2]),
    ]
    model = net(nodes)
    assert np.array_equal(RoundedModel(model, "bf16")([x])[0], Float64Model(model)([x])[0])


def test_weights_and_results_are_rounded_inside_of_branches_too(net: Net) -> None:
    third = np.array([1 / 3], np.float32)
    value = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["z"])], "branch", [], [value])
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    x = to_bf16(RANDOM.standard_normal((1, 4, 8, 8)))
    [found] = RoundedModel(net([node], {"yes": np.array(True), "w": third}), "bf16")([x])
    assert np.array_equal(found, to_bf16(x.astype(np.float64) * float(to_bf16(third)[0])))


def test_the_same_input_gives_the_same_answer(tiny: onnx.ModelProto) -> None:
    image = draw("float32", (3, 32, 32), seed=0, count=1)
    model = RoundedModel(tiny, "fp32")
    assert np.array_equal(model([image])[0], model([image])[0])


@pytest.mark.parametrize("terms", [64, 1024])
def test_accumulation_errs_as_a_running_sum_of_float32_does(terms: int) -> None:
    a, b = RANDOM.standard_normal((2, 2000, terms)).astype(np.float32)
    products = (a.astype(np.float64) * b).astype(np.float32)
    exact = products.astype(np.float64).sum(axis=1)
    error = np.cumsum(products, axis=1, dtype=np.float32)[:, -1] - exact
    relative = math.sqrt(float(np.square(error).mean() / np.square(exact).mean()))
    assert relative == pytest.approx(ACCUMULATION * math.sqrt(terms) * 2.0**-24, rel=0.15)


def test_a_sum_gets_the_error_of_accumulation_and_then_that_of_its_own_rounding(net: Net) -> None:
    x, weights = (RANDOM.standard_normal(shape).astype(np.float32) for shape in ((1, 4, 8, 8), (4, 4, 3, 3)))
    model = net([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], {"w": weights})
    exact, found = Float64Model(model)([x])[0], RoundedModel(model, "fp32")([x])[0]
    relative = math.sqrt(float(np.square(found - exact).mean() / np.square(exact).mean()))
    assert relative == pytest.approx(math.hypot(ACCUMULATION * math.sqrt(4 * 3 * 3), 0.425) * 2.0**-24, rel=0.15)


def test_a_masked_row_leaves_the_others_their_error(net: Net) -> None:
    x = RANDOM.standard_normal((1, 4, 8, 8)).astype(np.float32)
    x[0, 0, 0] = np.nan
    found = RoundedModel(
        net([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": np.eye(8, dtype=np.float32)}), "fp32"
    )
    [y] = found([x])
    assert np.isnan(y[0, 0, 0]).all()
    assert np.count_nonzero(np.isnan(y)) == 8


@pytest.fixture(scope="module")
def engine(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The honest numpy engine of the end-to-end tests: its operators are none of `onnx.reference`."""
    spec = importlib.util.spec_from_file_location("honest", HONEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("plain")
    plain_graph.lower(onnx.load(tiny_path), "tiny", folder)
    honest = module.Engine()
    honest.load({"path": str(folder)}, {"threads": 1})
    return honest, module.OPERATORS


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_network_computed_in_a_precision_is_found_to_be_of_that_size(
    precision: str, engine: Any, tiny: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrated on four inputs, judged on four others, computed by other code in real float32, float16 and bf16."""
    honest, operators = engine
    native = NATIVE[precision]
    images = draw("float32", (3, 32, 32), seed=0, count=8)
    each = [images[i : i + 1] for i in range(8)]
    exact = Float64Model(tiny)
    expected = [exact([image]) for image in each]
    rounding = {
        name: max(compare(model([x]), y)[0].max_rel_error or 0.0 for x, y in zip(each[:4], expected, strict=False))
        for name in PRECISIONS
        for model in [RoundedModel(tiny, name)]
    }
    for name, operator in list(operators.items()):
        rounds = lambda inputs, attributes, operator=operator: native(operator(inputs, attributes)).astype(np.float32)  # noqa: E731
        monkeypatch.setitem(operators, name, rounds)
    weights = {name: native(array).astype(np.float32) for name, array in honest.weights.items()}
    monkeypatch.setattr(honest, "weights", weights)
    honest.prepare([[native(image).astype(np.float32)] for image in each])
    found = []
    for k in range(4, 8):
        honest.run(k)
        found.append(compare(honest.outputs(), expected[k])[0])
    error = getattr(worst(found), "max_rel_error", None)
    assert error is not None
    assert size(error, calibrated(rounding)) == precision
