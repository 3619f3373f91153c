"""A user's ONNX file with fixed shapes: which axis counts samples, and how large every other one is.

The result is the same network with its sizes written in and the batch axis alone left open. All engines get it.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import ValueInfoProto

from bakeoff.errors import ModelError, NoReferenceError, UnsupportedModelError
from bakeoff.models.inputs import draw, stack
from bakeoff.models.sandboxed.opening import copy_of
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.signature import BATCH, Declared, concrete, declared, real_inputs, with_ranges
from bakeoff.records import Shaping, TensorSpec

BATCH_NAME = re.compile(r"n|bs?|bsz|.*batch.*|(num_?)?samples?", re.IGNORECASE)
"""What exporters and people call a batch axis."""
OTHER_NAME = re.compile(r"[chwtls]|.*(seq|len|time|token|height|width|frame|channel|feature).*", re.IGNORECASE)
"""... and what they call another."""
MOST_SAMPLE_BYTES = 2**28
"""One sample's input or output may take 256 MiB: some dozens of them are made, and kept in every worker."""
LIKELY_SIZES = {4: 224, 3: 224, 2: 128}
"""What stands in an example of --shape, by the input's rank: an image's side, or a number of tokens."""

Data = Mapping[str, Sequence[int]]
"""the shape of each array that the user gives as real input, by name"""


def shape(model: onnx.ModelProto, shaping: Shaping, data: Data) -> onnx.ModelProto:
    """A copy of `model` in which only the batch axes are open, named `BATCH`.

    Raises `ModelError` where `shaping` does not fit the model or leaves something open, with the flag to give.
    """
    inputs, outputs = declared(model)
    axes = batch_axes(inputs, shaping.batch_axis)
    specs = sized_inputs(inputs, axes, _sizes_given(inputs, axes, shaping, data))
    shaped = copy_of(model)
    del shaped.graph.value_info[:]
    for value, spec in zip(real_inputs(shaped.graph), specs, strict=True):
        _write_shape(value, spec.shape)
    for value in shaped.graph.output:
        value.type.tensor_type.ClearField("shape")
    found = _output_shapes(shaped, specs, outputs)
    for value, tensor, sizes in zip(shaped.graph.output, outputs, found, strict=True):
        _refuse_giants("output", TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=sizes))
        _write_shape(value, sizes)
    return shaped


# The batch axis


def batch_axes(inputs: Sequence[Declared], asked: Sequence[str] = ()) -> dict[str, int]:
    """Which axis of which input counts samples; inputs that have none are left out.

    Found: an open axis with a batch's name, else an open first axis that is not named like something else. Raises
    `ModelError` for one that was asked for and cannot be.
    """
    if tuple(asked) == ("none",):
        return {}
    if not asked:
        return {i.name: axis for i in inputs if (axis := _likely_batch_axis(i)) is not None}
    found: dict[str, int] = {}
    for flag in asked:
        found |= _batch_axes_asked(inputs, flag)
    return found


def _likely_batch_axis(tensor: Declared) -> int | None:
    named = [n for n, axis in enumerate(tensor.axes) if isinstance(axis, str) and BATCH_NAME.fullmatch(axis)]
    if named:
        return named[0]
    first = tensor.axes[0] if tensor.axes else 0
    return 0 if isinstance(first, str) and not OTHER_NAME.fullmatch(first) else None


def _batch_axes_asked(inputs: Sequence[Declared], flag: str) -> dict[str, int]:
    name, _, axis = flag.rpartition("=")
    chosen = [i for i in inputs if i.name == name] if name else list(inputs)
    if not axis.isdecimal():
        found = {i.name: i.axes.index(axis) for i in chosen if axis in i.axes}
    else:
        found = {i.name: int(axis) for i in chosen if int(axis) < len(i.axes) and (name or _is_open(i, int(axis)))}
    for tensor in chosen:
        if tensor.name in found and not _is_open(tensor, found[tensor.name]):
            raise ModelError(
                f"--batch-axis {flag}: that axis of input {tensor} is not open", "Export the model with it dynamic."
            )
    if not found:
        raise ModelError(f"--batch-axis {flag}: there is no such open axis; {_listing(inputs)}")
    return found


def _is_open(tensor: Declared, axis: int) -> bool:
    return isinstance(tensor.axes[axis], str)


# Sizes


def _sizes_given(
    inputs: Sequence[Declared], axes: Mapping[str, int], shaping: Shaping, data: Data
) -> dict[str, tuple[int, ...]]:
    """The whole shape of every input that has one from --shape or from the user's data, and the sizes of named axes.

    The batch axis of a shape is 1.
    """
    symbols = {axis for i in inputs for axis in i.axes if isinstance(axis, str)}
    for name in [*shaping.shapes, *data]:
        if name not in symbols | {i.name for i in inputs} or name == "?":
            raise ModelError(f"no input or axis is called {name!r}; {_listing(inputs)}")
    sizes = dict(shaping.shapes)
    for tensor in inputs:
        batch = axes.get(tensor.name)
        if batch is not None and str(tensor.axes[batch]) in shaping.shapes:
            raise ModelError(f"--shape {tensor.axes[batch]}=...: that is the batch axis", "Give its sizes by --batch.")
        if batch is not None and len(sizes.get(tensor.name, ())) > batch and sizes[tensor.name][batch] != 1:
            raise ModelError(
                f"--shape {tensor.name}={'x'.join(map(str, sizes[tensor.name]))}: axis {batch} is the batch axis",
                "Write 1 there and give batch sizes by --batch; or --batch-axis none to race this one shape.",
            )
        if tensor.name in data:
            sizes[tensor.name] = _shape_of_data(tensor, batch, data[tensor.name])
    return sizes


def _shape_of_data(tensor: Declared, batch: int | None, found: Sequence[int]) -> tuple[int, ...]:
    """One sample's shape, with 1 on the batch axis; where there is none, samples may lie along one more in front."""
    if batch is None:
        return tuple(found[len(found) - len(tensor.axes) :]) if len(found) == len(tensor.axes) + 1 else tuple(found)
    return tuple(1 if axis == batch else size for axis, size in enumerate(found))


def sized_inputs(
    inputs: Sequence[Declared], axes: Mapping[str, int], sizes: Mapping[str, tuple[int, ...]]
) -> list[TensorSpec]:
    """Every input with a size on each axis but the batch axis. Raises `ModelError` naming what is still open."""
    known: dict[str, int] = {}
    for name, given in sizes.items():
        if name not in {i.name for i in inputs}:
            if len(given) > 1:
                raise ModelError(f"--shape {name}={'x'.join(map(str, given))}: {name} is an axis and has one size")
            known[name] = given[0]
    for tensor in inputs:
        if tensor.name in sizes:
            _learn(tensor, axes.get(tensor.name), sizes[tensor.name], known)
    specs = []
    for tensor in inputs:
        given = sizes.get(tensor.name) or tuple(known.get(str(axis), 0) for axis in tensor.axes)
        filled = tuple(axis if isinstance(axis, int) else size for axis, size in zip(tensor.axes, given, strict=True))
        shape = tuple(None if axis == axes.get(tensor.name) else size for axis, size in enumerate(filled))
        specs.append(TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=shape))
    if any(0 in spec.shape for spec in specs):
        raise ModelError(_still_open(inputs, specs), _flags(inputs, specs))
    for spec in specs:
        _refuse_giants("input", spec)
    return specs


def _learn(tensor: Declared, batch: int | None, shape: Sequence[int], known: dict[str, int]) -> None:
    """Hold a given shape against the model's own, and learn from it how large the axes with names are."""
    text = "x".join(map(str, shape))
    if len(shape) != len(tensor.axes):
        raise ModelError(f"{tensor.name} has {len(tensor.axes)} axes, and {text} has {len(shape)}: {tensor}")
    for number, (axis, size) in enumerate(zip(tensor.axes, shape, strict=True)):
        if isinstance(axis, int) and axis != size and number != batch:
            raise ModelError(f"axis {number} of {tensor} is fixed at {axis}: {text} cannot be")
        if isinstance(axis, str) and axis != "?" and number != batch and known.setdefault(axis, size) != size:
            raise ModelError(f"axis {axis!r} cannot be {size} in {tensor.name} and {known[axis]} elsewhere")


def _still_open(inputs: Sequence[Declared], specs: Sequence[TensorSpec]) -> str:
    gaps = [
        f"axis {number}{f' ({axis})' if axis != '?' else ''} of {tensor.name}"
        for tensor, spec in zip(inputs, specs, strict=True)
        for number, (axis, size) in enumerate(zip(tensor.axes, spec.shape, strict=True))
        if size == 0
    ]
    return f"the model leaves open how large {', '.join(gaps)} {'is' if len(gaps) == 1 else 'are'}"


def _flags(inputs: Sequence[Declared], specs: Sequence[TensorSpec]) -> str:
    """The flags to give, with sizes that are likely: one for an axis that several inputs share, else one an input."""
    shared = Counter(axis for tensor in inputs for axis in set(tensor.axes) if isinstance(axis, str) and axis != "?")
    flags = []
    for tensor, spec in zip(inputs, specs, strict=True):
        left = [axis for axis, size in zip(tensor.axes, spec.shape, strict=True) if size == 0]
        likely = LIKELY_SIZES.get(len(tensor.axes), 16)
        if left and all(shared[str(axis)] > 1 for axis in left):
            flags += [f"--shape {axis}={likely}" for axis in left]
        elif left:
            flags.append(f"--shape {tensor.name}={'x'.join(str({None: 1, 0: likely}.get(s, s)) for s in spec.shape)}")
    return f"Say it, for example: {' '.join(dict.fromkeys(flags))} (or give real inputs: --input data.npz)"


def _refuse_giants(side: str, spec: TensorSpec) -> None:
    size = math.prod(spec.sample_shape) * np.dtype(spec.dtype).itemsize
    if size > MOST_SAMPLE_BYTES:
        shape = "x".join(map(str, spec.sample_shape))
        raise ModelError(
            f"one sample of {side} {spec.name} ({shape} {spec.dtype}) takes {size / 2**20:,.0f} MB; "
            f"at most {MOST_SAMPLE_BYTES // 2**20} can be raced"
        )


def _listing(inputs: Sequence[Declared]) -> str:
    return f"the inputs are {', '.join(map(str, inputs))}"


# Outputs


def _output_shapes(
    model: onnx.ModelProto, inputs: Sequence[TensorSpec], outputs: Sequence[Declared]
) -> list[tuple[int | None, ...]]:
    """Each output's shape: None on the batch axis, -1 where the size is known only after a run.

    Found from what comes out at two batch sizes, by ONNX's shape inference or else by trying; where neither can be,
    the batch is taken to be in front.
    """
    if all(spec.batch_axis is None for spec in inputs):
        return [_filled(found, output) for found, output in zip(_inferred(model, 1), outputs, strict=True)]
    two, three = (_inferred(model, size) for size in (2, 3))
    if any(shape is None or -1 in shape for shape in two):
        try:
            two, three = (_tried(model, inputs, size) for size in (2, 3))
        except NoReferenceError:
            return [(None, *_filled(found, output)[1:]) for found, output in zip(two, outputs, strict=True)]
    return [_compared(output.name, a, b) for output, a, b in zip(outputs, two, three, strict=True)]


def _filled(found: tuple[int, ...] | None, output: Declared) -> tuple[int, ...]:
    """The shape as it was found, or as the model declares it."""
    return found if found is not None else tuple(axis if isinstance(axis, int) else -1 for axis in output.axes)


def _inferred(model: onnx.ModelProto, batch_size: int) -> list[tuple[int, ...] | None]:
    return [_known_shape(value) for value in concrete(model, batch_size, check_type=True).output]


def _known_shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    if any(dim.dim_value < 0 for dim in tensor.shape.dim):
        raise ModelError(f"its operators do not fit together: output {value.name!r} would be of a negative size")
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)


def _tried(model: onnx.ModelProto, inputs: Sequence[TensorSpec], batch_size: int) -> list[tuple[int, ...] | None]:
    arrays = [
        stack(draw(spec.dtype, spec.sample_shape, number, batch_size), spec.batch_axis)
        for number, spec in enumerate(with_ranges(tuple(inputs), concrete(model, batch_size)))
    ]
    return [output.shape for output in Float64Model(model)(arrays)]


def _compared(name: str, two: tuple[int, ...] | None, three: tuple[int, ...] | None) -> tuple[int | None, ...]:
    """The shape with its batch axis open, from what it is at batch 2 and at batch 3."""
    if two is not None and three is not None and len(two) == len(three):
        batch = [axis for axis, pair in enumerate(zip(two, three, strict=True)) if pair == (2, 3)]
        others = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b and axis not in batch]
        if len(batch) == 1 and not others:
            return tuple(None if axis == batch[0] else size for axis, size in enumerate(two))
    raise UnsupportedModelError(
        f"output {name!r} has no batch axis, though the inputs have one: it is {_words(two)} at batch 2 and "
        f"{_words(three)} at batch 3",
        "Race the model at one fixed shape: --batch-axis none, with every size by --shape.",
    )


def _words(shape: tuple[int, ...] | None) -> str:
    return "of unknown shape" if shape is None else "x".join(map(str, shape)) or "a scalar"


def _write_shape(value: ValueInfoProto, shape: Sequence[int | None]) -> None:
    """Write sizes as numbers, the batch axis as `BATCH`, and sizes known only after a run as nothing."""
    tensor = value.type.tensor_type
    tensor.ClearField("shape")
    tensor.shape.SetInParent()
    for size in shape:
        dim = tensor.shape.dim.add()
        if size is None:
            dim.dim_param = BATCH
        elif size >= 0:
            dim.dim_value = size
