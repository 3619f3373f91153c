"""How far an engine's outputs lie from the float64 reference, and what follows from it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.records import Parity, Status

Array = NDArray[Any]


def compare(
    outputs: Sequence[Array], reference: Sequence[Array], *, classes: int | None = None, names: Sequence[str] = ()
) -> tuple[Parity, str]:
    """The parity of one batch's outputs, and where it is not a number the reason why.

    `outputs` and `reference` are arrays in the model's own order, samples along the first axis; the reference
    is float64, or integer where the model's output is. The error is max|y - y64| / max|y64| of each sample
    and output, over the values that are finite in the reference, the worst of them. It is None where an output is
    missing, misshapen, of another kind, integer and not equal, or where its infinities and NaN are not the reference's.
    Of a reference made by `either`, each value may be one or the other. `classes` says that the first output scores so
    many classes along its last axis. A fault names its output as `names` do, or by its index.
    """
    if len(outputs) != len(reference):
        return _incomparable(f"{len(outputs)} outputs instead of {len(reference)}")
    worst = 0.0
    for index, (got, expected) in enumerate(zip(outputs, reference, strict=True)):
        error, fault = _error(np.asarray(got), np.asarray(expected))
        if fault:
            return _incomparable(f"output {names[index] if names else index} {fault}")
        worst = max(worst, error)
    agreement = _top1_agreement(outputs[0], reference[0]) if classes and outputs else None
    return Parity(max_rel_error=worst, top1_agreement=agreement), ""


def either(answer: Array, other: Array) -> Array:
    """A reference of integers or truths, in the shape of both, of which each value may be `answer` or `other`."""
    found = np.empty(answer.shape, [("answer", answer.dtype), ("other", answer.dtype)])
    found["answer"], found["other"] = answer, other
    return found


def judge(parity: Parity, fault: str = "", *, tolerance: float) -> tuple[Status, str]:
    """`Status.OK`, or `Status.WRONG` and the reason, for what `compare` gave."""
    if parity.max_rel_error is None:
        return Status.WRONG, fault or "the outputs cannot be compared with the reference"
    if parity.max_rel_error <= tolerance:
        return Status.OK, ""
    reason = f"error {parity.max_rel_error:.1e} is beyond {tolerance:.1e}"
    if parity.top1_agreement is not None:
        reason += f" (top-1 agrees on {parity.top1_agreement:.0%})"
    return Status.WRONG, reason


def worst(parities: Iterable[Parity | None]) -> Parity | None:
    """The worst error and agreement of several; an error that is not a number is worst. None if there are none."""
    given = [parity for parity in parities if parity is not None]
    if not given:
        return None
    errors = [parity.max_rel_error for parity in given]
    numbers = [error for error in errors if error is not None]
    agreements = [parity.top1_agreement for parity in given if parity.top1_agreement is not None]
    return Parity(
        max_rel_error=max(numbers) if len(numbers) == len(errors) else None,
        top1_agreement=min(agreements, default=None),
    )


def _incomparable(fault: str) -> tuple[Parity, str]:
    return Parity(max_rel_error=None, top1_agreement=None), fault


def _error(got: Array, expected: Array) -> tuple[float, str]:
    """The worst sample's relative error, or what makes the two incomparable."""
    expected, other = (expected["answer"], expected["other"]) if expected.dtype.names else (expected, expected)
    if got.shape != expected.shape:
        return 0.0, f"has shape {list(got.shape)} instead of {list(expected.shape)}"
    if _kind(got) != _kind(expected):
        return 0.0, f"is {got.dtype} instead of {_kind(expected)}"
    if _kind(expected) != "float":
        differing = int(np.count_nonzero((got != expected) & (got != other)))
        return 0.0, f"differs in {differing} of {got.size} {_kind(expected)} values" if differing else ""
    return _relative_error(_by_sample(got), _by_sample(expected)) if got.size else (0.0, "")


def _relative_error(got: Array, expected: Array) -> tuple[float, str]:
    """max|y - y64| / max|y64| of the worst row, over what is finite in y64; both float64 of shape (samples, values).

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


def _top1_agreement(got: Array, expected: Array) -> float | None:
    """Share of samples whose largest class is the reference's."""
    if not expected.size or not expected.ndim:
        return None
    return float((np.argmax(got, axis=-1) == np.argmax(expected, axis=-1)).mean())
