import pytest

from bakeoff.report import wording
from bakeoff.report.markup import as_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0.00"), (2.356, "2.36"), (9.994, "9.99"), (9.996, "10.0"), (45.06, "45.1")),
        *((99.94, "99.9"), (99.96, "100"), (123.4, "123"), (1234.5, "1234"), (None, "-")),
    ],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((100 / 1.02, 102.0), "±2%"),
        ((100 / 1.004, 100.4), "±0.4%"),
        ((50.0, 200.0), "±100%"),
        ((1.0, 1e9), "±>100%"),
        (None, ""),
    ],
)
def test_the_spread_is_half_of_the_interval(interval: tuple[float, float] | None, text: str) -> None:
    assert wording.plus_minus(interval) == text


@pytest.mark.parametrize(("value", "text"), [(0.25, "250 ms"), (0.0012, "1.20 ms"), (12.34, "12.3 s"), (None, "-")])
def test_seconds_below_one_are_milliseconds(value: float | None, text: str) -> None:
    assert wording.seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(3.14e-7, "3.1e-07"), (0.0, "0"), (None, "-")])
def test_errors_have_two_digits(value: float | None, text: str) -> None:
    assert wording.error(value) == text


def test_a_contender_s_brackets_are_no_markup_in_a_heading() -> None:
    text = as_text(["onnxruntime[spin=false], images/s"], [["onnxruntime[spin=false]"]], width=80)
    assert text.splitlines()[0] == "onnxruntime[spin=false], images/s"
    assert text.splitlines()[-1] == "onnxruntime[spin=false]"
