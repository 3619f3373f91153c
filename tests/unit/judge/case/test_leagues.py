import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_plan

from bakeoff.judge.case.leagues import BEYOND, FLOOR, MEANINGLESS, calibrated, league, leagues, size
from bakeoff.records import (
    PRECISIONS,
    UNCALIBRATED,
    Case,
    EngineInfo,
    ModelRecord,
    Parity,
    RunRecord,
    Status,
    Tolerances,
    Trial,
)

pytestmark = pytest.mark.unit

TINY = {"fp32": 1.5e-6, "fp16": 4.2e-3, "bf16": 5.9e-2}
"""resnet-tiny's own"""

errors = st.floats(0, 10) | st.floats(-9, 1).map(lambda exponent: 10**exponent)
roundings = st.fixed_dictionaries(dict.fromkeys(PRECISIONS, errors))


def parity(error: float | None) -> Parity:
    return Parity(max_rel_error=error, top1_agreement=None)


@given(error=st.floats(1e-9, BEYOND * TINY["bf16"], exclude_max=True))
def test_an_error_is_classed_with_the_nearest_on_a_log_scale(error: float) -> None:
    nearest = min(TINY, key=lambda precision: abs(math.log(error / TINY[precision])))
    assert size(error, calibrated(TINY)) == nearest


@given(roundings, errors, errors)
def test_a_larger_error_is_never_classed_finer(rounding: dict[str, float], one: float, other: float) -> None:
    tolerances = calibrated(rounding)
    order = [*PRECISIONS, None]
    small, large = (order.index(size(error, tolerances)) for error in sorted([one, other]))
    assert small <= large


@given(roundings)
def test_a_network_that_rounds_well_leaves_fp32_and_each_format_its_floor(rounding: dict[str, float]) -> None:
    tolerances = calibrated(rounding)
    for precision in PRECISIONS:
        assert size(FLOOR[precision] / 2, tolerances) in PRECISIONS[: PRECISIONS.index(precision) + 1]
    assert tolerances.fp32 >= math.sqrt(FLOOR["fp32"] * FLOOR["fp16"])


@given(roundings, st.floats(MEANINGLESS, 1e6, exclude_min=True))
def test_an_error_that_is_mostly_noise_is_wrong_however_badly_a_network_rounds(
    rounding: dict[str, float], error: float
) -> None:
    assert size(error, calibrated(rounding)) is None


@given(st.sampled_from(PRECISIONS), st.sampled_from([None, math.nan, math.inf]))
def test_an_error_that_is_no_number_calibrates_nothing(precision: str, none: float | None) -> None:
    assert calibrated(TINY | {precision: none}) == UNCALIBRATED
    assert calibrated({}) == UNCALIBRATED


def test_answers_far_beyond_bf16_are_wrong_and_those_of_each_precision_are_told_apart() -> None:
    tolerances = calibrated(TINY)
    assert [size(TINY[precision], tolerances) for precision in PRECISIONS] == list(PRECISIONS)
    assert size(BEYOND * TINY["bf16"] * 1.01, tolerances) is None
    assert tolerances.rounding == TINY


def test_without_a_calibration_all_that_is_not_wrong_stays_in_its_league() -> None:
    assert league("fp32", parity(1e-4), UNCALIBRATED) == "fp32"
    assert size(1.01e-4, UNCALIBRATED) is None


@pytest.mark.parametrize(
    ("declared", "error", "expected"),
    [
        ("fp32", 1e-6, "fp32"),
        ("fp32", 4e-3, "fp16"),
        ("fp32", 6e-2, "bf16"),
        ("bf16", 1e-6, "bf16"),
        ("fp16", 6e-2, "bf16"),
        ("int8", 1e-6, "int8"),
        ("fp32", 0.4, "fp32"),
        ("fp32", None, "fp32"),
    ],
)
def test_a_case_leaves_its_league_for_a_coarser_one_only(declared: str, error: float | None, expected: str) -> None:
    assert league(declared, parity(error), calibrated(TINY)) == expected


def test_the_worst_error_of_a_case_decides_and_other_batch_sizes_keep_their_league() -> None:
    run = RunRecord(
        name="1",
        started_at=0.0,
        plan=a_plan(models=("m",), engines=("a", "b"), batch_sizes=(1, 8), threads=1),
        machine={},
        bakeoff_version="0",
        models=(
            ModelRecord(name="m", digest="", weights="seeded", inputs=(), outputs=(), tolerances=calibrated(TINY)),
        ),
        engines=tuple(
            EngineInfo(name=name, title=name, framework=name, release="today", league=declared)
            for name, declared in (("a", "fp32"), ("b", "bf16"))
        ),
    )
    at = {(case.contender.name, case.batch_size): case for case in run.plan.cases()}

    def trial(case: Case, round_: int, error: float) -> Trial:
        return Trial(round=round_, case=case, status=Status.OK, parity=parity(error))

    trials = [trial(at["a", 8], 1, 1e-6), trial(at["a", 8], 2, 6e-2), trial(at["a", 8], 3, 1e-6)]
    found = leagues(run, [*trials, trial(at["b", 1], 1, 1e-6)])
    assert found == {at["a", 1]: "fp32", at["a", 8]: "bf16", at["b", 1]: "bf16", at["b", 8]: "bf16"}


def test_tolerances_are_in_order_even_where_a_coarse_precision_happened_to_do_better() -> None:
    found = calibrated({"fp32": 1e-6, "fp16": 3e-2, "bf16": 1e-2})
    assert isinstance(found, Tolerances)
    assert found.fp32 < found.fp16 <= found.bf16
