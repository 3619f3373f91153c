"""Layers of ``paddle.nn``, with weights and over windows of images, from the nodes of a plain graph."""

import numpy as np
import paddle
from node import Partial, applying
from paddle import nn

# Layers with weights


def filled(layer, **values):
    """`layer` with its parameters and buffers set to the arrays of `values`; those that are None it does not have."""
    for name, value in values.items():
        if value is not None:
            getattr(layer, name).set_value(np.ascontiguousarray(value))
    return layer


def conv(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    weight, bias = node.constant(1), node.optional(2)
    layer = nn.Conv2D(
        weight.shape[1] * attributes["group"],
        weight.shape[0],
        kernel,
        stride=stride,
        padding=padding,
        dilation=attributes["dilations"],
        groups=attributes["group"],
        bias_attr=None if bias is not None else False,
    )
    return filled(layer, weight=weight, bias=bias)


def conv_transpose(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    if "output_shape" in attributes:
        raise NotImplementedError("to a given shape")
    weight, bias = node.constant(1), node.optional(2)
    layer = nn.Conv2DTranspose(
        weight.shape[0],
        weight.shape[1] * attributes["group"],
        kernel,
        stride=stride,
        padding=padding,
        output_padding=attributes["output_padding"],
        dilation=attributes["dilations"],
        groups=attributes["group"],
        bias_attr=None if bias is not None else False,
    )
    return filled(layer, weight=weight, bias=bias)


def batch_normalization(node):
    scale, shift, mean, variance = (node.constant(i) for i in range(1, 5))
    layer = nn.BatchNorm2D(len(scale), epsilon=node.attributes["epsilon"])
    return filled(layer, weight=scale, bias=shift, _mean=mean, _variance=variance)


def gemm(node):
    attributes, weight, bias = node.attributes, node.constant(1), node.optional(2)
    if attributes["transA"]:
        raise NotImplementedError("with transA")
    weight = attributes["alpha"] * (weight.T if attributes["transB"] else weight)
    return linear(weight, None if bias is None else attributes["beta"] * bias)


def matmul(node):
    is_linear = list(node.constants) == [1] and node.constants[1].ndim == 2  # noqa: PLR2004
    return linear(node.constants[1], None) if is_linear else applying(paddle.matmul)(node)


def layer_normalization(node):
    scale = node.constant(1)
    return filled(nn.LayerNorm(len(scale), node.attributes["epsilon"]), weight=scale, bias=node.constant(2))


def linear(weight, bias):
    layer = nn.Linear(*weight.shape, bias_attr=None if bias is not None else False)
    return filled(layer, weight=weight, bias=bias if bias is None else np.broadcast_to(bias, weight.shape[1:]))


def prelu(node):
    """With a slope for each channel, a layer of Paddle's; with slopes of any other shape, arithmetic."""
    slope = node.constant(1)
    if slope.size == 1 or slope.shape[1:] == (1, 1):
        return filled(nn.PReLU(slope.size), _weight=slope.reshape(-1))
    return Partial(lambda x, slopes: paddle.where(x >= 0, x, slopes * x), node.constants)


# Pooling and resizing


def max_pool(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    if len(node.outputs) > 1 and node.outputs[1]:
        raise NotImplementedError("with indices")
    if set(attributes["dilations"]) != {1}:
        raise NotImplementedError("with dilations")
    return nn.MaxPool2D(kernel, stride, padding, ceil_mode=bool(attributes["ceil_mode"]))


def average_pool(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    exclusive = not attributes["count_include_pad"]
    return nn.AvgPool2D(kernel, stride, padding, ceil_mode=bool(attributes["ceil_mode"]), exclusive=exclusive)


def resize(node):
    """To multiples by repeating pixels, or to any size by a straight line between them.

    Paddle Inference 3.3 with oneDNN refuses to run the interpolations of images, so that neither is one.
    """
    attributes = node.attributes
    if len(attributes.get("sizes", ())) != IMAGE_AXES:
        raise NotImplementedError("to computed sizes, or over other than two axes")
    mode, coordinates = attributes["mode"], attributes["coordinate_transformation_mode"]
    sizes, scales = attributes["sizes"], attributes["scales"]
    if attributes["repeats"]:
        down, right = attributes["repeats"]
        return lambda x: paddle.repeat_interleave(paddle.repeat_interleave(x, down, 2), right, 3)
    if mode == "linear" and coordinates in HOLDS_CORNERS and hits_sizes(sizes, scales):
        volume = nn.Upsample([1, *sizes], mode="trilinear", align_corners=HOLDS_CORNERS[coordinates])
        return lambda x: volume(x.unsqueeze(2)).squeeze(2)
    raise NotImplementedError("{} {} by {}".format(coordinates, mode, scales))


def hits_sizes(sizes, scales):
    """Whether no part of a pixel was cut off: ONNX goes by the scales, Paddle by the sizes before and after."""
    return all(abs(size / scale - round(size / scale)) < 1e-4 for size, scale in zip(sizes, scales))  # noqa: PLR2004


IMAGE_AXES = 2
HOLDS_CORNERS = {"half_pixel": False, "pytorch_half_pixel": False, "align_corners": True}
"""How ONNX calls the coordinates, and Paddle's ``align_corners``."""
