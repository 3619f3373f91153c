"""How far one output lies from its reference. Packs carry this file along, see `bakeoff.ship`: numpy and Python 3.8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OTHER, SIZE = BESIDE = ("other", "size")
"""what may stand beside the answers of a reference, see `either` and `of_size`"""


def either(answer: Array, other: Array) -> Array:
    """A reference of integers or truths, in the shape of both, of which each value may be `answer` or `other`."""
    return beside(answer, OTHER, other.astype(answer.dtype))


def of_size(answer: Array, size: Array) -> Array:
    """A reference in the shape of the floats `answer`, errors of which are relative to no less than `size`, [samples].

    So where the terms of a difference cancel out: what is left of them in float64 says nothing of how large they were.
    """
    return beside(answer, SIZE, size.reshape(-1, *[1] * (answer.ndim - 1)))


def beside(answer: Array, name: str, values: Array) -> Array:
    """`answer` with `values` beside it, under one of the names that `either` and `of_size` have them by."""
    found = np.empty(answer.shape, [("answer", answer.dtype), (name, values.dtype)])
    found["answer"], found[name] = answer, values
    return found


def answer_of(reference: Array) -> Array:
    """The answers alone, of what may be made by `either` or `of_size`."""
    return reference["answer"] if reference.dtype.names else reference


def error_of(got: Array, expected: Array) -> tuple[float, str]:
    """The worst sample's relative error, as `compare` has it, and "" or else what makes the two incomparable."""
    fields = expected.dtype.names or ()
    other = expected[OTHER] if OTHER in fields else answer_of(expected)
    size = _by_sample(expected[SIZE]) if SIZE in fields and expected.size else None
    expected = answer_of(expected)
    if got.shape != expected.shape:
        return 0.0, f"has shape {list(got.shape)} instead of {list(expected.shape)}"
    if _kind(got) != _kind(expected):
        return 0.0, f"is {got.dtype} instead of {_kind(expected)}"
    if _kind(expected) != "float":
        differing = int(np.count_nonzero((got != expected) & (got != other)))
        return 0.0, f"differs in {differing} of {got.size} {_kind(expected)} values" if differing else ""
    return _relative_error(_by_sample(got), _by_sample(expected), size) if got.size else (0.0, "")


def _relative_error(got: Array, expected: Array, size: Array | None) -> tuple[float, str]:
    """max|y - y64| / max|y64| of the worst row, over what is finite in y64; all float64 of shape (samples, values).

    Infinities of the same sign are equal, and so are NaN. What lies beyond fp32's range is infinite in fp32.
    """
    finite = np.isfinite(expected)
    special = ~(finite & np.isfinite(got))
    differing = int(np.count_nonzero(~_same(got[special], expected[special])))
    if differing:
        if finite.all():
            return 0.0, f"has {differing} of {got.size} values that are not finite"
        odd = f"{np.count_nonzero(~finite)} of {got.size} values are infinite or NaN"
        return 0.0, f"differs in {differing} infinities or NaN from the reference, in which {odd}"
    got, expected = (np.where(special, 0.0, values) for values in (got, expected))
    difference = np.abs(got - expected).max(axis=1)
    scale = np.abs(expected).max(axis=1)
    if size is not None:
        scale = np.maximum(scale, size[:, 0])
    if ((scale == 0) & (difference > 0)).any():
        return 0.0, "is not zero where the reference is"
    # A row that is zero in both has no error.
    return float((difference / np.where(scale == 0, 1.0, scale)).max()), ""


def _same(got: Array, expected: Array) -> Array:
    """Where two float64 arrays of values, of which one at least is infinite or NaN, say the same."""
    with np.errstate(over="ignore"):
        in_fp32 = expected.astype(np.float32)
    same: Array = (got == expected) | (np.isinf(got) & (got == in_fp32)) | (np.isnan(got) & np.isnan(expected))
    return same


def _kind(array: Array) -> str:
    """What counts as the same: "float", "integer", "bool", or the dtype's own name."""
    return {"f": "float", "i": "integer", "u": "integer", "b": "bool"}.get(array.dtype.kind, str(array.dtype))


def _by_sample(array: Array) -> Array:
    """One row per sample, in float64. A scalar is one sample."""
    return np.asarray(array, dtype=np.float64).reshape(array.shape[0] if array.ndim else 1, -1)
