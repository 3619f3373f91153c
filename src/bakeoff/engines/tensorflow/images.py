"""Layers of images: convolutions, norms, pooling and resizing."""

import numpy as np
from arithmetic import reduction
from layout import IMAGE_AXES, shape_of

# Layers with weights


def conv(build, node, attributes):
    weight, bias, group = build.constant(node, 1), build.constant(node, 2), attributes["group"]
    x, padding = build.padded(node, build.input(node))
    common = {
        "kernel_size": attributes["kernel_shape"],
        "strides": attributes["strides"],
        "padding": padding,
        "dilation_rate": attributes["dilations"],
        "use_bias": bias is not None,
    }
    channels_in, biases = weight.shape[1] * group, [] if bias is None else [bias]
    if group == channels_in and group > 1:
        if len(set(attributes["strides"])) > 1 and getattr(build.math, "EQUAL_STRIDES_ONLY", False):
            raise NotImplementedError("depthwise with unlike strides, which this TensorFlow does not know")
        multiplier = weight.shape[0] // group
        layer = build.layers.DepthwiseConv2D(depth_multiplier=multiplier, depthwise_initializer="zeros", **common)
        kernel = weight.reshape(group, multiplier, *weight.shape[2:]).transpose(2, 3, 0, 1)
    else:
        if group > 1:
            common["groups"] = group
        layer = build.layers.Conv2D(weight.shape[0], kernel_initializer="zeros", **common)
        kernel = weight.transpose(2, 3, 1, 0)
    return build.filled(layer, x, [kernel, *biases])


def conv_transpose(build, node, attributes):
    weight, bias, strides = build.constant(node, 1), build.constant(node, 2), attributes["strides"]
    x = build.input(node)
    if attributes["group"] != 1 or len(shape_of(x)) != IMAGE_AXES:
        raise NotImplementedError("in groups or over other than two axes")
    layer = build.layers.Conv2DTranspose(
        weight.shape[1],
        kernel_size=attributes["kernel_shape"],
        strides=strides,
        dilation_rate=attributes["dilations"],
        use_bias=bias is not None,
        kernel_initializer="zeros",
    )
    y = build.filled(layer, x, [weight.transpose(2, 3, 1, 0)] + ([] if bias is None else [bias]))
    crop = cropped_from_transposed(attributes)
    return build.layers.Cropping2D(crop)(y) if np.any(crop) else y


def cropped_from_transposed(attributes):
    """What to take off each axis of what Keras makes: it goes on for a whole stride where the kernel is smaller."""
    rank, crop = len(attributes["strides"]), []
    for axis, (kernel, stride, dilation) in enumerate(
        zip(attributes["kernel_shape"], attributes["strides"], attributes["dilations"])
    ):
        surplus = max(0, stride - ((kernel - 1) * dilation + 1))
        before, after = attributes["pads"][axis], attributes["pads"][rank + axis]
        crop.append((before, after + surplus - attributes["output_padding"][axis]))
    if any(end < 0 for _, end in crop):
        raise NotImplementedError("with more output_padding than padding")
    return tuple(crop)


def batch_normalization(build, node, attributes):
    x = build.input(node)
    layer = build.layers.BatchNormalization(axis=build.axis(1, x), epsilon=attributes["epsilon"])
    return build.filled(layer, x, [build.constant(node, i) for i in range(1, 5)])


# Pooling


def max_pool(build, node, _attributes):
    return pool(build, node, build.layers.MaxPooling2D, float("-inf"))


def average_pool(build, node, attributes):
    """What is padded counts as zeros, unless Keras pads it; where it must not count, a factor puts it right."""
    pooled = build.layers.AveragePooling2D
    x, left_out = build.input(node), any(attributes["pads"]) and not attributes["count_include_pad"]
    padding = build.padded(node, x)[1]
    if left_out and padding == "same":
        return pool(build, node, pooled, 0.0)
    top, left, bottom, right = attributes["pads"] if any(attributes["pads"]) else [0] * 4
    whole = build.layers.ZeroPadding2D(((top, bottom), (left, right)))(x) if any(attributes["pads"]) else x
    y = pool(build, dict(node, attributes=dict(attributes, pads=[0] * 4)), pooled, 0.0, whole)
    if not left_out:
        return y
    shares = [covered(attributes, axis, shape_of(x)[1 + axis]) for axis in (0, 1)]
    factor = (1.0 / np.multiply.outer(*shares)).astype(np.float32).reshape(1, *map(len, shares), 1)
    return build.computed(lambda t: t * factor, y)


def covered(attributes, axis, size):
    """Of each window along an axis, the part that lies within the image."""
    pads, kernel, stride = attributes["pads"], attributes["kernel_shape"][axis], attributes["strides"][axis]
    starts = np.arange(0, size + pads[axis] + pads[axis + 2] - kernel + 1, stride) - pads[axis]
    return (np.minimum(starts + kernel, size) - np.maximum(starts, 0)) / kernel


def pool(build, node, layer, value, x=None):
    attributes = node["attributes"]
    if set(attributes["dilations"]) != {1}:
        raise NotImplementedError("with dilations")
    x, padding = build.padded(node, build.input(node) if x is None else x, value)
    return layer(attributes["kernel_shape"], strides=attributes["strides"], padding=padding)(x)


def global_pool(layer_name):
    """(N, C), where the graph has (N, C, 1, 1), if all that follows is a Flatten; else (N, 1, 1, C)."""

    def build_global_pool(build, node, _attributes):
        x = build.input(node)
        y = getattr(build.layers, layer_name)()(x)
        readers = [other["op"] for other in build.graph["nodes"] if node["outputs"][0] in other["inputs"]]
        is_output = node["outputs"][0] in [o["name"] for o in build.graph["outputs"]]
        if set(readers) == {"Flatten"} and not is_output:
            return y
        return build.layers.Reshape((1, 1, shape_of(x)[-1]))(y)

    return build_global_pool


global_average_pool = global_pool("GlobalAveragePooling2D")
global_max_pool = global_pool("GlobalMaxPooling2D")


def reduce_mean(build, node, attributes):
    """Over an image's height and width by a layer, else by the function."""
    x = build.input(node)
    if not build.nhwc or sorted(axis % IMAGE_AXES for axis in attributes["axes"]) != [2, 3]:
        return reduction("mean")(build, node, attributes)
    if attributes["keepdims"]:
        return global_average_pool(build, node, attributes)
    return build.layers.GlobalAveragePooling2D()(x)


# Resizing


def resize(build, node, attributes):
    x = build.input(node)
    if attributes["way"] == "repeat":
        return build.layers.UpSampling2D(tuple(attributes["repeats"]))(x)
    if attributes["way"] != "half_pixel":
        raise NotImplementedError("with {}".format(attributes["way"]))
    image = build.math.image
    return image.resize(x, tuple(attributes["sizes"]), interpolation="bilinear", data_format="channels_last")
