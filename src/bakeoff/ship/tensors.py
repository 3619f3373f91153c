"""Arrays as ONNX's TensorProto, the form of its test data, for environments without onnx: packs carry this file along.

The fields are those of onnx.proto: 1 dims, 2 data_type, 8 name, 9 raw_data; little-endian, as its protocol buffers are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9
_NAMES = "float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64"
DATA_TYPES = {name: number for number, name in enumerate(_NAMES.split(), 1) if name != "string"}
"""numpy's name -> TensorProto.DataType"""
VARINT, BYTES = 0, 2
"""wire types of protocol buffers"""


def encode(array: NDArray[Any], name: str) -> bytes:
    """The TensorProto of `array`. Raises `KeyError` for a dtype that is none of `DATA_TYPES`."""
    dims = b"".join(_key(DIMS, VARINT) + _varint(size) for size in array.shape)
    raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return (
        dims
        + _key(DATA_TYPE, VARINT)
        + _varint(DATA_TYPES[array.dtype.name])
        + _bytes(NAME, name.encode())
        + _bytes(RAW_DATA, raw)
    )


def decode(data: bytes) -> NDArray[Any]:
    """The array of a TensorProto whose values are its raw_data. Raises `ValueError` for any other."""
    dims: list[int] = []
    data_type, raw = 0, None
    for field, value in _fields(data):
        if field == DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
        elif field == DATA_TYPE and isinstance(value, int):
            data_type = value
        elif field == RAW_DATA and isinstance(value, bytes):
            raw = value
    names = [name for name, number in DATA_TYPES.items() if number == data_type]
    if raw is None or not names:
        raise ValueError(f"no tensor with raw data of a type that numpy has (data_type {data_type})")
    return np.frombuffer(raw, np.dtype(names[0]).newbyteorder("<")).reshape(dims).astype(names[0])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field; raises `ValueError` where they end in the middle."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        value: int | bytes
        value, at = _read_varint(data, at)
        if key & 7 == BYTES:
            size = int(value)
            value, at = data[at : at + size], at + size
        elif key & 7 != VARINT:
            raise ValueError(f"field {key >> 3} of the tensor has wire type {key & 7}")
        if at > len(data):
            raise ValueError("the tensor ends in the middle")
        yield key >> 3, value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the tensor ends in the middle")
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:  # noqa: PLR2004 - the highest bit says that more follow
            return value, at


def _varints(packed: bytes) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = _read_varint(packed, at)
        values.append(value)
    return values


def _varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, BYTES) + _varint(len(value)) + value
