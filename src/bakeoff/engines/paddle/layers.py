"""Layers of ``paddle.nn``, with weights and over windows of images, from the nodes of a plain graph."""

import numpy as np
import paddle
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


def group_normalization(node):
    scale = node.constant(1)
    layer = nn.GroupNorm(node.attributes["num_groups"], len(scale), node.attributes["epsilon"])
    return filled(layer, weight=scale, bias=node.constant(2))


def layer_normalization(node):
    scale = node.constant(1)
    return filled(nn.LayerNorm(scale.shape, node.attributes["epsilon"]), weight=scale, bias=node.constant(2))


def linear(node):
    weight, bias = node.constant(1), node.optional(2)
    layer = nn.Linear(*weight.T.shape, bias_attr=None if bias is not None else False)
    return filled(layer, weight=weight.T, bias=bias)


def prelu(node):
    slope = node.constant(1)
    return filled(nn.PReLU(slope.size), _weight=slope)


# Pooling and resizing


def max_pool(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    if set(attributes["dilations"]) != {1}:
        raise NotImplementedError("with dilations")
    return nn.MaxPool2D(kernel, stride, padding)


def average_pool(node):
    (kernel, stride, padding), attributes = node.window(), node.attributes
    if set(attributes["dilations"]) != {1}:
        raise NotImplementedError("with dilations")
    return nn.AvgPool2D(kernel, stride, padding, exclusive=not attributes["count_include_pad"])


def resize(node):
    """To multiples by repeating pixels, or to any size by a straight line between them.

    Paddle Inference 3.3 with oneDNN refuses to run the interpolations of images, so that neither is one.
    """
    attributes = node.attributes
    if attributes["way"] == "repeat":
        down, right = attributes["repeats"]
        return lambda x: paddle.repeat_interleave(paddle.repeat_interleave(x, down, 2), right, 3)
    corners = attributes["way"] == "align_corners"
    volume = nn.Upsample([1, *attributes["sizes"]], mode="trilinear", align_corners=corners)
    return lambda x: volume(x.unsqueeze(2)).squeeze(2)
