from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bakeoff.judge.case.output_error import either
from bakeoff.judge.case.parity import compare, judge, worst
from bakeoff.records import Parity, Status

pytestmark = pytest.mark.unit

Array = NDArray[Any]

TOLERANCE = 1e-4

logits = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-3),
)


def outputs(seed: int = 0, samples: int = 4) -> Array:
    return np.random.default_rng(seed).normal(size=(samples, 10))


def test_the_reference_itself_has_no_error() -> None:
    parity, fault = compare([outputs()], [outputs()], classes=10)
    assert (parity, fault) == (Parity(max_rel_error=0.0, top1_agreement=1.0), "")
    assert judge(parity, fault, tolerance=TOLERANCE) == (Status.OK, "")


def test_the_error_is_relative_to_the_largest_value_of_the_same_sample() -> None:
    reference = np.array([[1.0, 100.0], [1.0, 2.0]])
    got = reference + np.array([[1.0, 0.0], [0.0, 0.5]])
    parity, _ = compare([got], [reference])
    assert parity.max_rel_error == pytest.approx(0.25)


def test_the_worst_output_counts() -> None:
    reference = [outputs(1), outputs(2)]
    got = [reference[0], reference[1] * 1.5]
    assert compare(got, reference)[0].max_rel_error == pytest.approx(0.5)


@settings(max_examples=40)
@given(reference=logits)
def test_rounding_to_fp32_always_passes(reference: Array) -> None:
    assert judge(*compare([reference.astype(np.float32)], [reference]), tolerance=TOLERANCE)[0] is Status.OK


@settings(max_examples=40)
@given(reference=logits, error=st.floats(1e-6, 1e3))
def test_a_scaled_output_has_just_that_error(reference: Array, error: float) -> None:
    parity, fault = compare([reference * (1 + error)], [reference])
    assert fault == ""
    assert parity.max_rel_error == pytest.approx(error if reference.any() else 0.0, rel=1e-6)


@settings(max_examples=40)
@given(reference=logits, data=st.data(), poison=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_one_value_that_is_not_finite_is_never_a_number(reference: Array, data: st.DataObject, poison: float) -> None:
    got = reference.copy()
    got.flat[data.draw(st.integers(0, got.size - 1))] = poison
    parity, fault = compare([got], [reference], classes=reference.shape[-1])
    assert parity == Parity(max_rel_error=None, top1_agreement=None)
    assert "1 of" in fault
    assert judge(parity, fault, tolerance=TOLERANCE)[0] is Status.WRONG


def test_bf16_sized_noise_is_beyond_fp32() -> None:
    reference = outputs()
    rounded = (reference.astype(np.float32).view(np.uint32) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    parity, fault = compare([rounded], [reference], classes=10)
    status, reason = judge(parity, fault, tolerance=TOLERANCE)
    assert status is Status.WRONG
    assert reason.startswith("error ")
    assert "is beyond 1.0e-04 (top-1 agrees on 100%)" in reason


def test_an_error_of_just_the_tolerance_still_passes() -> None:
    just, beyond = (Parity(max_rel_error=error, top1_agreement=None) for error in (TOLERANCE, TOLERANCE * 1.001))
    assert judge(just, tolerance=TOLERANCE)[0] is Status.OK
    assert judge(beyond, tolerance=TOLERANCE)[0] is Status.WRONG


@pytest.mark.parametrize(
    ("got", "reference", "fault"),
    [
        ([], [outputs()], "0 outputs instead of 1"),
        ([outputs(), outputs()], [outputs()], "2 outputs instead of 1"),
        ([outputs().T], [outputs()], r"output 0 has shape [10, 4] instead of [4, 10]"),
        ([outputs()[:, :, None]], [outputs()], r"output 0 has shape [4, 10, 1] instead of [4, 10]"),
        ([outputs().astype(np.int64)], [outputs()], "output 0 is int64 instead of float"),
        ([outputs().astype(np.complex64)], [outputs()], "output 0 is complex64 instead of float"),
        ([np.ones(3)], [np.ones(3, np.int64)], "output 0 is float64 instead of integer"),
        ([np.array([1, 2])], [np.array([1, 3])], "output 0 differs in 1 of 2 integer values"),
        ([np.array([True])], [np.array([False])], "output 0 differs in 1 of 1 bool values"),
        ([np.ones((1, 2))], [np.zeros((1, 2))], "output 0 is not zero where the reference is"),
        (
            [np.ones(2)],
            [np.array([1.0, np.nan])],
            "output 0 differs in 1 infinities or NaN from the reference, in which 1 of 2 values are infinite or NaN",
        ),
        (
            [np.array([np.inf, 1.0])],
            [np.array([-np.inf, 1.0])],
            "output 0 differs in 1 infinities or NaN from the reference, in which 1 of 2 values are infinite or NaN",
        ),
    ],
)
def test_what_cannot_be_compared_is_wrong_and_says_why(got: list[Array], reference: list[Array], fault: str) -> None:
    parity, found = compare(got, reference, classes=10)
    assert found == fault
    assert judge(parity, found, tolerance=TOLERANCE) == (Status.WRONG, fault)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_equal_infinities_and_nan_are_equal_and_the_rest_is_judged_by_its_own_scale(poison: float) -> None:
    reference = np.array([[poison, 2.0, 4.0], [1.0, poison, poison], [poison] * 3])
    got = reference + np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert compare([got], [reference]) == (Parity(max_rel_error=0.25, top1_agreement=None), "")


def test_what_only_float64_can_hold_may_be_infinite() -> None:
    reference = np.array([[-6.8e38, 2.0, 4.0]])
    assert compare([np.array([[-np.inf, 2.0, 3.0]], np.float32)], [reference])[0].max_rel_error == 0.25
    assert compare([np.array([[np.inf, 2.0, 4.0]], np.float32)], [reference])[0].max_rel_error is None
    assert compare([np.array([[-np.inf, 2.0, 4.0]])], [reference / 1e9])[0].max_rel_error is None


def test_a_fault_names_its_output() -> None:
    fault = compare([outputs(), np.ones(2)], [outputs(), np.ones(3)], names=["scores", "boxes"])[1]
    assert fault == "output boxes has shape [2] instead of [3]"


def test_an_integer_may_be_the_other_answer_where_there_is_one_and_nothing_else() -> None:
    reference = either(np.array([[1, 2, 3]]), np.array([[1, 9, 3]]))
    for right in ([1, 2, 3], [1, 9, 3]):
        assert compare([np.array([right])], [reference]) == (Parity(max_rel_error=0.0, top1_agreement=None), "")
    for wrong in ([1, 8, 3], [1, 9, 4]):
        assert compare([np.array([wrong])], [reference])[1] == "output 0 differs in 1 of 3 integer values"


def test_integers_of_another_width_may_be_equal() -> None:
    got, reference = np.array([[1, 2]], np.int32), np.array([[1, 2]], np.int64)
    assert compare([got], [reference])[0].max_rel_error == 0.0


@pytest.mark.parametrize("array", [np.zeros((2, 3)), np.float64(1.5), np.empty((0, 3)), np.empty((2, 0))])
def test_zeros_scalars_and_empty_outputs_equal_themselves(array: Array) -> None:
    assert compare([array], [array], classes=3)[0].max_rel_error == 0.0


def test_top1_counts_the_samples_whose_winner_is_the_same() -> None:
    reference = np.eye(4)
    got = np.eye(4)
    got[3] = [1, 0, 0, 0]
    assert compare([got], [reference], classes=4)[0].top1_agreement == 0.75
    assert compare([got], [reference])[0].top1_agreement is None


def test_the_worst_of_several_has_the_largest_error_and_least_agreement() -> None:
    good = Parity(max_rel_error=1e-7, top1_agreement=1.0)
    bad = Parity(max_rel_error=1e-3, top1_agreement=0.5)
    none = Parity(max_rel_error=None, top1_agreement=None)
    assert worst([good, None, bad]) == bad
    assert worst([none, good]) == Parity(max_rel_error=None, top1_agreement=1.0)
    assert worst([None]) is None


def test_a_comparison_without_any_number_is_wrong_even_without_a_reason() -> None:
    status, reason = judge(Parity(max_rel_error=None, top1_agreement=None), tolerance=TOLERANCE)
    assert status is Status.WRONG
    assert reason
