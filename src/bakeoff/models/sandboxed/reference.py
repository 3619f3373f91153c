"""The float64 reference: what the network computes when rounding does not matter.

The model is turned into a float64 one and evaluated sample by sample with `onnx.reference`, operator by operator and
nothing fused. What engines answer is judged against this.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_conv, op_one_hot

from bakeoff.errors import ModelError, NoReferenceError
from bakeoff.models.cached import load_arrays
from bakeoff.models.inputs import stack, unstack
from bakeoff.models.sandboxed.deterministic import must_be_deterministic
from bakeoff.models.sandboxed.opening import OWN_DOMAINS, Report, copy_of, graphs, one_line, opset_of
from bakeoff.models.sandboxed.signature import QUANTIZED, real_inputs, tensor_specs

Array = NDArray[Any]

MODERN_OPSET = 13
CASTS = {"Cast": "to", "EyeLike": "dtype"}
"""Operators that choose a type, and the attribute in which."""
IGNORED = {
    "LSTM": ("activation_alpha", "activation_beta", "activations", "clip", "input_forget", "sequence_lens"),
    "GRU": ("activation_alpha", "activation_beta", "activations", "clip", "sequence_lens"),
    "RNN": ("clip", "sequence_lens"),
}
"""What onnx.reference takes and drops without a word, of operators whose answer it changes."""
USUAL = {"activations": ([], [b"Sigmoid", b"Tanh"], [b"Sigmoid", b"Tanh", b"Tanh"]), "input_forget": (0,)}
"""... and at which values it does not; for both directions of a bidirectional one"""
SEQUENCE_LENS = 4
"""the input's number, of all three"""
SCAN_WITHOUT_BATCH = 9
"""the opset since which it has no batch axis of its own"""
LATER_NAMES = {"bilinear": "linear", "bicubic": "cubic"}
"""GridSample's modes by their names of opset 16 -> by those of opset 20, which onnx.reference knows"""
REAL_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})


class BatchNormalization(OpRun):  # type: ignore[misc]
    """Batch norm at inference. Before opset 14 onnx.reference takes `momentum` for a sign of training and mixes in the
    batch's own statistics.
    """

    op_domain = ""

    def _run(self, x: Any, scale: Any, bias: Any, mean: Any, var: Any, **attributes: Any) -> tuple[Array]:
        column = (-1, *[1] * (x.ndim - 2))
        scale, bias, mean, var = (v.reshape(column) for v in (scale, bias, mean, var))
        return (scale * (x - mean) / np.sqrt(var + attributes["epsilon"]) + bias,)


class Conv(op_conv.Conv):  # type: ignore[misc]
    """A convolution by strided views. ONNX's own gathers every window by index, which takes 2 to 5 times as long."""

    op_domain = ""

    def _run(self, x: Any, w: Any, b: Any = None, **attributes: Any) -> tuple[Array]:
        if attributes.get("auto_pad") not in {None, "NOTSET"}:
            result: tuple[Array] = super()._run(x, w, b, **attributes)
            return result
        axes, group = range(2, x.ndim), attributes["group"] or 1
        strides, dilations = (attributes[name] or [1] * len(axes) for name in ("strides", "dilations"))
        pads = attributes["pads"] or [0] * 2 * len(axes)
        reach = [(size - 1) * step + 1 for size, step in zip(w.shape[2:], dilations, strict=True)]
        padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[: len(axes)], pads[len(axes) :], strict=True)])
        steps = [slice(None, None, step) for step in (*strides, *dilations)]
        windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=tuple(axes))[:, :, *steps]
        places = windows.shape[2 : x.ndim]
        columns = windows.transpose(1, *range(x.ndim, windows.ndim), 0, *axes).reshape(group, w[0].size, -1)
        products = (w.reshape(group, len(w) // group, -1) @ columns).reshape(len(w), len(x), *places)
        y = products.swapaxes(0, 1)
        return (y if b is None else y + b.reshape(-1, *[1] * len(axes)),)


class OneHot(op_one_hot.OneHot):  # type: ignore[misc]
    """ONNX's own, which fails where the depth is an array of one."""

    op_domain = ""

    def _run(self, indices: Any, depth: Any, values: Any, axis: Any = None) -> tuple[Array]:
        result: tuple[Array] = super()._run(indices, np.asarray(depth).item(), values, axis=axis)
        return result


OURS = {operator.__name__: operator for operator in (BatchNormalization, Conv, OneHot)}


def extend(
    model: ModelProto,
    samples: Sequence[Path],
    count: int,
    path: Path,
    report: Report,
    *,
    kind: "Callable[[ModelProto], Callable[[Sequence[Array]], list[Array]]] | None" = None,
    what: str = "reference",
) -> None:
    """Bring the reference file `path` up to `count` samples, keeping what it holds; each sample is saved at once.

    `samples` holds one .npy file per model input, [at least `count`, ...]. The file is an .npz of one array per
    output, as `load_arrays` gives them, [samples, ...], float64 where the model's are floats. `kind` makes what
    computes it, by default a `Float64Model`; `what` is what progress is said of. Raises `NoReferenceError` for
    operators that `onnx.reference` lacks or that mean nothing in float64.
    """
    have = load_arrays(path)
    done = len(have[0]) if have else 0
    if done >= count:
        return
    evaluate = (kind or Float64Model)(model)
    ins, outs = tensor_specs(model)
    inputs = [np.load(file, mmap_mode="r", allow_pickle=False) for file in samples]
    for number in range(done, count):
        report(f"{what} {number + 1} of {count}")
        one = [stack(array[number : number + 1], spec.batch_axis) for array, spec in zip(inputs, ins, strict=True)]
        outputs = evaluate([np.asarray(array, order="C") for array in one])
        have = _longer(have, [unstack(array, spec.batch_axis) for array, spec in zip(outputs, outs, strict=True)])
        _save(have, path)


def answer_batches(model: ModelProto, batches: Mapping[Path, Sequence[Path]]) -> None:
    """Write the answers to whole batches as `extend` those of samples; each lies in a .npy file per input."""
    evaluate, (_, specs) = Float64Model(model), tensor_specs(model)
    for path, files in batches.items():
        outputs = evaluate([np.load(file, allow_pickle=False) for file in files])
        _save([unstack(array, spec.batch_axis) for array, spec in zip(outputs, specs, strict=True)], path)


def _longer(have: Sequence[Array], one: Sequence[Array]) -> list[Array]:
    """`have` with one more sample of each output. Raises `ModelError` where samples differ in size."""
    for index, output in enumerate(one):
        if len(output) != 1 or (have and have[index].shape[1:] != output.shape[1:]):
            raise ModelError(
                f"output {index} is of shape {list(output.shape)} for one sample and of another for the next: "
                "only outputs of the same size for every sample can be raced"
            )
    return [np.concatenate(pair) for pair in zip(have, one, strict=True)] if have else list(one)


class Float64Model:
    """A model that computes in float64."""

    def __init__(self, model: ModelProto) -> None:
        _refuse_what_means_nothing(model)
        self.inputs = [value.name for value in real_inputs(model.graph)]
        self.floats = [value.type.tensor_type.elem_type in REAL_FLOATS for value in model.graph.output]
        wide = in_float64(_at_modern_opset(model))
        ours = self.rewrite(wide)
        try:
            self.evaluator = ReferenceEvaluator(wide, new_ops=ours)
        except Exception as error:  # whatever an operator's class raises where it cannot be made
            raise NoReferenceError(f"no float64 reference: {_reason(error)}") from error

    def rewrite(self, model: ModelProto) -> list[type[OpRun]]:
        """Change the float64 `model` before it is evaluated, and return the operators of our own that it then needs."""
        has_operator = {node.op_type for node in _nodes(model.graph)}
        return [operator for name, operator in OURS.items() if name in has_operator]

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs, float64 where the model's are floats."""
        wide = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in arrays]
        try:
            with np.errstate(all="ignore"):
                outputs = self.evaluator.run(None, dict(zip(self.inputs, wide, strict=True)))
        except (MemoryError, ModelError):
            raise
        except Exception as error:  # an operator's own code, with arrays it does not expect
            raise NoReferenceError(f"no float64 reference: {_reason(error)}") from error
        for output, is_float in zip(outputs, self.floats, strict=True):
            if is_float and output.dtype != np.float64:
                raise NoReferenceError(f"no float64 reference: an operator gives {output.dtype} whatever comes in")
        return list(outputs)


def in_float64(model: ModelProto) -> ModelProto:
    """A copy of `model` in which every float tensor, weight, constant and cast is float64."""
    wide = copy_of(model)
    del wide.functions[:]
    for graph in graphs(wide.graph):
        for tensor in graph.initializer:
            _widen_tensor(tensor)
        del graph.value_info[:]
        for value in [*graph.input, *graph.output]:
            if value.type.tensor_type.elem_type in REAL_FLOATS:
                value.type.tensor_type.elem_type = TensorProto.DOUBLE
        for node in graph.node:
            _widen_node(node)
    return wide


def _widen_node(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _widen_tensor(attribute.t)
        elif CASTS.get(node.op_type) == attribute.name and attribute.i in REAL_FLOATS:
            attribute.i = TensorProto.DOUBLE
        elif node.op_type == "GridSample" and attribute.name == "mode":
            attribute.s = LATER_NAMES.get(attribute.s.decode(), attribute.s.decode()).encode()
        elif node.op_type == "Constant" and attribute.name in {"value_float", "value_floats"}:
            values = np.asarray(helper.get_attribute_value(attribute), np.float64)
            node.attribute[0].CopyFrom(helper.make_attribute("value", numpy_helper.from_array(values)))
    makes_zeros = node.op_type == "ConstantOfShape" and not node.attribute
    if makes_zeros:
        node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in REAL_FLOATS:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _at_modern_opset(model: ModelProto) -> ModelProto:
    """`model` at an opset whose operators onnx.reference has: it gives Softmax before opset 13 today's meaning."""
    current = opset_of(model) or MODERN_OPSET
    if current >= MODERN_OPSET:
        return model
    try:
        return version_converter.convert_version(model, MODERN_OPSET)
    except Exception as error:  # the converter raises several kinds, not all of them public
        raise NoReferenceError(f"no float64 reference at opset {current}: {_reason(error)}") from error


def _refuse_what_means_nothing(model: ModelProto) -> None:
    must_be_deterministic(model)
    if model.functions:
        raise NoReferenceError(f"no float64 reference: the model defines functions ({model.functions[0].name})")
    for node in _nodes(model.graph):
        if node.domain not in OWN_DOMAINS:
            raise NoReferenceError(f"no float64 reference: {node.domain}.{node.op_type} is not ONNX's own")
        if node.op_type.startswith(QUANTIZED) or node.op_type.endswith("Integer"):
            raise NoReferenceError(f"no float64 reference: operator {node.op_type} computes on quantized values")
        if dropped := _dropped(node):
            raise NoReferenceError(f"no float64 reference: onnx.reference ignores {dropped} of operator {node.op_type}")
        if node.op_type == "Loop" and len(node.output) > len(node.input) - 2:
            raise NoReferenceError("no float64 reference: onnx.reference stacks the scan outputs of Loop otherwise")
        if node.op_type == "Scan" and (opset_of(model) or 0) < SCAN_WITHOUT_BATCH:
            raise NoReferenceError("no float64 reference: onnx.reference has no operator Scan of opset 8")


def _dropped(node: NodeProto) -> str:
    """The input or attribute of `node` that `onnx.reference` would take no notice of, or nothing."""
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if len(node.input) > SEQUENCE_LENS and node.input[SEQUENCE_LENS]:
        given["sequence_lens"] = node.input[SEQUENCE_LENS]
    unusual = (n for n in IGNORED.get(node.op_type, ()) if n in given and not _is_usual(n, given[n]))
    return next(unusual, "")


def _is_usual(name: str, value: Any) -> bool:
    usual = USUAL.get(name, ([],))
    if not isinstance(value, list):
        return value in usual
    one, other = value[: len(value) // 2], value[len(value) // 2 :]
    return value in usual or (one == other and one in usual)


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for inner in graphs(graph):
        yield from inner.node


def _save(arrays: Sequence[Array], path: Path) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, *arrays)
    Path(name).replace(path)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"
