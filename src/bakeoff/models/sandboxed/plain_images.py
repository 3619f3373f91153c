"""Layers of images and norms in a plain graph: windows padded by numbers, one way to resize. Runs in a model worker."""

import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bakeoff.models.sandboxed.plain_node import Node, Rewrite, Rewrites

IMAGE_RANK = 4
WHOLE = frozenset({"Gelu", "GroupNormalization", "LayerNormalization"})
"""Layers of which ONNX knows more kinds than frameworks do."""


def is_layer(node: NodeProto, constants: Collection[str]) -> bool:
    """Whether frameworks have `node`, of one of `WHOLE`, as a layer: an exact GELU, a norm with constant weights."""
    approximate = [a.s.decode() for a in node.attribute if a.name == "approximate"]
    return approximate in ([], ["none"]) and len(node.output) == 1 and all(name in constants for name in node.input[1:])


# Convolutions and pooling


def _kernel(node: Node) -> list[int]:
    if "kernel_shape" in node.attributes:
        return list(node.attributes["kernel_shape"])
    kernel = node.shape(1)[2:]
    if None in kernel:
        raise node.unsupported("has a kernel of unknown size")
    return [size for size in kernel if size is not None]


def _window(node: Node) -> dict[str, Any]:
    """Kernel, strides, dilations and pads in numbers."""
    kernel = _kernel(node)
    ones = [1] * len(kernel)
    strides, dilations = (node.attributes.get(name) or ones for name in ("strides", "dilations"))
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    auto_pad, pads = node.attributes.get("auto_pad", "NOTSET"), node.attributes.get("pads") or [0] * 2 * len(kernel)
    if auto_pad == "VALID":
        pads = [0] * 2 * len(kernel)
    elif auto_pad != "NOTSET" and node.op != "ConvTranspose":
        lengths = _lengths(node)
        totals = [max(0, (-(-n // s) - 1) * s + r - n) for n, s, r in zip(lengths, strides, reach, strict=True)]
        pads = _divided(totals, upper=auto_pad == "SAME_UPPER")
    return {"kernel_shape": kernel, "strides": list(strides), "dilations": list(dilations), "pads": list(pads)}


def _lengths(node: Node) -> list[int]:
    """How large the axes are that a window moves along."""
    if None in node.shape()[2:]:
        raise node.unsupported("pads an input of unknown size")
    return [size for size in node.shape()[2:] if size is not None]


def _divided(totals: Sequence[int], *, upper: bool) -> list[int]:
    """Padding of so much in all, the odd one at the upper or at the lower end."""
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return [*less, *more] if upper else [*more, *less]


def _conv(node: Node) -> None:
    node.put("Conv", node.inputs, **_window(node), group=node.attributes["group"])


def _conv_transpose(node: Node) -> None:
    """With pads and output_padding in numbers, where the size of the output was given."""
    window, attributes = _window(node), node.attributes
    kernel, strides, dilations = (window[name] for name in ("kernel_shape", "strides", "dilations"))
    more = list(attributes.get("output_padding") or [0] * len(kernel))
    auto_pad, wished = attributes["auto_pad"], attributes.get("output_shape")
    if wished or auto_pad.startswith("SAME"):
        lengths = _lengths(node)
        wished = (wished or [n * s for n, s in zip(lengths, strides, strict=True)])[-len(kernel) :]
        full = [
            (n - 1) * s + m + (k - 1) * d + 1
            for n, s, m, k, d in zip(lengths, strides, more, kernel, dilations, strict=True)
        ]
        surplus = [size - wish for size, wish in zip(full, wished, strict=True)]
        window["pads"] = _divided([max(0, total) for total in surplus], upper=auto_pad == "SAME_UPPER")
        more = [m + max(0, -total) for m, total in zip(more, surplus, strict=True)]
    node.put("ConvTranspose", node.inputs, **window, output_padding=more, group=attributes["group"])


def _ceiled(node: Node, window: dict[str, Any]) -> list[int]:
    """Pads grown at their ends until a last, incomplete window fits, if it begins inside the image or before it."""
    pads, rank = window["pads"], len(window["kernel_shape"])
    if not node.attributes.get("ceil_mode") or node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        return list(pads)
    grown = list(pads)
    for axis, size in enumerate(_lengths(node)):
        before, after, stride = pads[axis], pads[rank + axis], window["strides"][axis]
        reach = (window["kernel_shape"][axis] - 1) * window["dilations"][axis] + 1
        count = -(-(size + before + after - reach) // stride) + 1
        if (count - 1) * stride >= size + before:
            count -= 1
        grown[rank + axis] = max(after, (count - 1) * stride + reach - size - before)
    return grown


def _max_pool(node: Node) -> None:
    if len(node.outputs) > 1:
        raise node.unsupported("gives indices, too")
    window = _window(node)
    node.put("MaxPool", node.inputs, **window | {"pads": _ceiled(node, window)})


def _average_pool(node: Node) -> None:
    """Over what it covers, padding left out or not; what no framework has is put right by a constant factor."""
    window, counts_padding = _window(node), bool(node.attributes["count_include_pad"])
    pads, grown = window["pads"], _ceiled(node, window)
    half = len(pads) // 2
    counted = pads if counts_padding else [0] * len(pads)
    even = grown[:half] == grown[half:] and all(
        2 * pad <= size for pad, size in zip(grown[:half], window["kernel_shape"], strict=True)
    )
    if grown == counted or (not counts_padding and even):
        node.put("AveragePool", node.inputs, **window | {"pads": grown}, count_include_pad=int(grown == counted))
        return
    covered = np.ones([n + a + b for n, a, b in zip(_lengths(node), counted[:half], counted[half:], strict=True)])
    rest = [(a - b) for a, b in zip(grown, counted, strict=True)]
    whole = np.pad(covered, list(zip(rest[:half], rest[half:], strict=True)))
    reach = [(k - 1) * d + 1 for k, d in zip(window["kernel_shape"], window["dilations"], strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(whole, reach)
    places = tuple(slice(None, None, step) for step in (*window["strides"], *window["dilations"]))
    counts = windows[places].sum(axis=tuple(range(half, 2 * half)))
    shape = (*node.shape()[:2], *counts.shape)
    average = node.make("AveragePool", node.inputs, shape, **window | {"pads": grown}, count_include_pad=1)
    node.put("Mul", [average, node.number(math.prod(window["kernel_shape"]) / counts)])


def _global_pool(op: str) -> Rewrite:
    """Frameworks pool images; over other than two axes it is a reduction."""

    def rewrite(node: Node) -> None:
        if node.rank() == IMAGE_RANK:
            node.put(node.op, node.inputs)
        else:
            node.put(op, node.inputs, axes=list(range(2, node.rank())), keepdims=1)

    return rewrite


# Norms


def _batch_norm(node: Node) -> None:
    if node.attributes.get("training_mode") or len(node.outputs) > 1:
        raise node.unsupported("trains")
    for index in range(1, 5):
        node.needed(index, "statistics")
    node.put("BatchNormalization", node.inputs, epsilon=node.attributes["epsilon"])


def _instance_norm(node: Node) -> None:
    """A norm of as many groups as there are channels."""
    scale, _ = (node.needed(index, "weights") for index in (1, 2))
    node.put("GroupNormalization", node.inputs, num_groups=len(scale), epsilon=node.attributes["epsilon"])


def _group_norm(node: Node) -> None:
    """With a scale and a shift for each channel, where there was one for each group before opset 21."""
    channels, groups = node.shape()[1], node.attributes["num_groups"]
    weights = [node.inputs[0]]
    for index in (1, 2):
        values = node.needed(index, "weights")
        each = (channels or len(values)) // len(values)
        weights.append(node.inputs[index] if each == 1 else node.number(np.repeat(values, each), str(values.dtype)))
    node.put("GroupNormalization", weights, num_groups=groups, epsilon=node.attributes["epsilon"])


def _layer_norm(node: Node) -> None:
    """Over the last axes, as many as its scale and its shift have."""
    axis, scale, shift = node.axis(), node.needed(1, "weights"), node.constant(2, "weights")
    sizes = node.shape()[axis:]
    if None in sizes:
        raise node.unsupported("is over axes of unknown size")
    shape = [size for size in sizes if size is not None]
    weights = [
        name
        if value is not None and list(value.shape) == shape
        else node.number(np.broadcast_to(np.zeros(()) if value is None else value, shape), str(scale.dtype))
        for name, value in ((node.inputs[1], scale), (node.given(2), shift))
    ]
    attributes = {"axis": axis - node.rank(), "epsilon": node.attributes["epsilon"]}
    node.put("LayerNormalization", [node.inputs[0], *weights], **attributes)


# Resizing


def _resize(node: Node) -> None:
    """In one of the ways that frameworks have, over two axes; else axis by axis, from the values' neighbours."""
    before, after = node.shape(), node.lowering.shapes.get(node.outputs[0], ())
    if len(before) != len(after):
        raise node.unsupported("resizes to an unknown size")
    changed = [axis for axis, (old, new) in enumerate(zip(before, after, strict=True)) if old != new or old is None]
    kept = [axis for axis in changed if before[axis] is None and (axis == 0 or after[axis] is None)]
    changed = [axis for axis in changed if axis not in kept]
    if any(before[axis] is None or after[axis] is None for axis in changed):
        raise node.unsupported("resizes to an unknown size")
    scales = _scales(node, before, after)
    way = _way(node, before, after, scales, changed)
    if way:
        sizes, repeats = list(after[2:]), [int(scale) for scale in scales[2:]] if way == "repeat" else None
        node.put("Resize", node.inputs[:1], way=way, sizes=sizes, repeats=repeats)
        return
    x = node.inputs[0]
    for axis in range(len(before)):
        if axis not in kept and (axis in changed or not math.isclose(scales[axis], 1)):
            x = _along(node, x, axis, scales[axis], after[axis] or 0)
    node.stand_for(x)


def _scales(node: Node, before: Sequence[int | None], after: Sequence[int | None]) -> list[float]:
    """How many times as large each axis becomes, as told or as the sizes are."""
    given = node.constant(2, "scales")
    axes = [axis % len(before) for axis in node.attributes.get("axes") or range(len(before))]
    scales = [new / old if new and old else 1.0 for old, new in zip(before, after, strict=True)]
    if given is not None and given.size:
        told = dict(zip(axes, given.tolist(), strict=True))
        scales = [float(told.get(axis, 1.0)) for axis in range(len(before))]
    elif node.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        wished = np.array(node.integers(3, "sizes")) / [before[axis] or 1 for axis in axes]
        least = node.attributes["keep_aspect_ratio_policy"] == "not_larger"
        scales = [float(wished.min() if least else wished.max()) if a in axes else 1.0 for a in range(len(before))]
    return scales


def _way(
    node: Node, before: Sequence[int | None], after: Sequence[int | None], scales: Sequence[float], changed: list[int]
) -> str:
    """What frameworks call it: "repeat", "half_pixel" or "align_corners"; empty if they have no such way."""
    attributes = node.attributes
    mode, place = attributes["mode"], attributes["coordinate_transformation_mode"]
    if len(before) != IMAGE_RANK or not set(changed) <= {2, 3} or attributes.get("antialias"):
        return ""
    olds, news = before[2:], after[2:]
    whole = all(
        old and new and old * scale == new for old, new, scale in zip(olds, news, scales[2:], strict=True)
    ) or not node.given(2)
    if mode == "nearest" and (place, attributes["nearest_mode"]) in REPEATING:
        return "repeat" if whole and not any(scale % 1 for scale in scales[2:]) else ""
    alone = place == "pytorch_half_pixel" and 1 in news
    if mode != "linear" or not whole or alone or attributes["exclude_outside"]:
        return ""
    return {"half_pixel": "half_pixel", "pytorch_half_pixel": "half_pixel", "align_corners": "align_corners"}.get(
        place, ""
    )


REPEATING = {
    ("asymmetric", "floor"),
    *itertools.product(("half_pixel", "pytorch_half_pixel"), ("round_prefer_floor", "round_prefer_ceil")),
}
"""Where ONNX looks for the nearest pixel and how it rounds, such that whole scales repeat pixels."""


def _along(node: Node, x: str, axis: int, scale: float, size: int) -> str:
    """`x` resized along one axis: its values by their places, or weighed by a matrix.

    ONNX's interpolation is separable, and linear in the values: what it makes of each of them alone is a row.
    """
    shape = list(node.lowering.shapes[x])
    matrix = _matrix(node, shape[axis] or 0, scale, size, axis)
    shape[axis] = size
    if node.attributes["mode"] == "nearest":
        places = node.number(matrix.argmax(axis=0), "int64")
        return node.make("Gather", [x, places], shape, axis=axis)
    last = len(shape) - 1
    perm = [number for number in range(len(shape)) if number != axis] + [axis]
    if axis != last:
        x = node.make("Transpose", [x], [node.lowering.shapes[x][number] for number in perm], perm=perm)
    turned = [shape[number] for number in perm]
    x = node.make("Linear", [x, node.number(matrix.T)], turned)
    back = [perm.index(number) for number in range(len(shape))]
    return x if axis == last else node.make("Transpose", [x], shape, perm=back)


def _matrix(node: Node, old: int, scale: float, size: int, axis: int) -> NDArray[Any]:
    """[old, size]: what each value alone adds to each new one."""
    roi = node.constant(1, "regions")
    axes = node.attributes.get("axes") or range(node.rank())
    region = [0.0, 1.0]
    if roi is not None and roi.size:
        places = list(axes).index(axis)
        region = [float(roi[places]), float(roi[len(roi) // 2 + places])]
    by_sizes = not node.given(2) and node.attributes.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    told = {"axes", "keep_aspect_ratio_policy", "antialias"}
    attributes = {name: value for name, value in node.attributes.items() if name not in told}
    attributes |= {"antialias": node.attributes["antialias"]} if node.attributes.get("antialias") else {}
    inputs = ["x", "roi", "" if by_sizes else "scales", *(["sizes"] if by_sizes else [])]
    values: dict[str, NDArray[Any]] = {"roi": np.array([0, region[0], 1, region[1]])}
    values |= {"sizes": np.array([old, size])} if by_sizes else {"scales": np.array([1, scale])}
    graph = helper.make_graph(
        [helper.make_node("Resize", inputs, ["y"], **attributes)],
        "axis",
        [helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, None)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    alone = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)]))
    ones, none = (alone.run(None, {"x": x})[0] for x in (np.eye(old), np.zeros((old, old))))
    if ones.shape != (old, size) or none.any():
        raise node.unsupported("resizes to part of a pixel, or beyond the edge")
    matrix: NDArray[Any] = ones
    return matrix


REWRITES: Rewrites = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool("ReduceMean"),
    "GlobalMaxPool": _global_pool("ReduceMax"),
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "MaxPool": _max_pool,
    "Resize": _resize,
}
