import contextlib

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.cli.params import BatchSizes, Duration, Latency, Memory, Names, Setting, Shape, Values, as_request

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("0.5m", 30)])
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "fast", "15 m inutes", "m15", "-3", "0", "1d", "15mm"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(click.BadParameter):
        assert Duration().convert(text, None, None) > 0


@pytest.mark.parametrize(("text", "seconds"), [("50ms", 0.05), ("0.5 s", 0.5), ("800US", 0.0008)])
def test_a_latency_has_a_unit(text: str, seconds: float) -> None:
    assert Latency().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "megabytes"), [("500MB", 500), ("1.5 gb", 1500)])
def test_an_amount_of_memory_has_a_unit(text: str, megabytes: float) -> None:
    assert Memory().convert(text, None, None) == megabytes


@pytest.mark.parametrize("text", ["", "500", "0MB", "-5MB", "1TB", "much"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="like 500MB"):
        Memory().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "50", "0ms", "-5ms", "1m", "fast"])
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="like 50ms"):
        Latency().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "1,,2", "0", "a", "1.5", "-1", "100000000000000000000"])
def test_what_are_no_batch_sizes_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        BatchSizes().convert(text, None, None)


def test_lists_are_split_at_commas() -> None:
    assert BatchSizes().convert("1,8", None, None) == (1, 8)
    assert Names().convert("onnxruntime, py*", None, None) == ("onnxruntime", "py*")
    with pytest.raises(click.BadParameter):
        Names().convert("a,,b", None, None)


def test_a_shape_is_a_name_and_sizes() -> None:
    assert Shape().convert("input=1x3x320x640", None, None) == ("input", (1, 3, 320, 640))
    assert Shape().convert("a=b:0=1X8", None, None) == ("a=b:0", (1, 8))
    assert Shape().convert("tokens=128", None, None) == ("tokens", (128,))


@pytest.mark.parametrize("text", ["", "input", "=1x3", "input=", "input=1x", "input=1,3", "input=0x3", "input=1x-3"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="input=1x3x320x640"):
        Shape().convert(text, None, None)


def test_settings_have_values_as_contenders_names_write_them() -> None:
    assert Setting().convert("openvino.streams=1, 2", None, None) == ("openvino.streams", (1, 2))
    assert Setting().convert("a.b.mode=eager", None, None) == ("a.b.mode", ("eager",))
    assert Values().convert("true,0.5,default", None, None) == (True, 0.5, "default")


@pytest.mark.parametrize("text", ["", "spin=false", "a.spin", "a.spin=", "a.spin=true,,false"])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write"):
        Setting().convert(text, None, None)


def test_one_number_of_threads_is_everybody_s_and_several_are_a_setting() -> None:
    one = as_request(threads=(2,), settings=(("a.x", (1,)), ("a.x", (2,))))
    assert (one.threads, one.settings) == (2, {"a.x": (1, 2)})
    several = as_request(threads=(1, 2), settings=())
    assert (several.threads, several.settings) == (None, {"*.threads": (1, 2)})
    assert as_request(threads=("default",), settings=()).settings == {"*.threads": ("default",)}
    assert as_request(threads=None, settings=()).threads is None
