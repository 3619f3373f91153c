"""What a network computes where every value is rounded to a precision: how large errors of that precision come out.

The float64 network is evaluated with inputs, weights and every operator's result rounded to the nearest number of so
many significant bits. Operators that only move or choose values (Relu, MaxPool, Reshape) thereby add no error, as on
real hardware.

Sums get the error of fp32 accumulation on top, in every precision: hardware with fp16 or bf16 instructions rounds what
goes in and what comes out and accumulates in fp32 (Blanchard, Higham, Lopez, Mary & Pranesh, "Mixed precision block
fused multiply-add", SIAM J. Sci. Comput. 42, 2020). In a running sum of n terms each addition rounds a partial sum; the
errors are independent and of mean zero to a good approximation (Higham & Mary, "A new approach to probabilistic
rounding error analysis", SIAM J. Sci. Comput. 41, 2019), so they add up as their squares: see `ACCUMULATION`.

Ranges are not modelled: where fp16 overflows, an answer is wrong and not imprecise.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnx.reference.op_run import OpRun

from bakeoff.models.sandboxed.opening import Report, copy_of, graphs
from bakeoff.models.sandboxed.reference import Float64Model, extend

Array = NDArray[Any]

SIGNIFICANT_BITS = {"fp64": 53, "fp32": 24, "fp16": 11, "bf16": 8}
"""of IEEE 754 binary64, 32 and 16, and of bfloat16, the leading one counted"""
ACCUMULATION = 0.3
"""The error of a running sum of n terms, relative to its result's size, is this x sqrt(n) x 2^-24: rounding to nearest
errs by 0.425 unit roundoffs in the root mean square of a logarithmic mantissa, and n terms of mean zero make partial
sums of which the k-th has sqrt(k / n) of the result's size; 0.425 / sqrt(2). Terms of one sign give 0.425 / sqrt(3)."""
DOMAIN = "bakeoff"

TERMS: Mapping[str, Callable[[Sequence[Array], Array], float]] = {
    "Conv": lambda inputs, _: inputs[1].size / inputs[1].shape[0],
    "ConvTranspose": lambda inputs, _: inputs[1].size / inputs[1].shape[1],
    "Gemm": lambda inputs, y: inputs[1].size / y.shape[-1],
    "MatMul": lambda inputs, _: inputs[0].shape[-1],
    **dict.fromkeys(
        ("GlobalAveragePool", "AveragePool", "ReduceMean", "ReduceSum", "ReduceL2", "ReduceSumSquare"),
        lambda inputs, y: inputs[0].size / y.size,
    ),
}
"""operator -> of (inputs, output): how many terms an element of the output sums; about 1 for all others"""


def extend_all(
    model: ModelProto, samples: Sequence[Path], count: int, files: Mapping[str, Path], report: Report
) -> None:
    """Bring the file of each precision up to `count` samples, as `reference.extend` does its own."""
    for precision, path in files.items():
        rounded = partial(RoundedModel, precision=precision)
        extend(model, samples, count, path, report, kind=rounded, what=f"rounding to {precision}")


class RoundedModel(Float64Model):
    """A model that computes as `precision` does: "fp32", "fp16" or "bf16". The same input gives the same answer."""

    def __init__(self, model: ModelProto, precision: str) -> None:
        self.bits = SIGNIFICANT_BITS[precision]
        super().__init__(model)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs for one sample."""
        self.random = np.random.default_rng(zlib.crc32(arrays[0].tobytes()))
        return super().__call__([rounded(array, self.bits) for array in arrays])

    def rewrite(self, model: ModelProto) -> list[type[OpRun]]:
        """Round all constants of `model` and let every result pass through an operator that rounds it."""
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        for graph in graphs(model.graph):  # outer graphs first: inner ones are then those of the new nodes
            for tensor in graph.initializer:
                values = numpy_helper.to_array(tensor)
                tensor.CopyFrom(numpy_helper.from_array(rounded(values, self.bits), tensor.name))
            nodes = [copy for node in graph.node for copy in _with_rounding(node)]
            del graph.node[:]
            graph.node.extend(nodes)
        return [*super().rewrite(model), self._operator()]

    def _operator(self) -> type[OpRun]:
        model = self

        class Rounded(OpRun):  # type: ignore[misc]
            """The value of its first input as a result of operator `of`, whose inputs are the others."""

            op_domain = DOMAIN

            def _run(self, value: Any, *inputs: Any, of: str) -> tuple[Any]:
                return (model.as_computed(value, inputs, of),)

        return Rounded

    def as_computed(self, value: Any, inputs: Sequence[Any], of: str) -> Any:
        """What an operator gives in place of the exact `value`."""
        if not _is_float(value):
            return value
        finite = value[np.isfinite(value)]  # a masked row is NaN, and the others are not
        if of in TERMS and finite.size:
            size = math.sqrt(TERMS[of](inputs, value) * float(np.square(finite).mean()))
            noise = self.random.standard_normal(value.shape, np.float32)
            value = value + ACCUMULATION * 2.0 ** -SIGNIFICANT_BITS["fp32"] * size * noise
        return rounded(value, self.bits)


def rounded(values: Array, bits: int) -> Array:
    """Floats to the nearest with so many significant bits, ties to even; anything else as it is."""
    if not _is_float(values):
        return values
    dropped = SIGNIFICANT_BITS["fp64"] - bits
    raw = np.asarray(values, np.float64).view(np.int64)
    half = (1 << (dropped - 1)) - 1 + ((raw >> dropped) & 1)
    rounded_up: Array = (raw + half) & -(1 << dropped)  # a carry out of the mantissa is the next exponent
    return rounded_up.view(np.float64)


def _with_rounding(node: NodeProto) -> list[NodeProto]:
    """`node` under other names for its outputs, and the operators that give these their own names back, rounded."""
    exact = copy_of(node)
    rounding = []
    for index, name in enumerate(node.output):
        if name:
            exact.output[index] = f"{name} before rounding"
            inputs = [exact.output[index], *node.input]
            rounding.append(helper.make_node("Rounded", inputs, [name], domain=DOMAIN, of=node.op_type))
    return [exact, *rounding]


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"
