"""In which precision outputs were computed, judging by their error: the league in which a case is ranked.

What a precision costs in accuracy differs from network to network by orders of magnitude, so no fixed number tells
them apart. Each model is computed with its values rounded to fp32, fp16 and bf16 (`bakeoff.models.sandboxed.rounding`),
and an engine's error is classed with the nearest of the three errors found, on a log scale: a rounding error is a
product of unit roundoff and the network's own amplification, and kernels differ by factors.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import accumulate

from bakeoff.judge.case.parity import worst
from bakeoff.records import PRECISIONS, UNCALIBRATED, Case, Parity, RunRecord, Tolerances, Trial

FLOOR = {"fp32": 2.0**-20, "fp16": 2.0**-12, "bf16": 2.0**-9}
"""The least error that a precision is taken to make. Half a unit roundoff for fp16 and bf16: what rounding the output
alone makes of its largest value. 16 unit roundoffs for fp32: a network that happens to round well must not make a
wrong answer of a sum taken in another order."""
BEYOND = 4.0
"""Times the error of bf16, an answer is nearer to that of the next coarser format, fp8 with 4 significant bits (E4M3;
Micikevicius et al., "FP8 formats for deep learning", 2022), 2^4 times as coarse as bf16: half-way on a log scale."""
MEANINGLESS = 0.7
"""A larger error is a wrong answer, whatever precision would explain it: sqrt(1/2), where as much of an answer is noise
as is not. Answers to another question, or all zeros, err by about 1."""
UNSURE = 1e-3
"""The tolerance where another engine's answers, which round themselves, stand in for float64."""
QUANTIZED = 5e-2
"""The same for a model that computes on rounded values: engines round halves and saturate sums in different ways, and
one step of int8 is 1/127 of a tensor's range, over several layers."""


def calibrated(rounding: Mapping[str, float | None]) -> Tolerances:
    """The tolerances of a model of which computing in each of `PRECISIONS` has the error `rounding`.

    Half-way between neighbours on a log scale. An error that is no number (a shape that depends on the values, a
    network that gives NaN) leaves nothing to calibrate with: `UNCALIBRATED`.
    """
    errors = {precision: rounding.get(precision) for precision in PRECISIONS}
    known = {precision: error for precision, error in errors.items() if error is not None and math.isfinite(error)}
    if len(known) < len(PRECISIONS):
        return UNCALIBRATED
    # A coarser precision is never the better one: where it looks so, both are at the mercy of chance.
    fp32, fp16, bf16 = accumulate((max(known[precision], FLOOR[precision]) for precision in PRECISIONS), max)
    limits = (math.sqrt(fp32 * fp16), math.sqrt(fp16 * bf16), BEYOND * bf16)
    within = [min(limit, MEANINGLESS) for limit in limits]
    return Tolerances(fp32=within[0], fp16=within[1], bf16=within[2], rounding=known)


def fixed(*, quantized: bool) -> Tolerances:
    """The tolerances of a model without a float64 reference: one number, as there is nothing to calibrate with."""
    limit = QUANTIZED if quantized else UNSURE
    return Tolerances(fp32=limit, fp16=limit, bf16=limit)


def league(declared: str, parity: Parity | None, tolerances: Tolerances) -> str:
    """`declared`, or the coarser precision that `parity` is the size of.

    A declared league outside of `PRECISIONS` stays, as does that of outputs that were never compared or are wrong.
    """
    if declared not in PRECISIONS or parity is None or parity.max_rel_error is None:
        return declared
    found = size(parity.max_rel_error, tolerances)
    return max(declared, found or declared, key=PRECISIONS.index)


def size(error: float, tolerances: Tolerances) -> str | None:
    """The finest of `PRECISIONS` that explains an error; None for a wrong answer."""
    return next((name for name in PRECISIONS if error <= getattr(tolerances, name)), None)


def leagues(run: RunRecord, trials: Iterable[Trial]) -> dict[Case, str]:
    """The league of every case of the run's plan, by the worst of its errors so far."""
    tolerances = {model.name: model.tolerances for model in run.models}
    declared = {engine.name: engine.league for engine in run.engines}
    parities: dict[Case, list[Parity | None]] = {}
    for trial in trials:
        parities.setdefault(trial.case, []).append(trial.parity)
    return {
        case: league(
            declared.get(case.contender.build, case.contender.precision),
            worst(parities.get(case, ())),
            tolerances.get(case.model, UNCALIBRATED),
        )
        for case in run.plan.cases()
    }
