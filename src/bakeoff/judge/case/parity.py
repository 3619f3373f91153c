"""How far an engine's outputs lie from the float64 reference, and what follows from it."""

from collections.abc import Iterable, Sequence

import numpy as np

from bakeoff.judge.case.output_error import Array, answer_of, error_of
from bakeoff.records import Parity, Status


def compare(
    outputs: Sequence[Array], reference: Sequence[Array], *, classes: int | None = None, names: Sequence[str] = ()
) -> tuple[Parity, str]:
    """The parity of one batch's outputs, and where it is not a number the reason why.

    `outputs` and `reference` are arrays in the model's own order, samples along the first axis; the reference
    is float64, or integer where the model's output is. The error is max|y - y64| / max|y64| of each sample
    and output, over the values that are finite in the reference, the worst of them; of a reference made by
    `of_size`, relative to that if it is larger. It is None where an output is missing, misshapen, of another
    kind, integer and not equal, or where its infinities and NaN are not the reference's. Of a reference made by
    `either`, each value may be one or the other. `classes` says that the first output scores so many classes
    along its last axis. A fault names its output as `names` do, or by its index.
    """
    if len(outputs) != len(reference):
        return _incomparable(f"{len(outputs)} outputs instead of {len(reference)}")
    worst = 0.0
    for index, (got, expected) in enumerate(zip(outputs, reference, strict=True)):
        error, fault = error_of(np.asarray(got), np.asarray(expected))
        if fault:
            return _incomparable(f"output {names[index] if names else index} {fault}")
        worst = max(worst, error)
    agreement = _top1_agreement(outputs[0], answer_of(reference[0])) if classes and outputs else None
    return Parity(max_rel_error=worst, top1_agreement=agreement), ""


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


def _top1_agreement(got: Array, expected: Array) -> float | None:
    """Share of samples whose largest class is the reference's."""
    if not expected.size or not expected.ndim:
        return None
    return float((np.argmax(got, axis=-1) == np.argmax(expected, axis=-1)).mean())
