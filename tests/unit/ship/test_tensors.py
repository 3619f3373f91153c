"""What a pack reads and writes of ONNX's tensors is what onnx does."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from bakeoff.ship.tensors import DATA_TYPES, decode, encode

pytestmark = pytest.mark.unit

SHAPES = st.lists(st.integers(0, 300), max_size=3).map(tuple)


@st.composite
def arrays(draw: st.DrawFn) -> NDArray[Any]:
    shape = draw(SHAPES.filter(lambda shape: np.prod(shape) < 1000))
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 2, shape)
    return values.astype(draw(st.sampled_from(sorted(DATA_TYPES))))


@given(arrays(), st.text(max_size=200))
def test_onnx_reads_what_is_written(array: NDArray[Any], name: str) -> None:
    tensor = onnx.TensorProto.FromString(encode(array, name))
    read = numpy_helper.to_array(tensor)
    assert tensor.name == name
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@given(arrays())
def test_what_onnx_writes_is_read(array: NDArray[Any]) -> None:
    read = decode(numpy_helper.from_array(array, "x").SerializeToString())
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def test_sizes_may_be_packed_into_one_field() -> None:
    tensor = encode(np.zeros(600, np.int8), "x")
    size = b"\x08\xd8\x04"
    assert tensor.startswith(size)
    packed = b"\x0a\x03\xd8\x04\x01" + tensor.removeprefix(size)
    assert decode(packed).shape == (600, 1)


@given(st.binary(max_size=40))
def test_anything_else_is_a_value_error(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        return
    except TypeError:
        pytest.fail("a size that is no number")


def test_a_tensor_that_ends_in_the_middle_or_keeps_its_values_elsewhere_is_refused() -> None:
    whole = encode(np.zeros(4, np.float32), "x")
    for broken in (
        whole[:-1],
        b"",
        onnx.helper.make_tensor("x", onnx.TensorProto.FLOAT, [1], [1.0]).SerializeToString(),
    ):
        with pytest.raises(ValueError, match="tensor"):
            decode(broken)
