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
    if attributes["group"] != 1 or "output_shape" in attributes or len(shape_of(x)) != IMAGE_AXES:
        raise NotImplementedError("in groups, to a given shape or over other than two axes")
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
    if attributes.get("training_mode"):
        raise NotImplementedError("in training mode")
    x = build.input(node)
    layer = build.layers.BatchNormalization(axis=build.axis(1, x), epsilon=attributes["epsilon"])
    return build.filled(layer, x, [build.constant(node, i) for i in range(1, 5)])


# Pooling


def max_pool(build, node, attributes):
    if len(node["outputs"]) > 1 and node["outputs"][1]:
        raise NotImplementedError("with indices")
    if attributes["dilations"] != [1] * len(attributes["dilations"]):
        raise NotImplementedError("with dilations")
    return pool(build, node, attributes, build.layers.MaxPooling2D, float("-inf"))


def average_pool(build, node, attributes):
    if attributes["ceil_mode"]:
        raise NotImplementedError("with ceil_mode")
    x = build.input(node)
    padding_counts = any(attributes["pads"]) and attributes["count_include_pad"]
    if padding_counts:
        top, left, bottom, right = attributes["pads"]
        x = build.layers.ZeroPadding2D(((top, bottom), (left, right)))(x)
    elif build.padded(node, x)[1] == "valid" and any(attributes["pads"]):
        raise NotImplementedError("with padding left out of the average")
    unpadded = dict(node, attributes=dict(attributes, pads=[0] * 4)) if padding_counts else node
    return pool(build, unpadded, unpadded["attributes"], build.layers.AveragePooling2D, 0.0, x)


def pool(build, node, attributes, layer, value, x=None):
    x, padding = build.padded(node, build.input(node) if x is None else x, value)
    return layer(attributes["kernel_shape"], strides=attributes["strides"], padding=padding)(x)


def global_pool(layer_name, function_name):
    """(N, C), where the graph has (N, C, 1, 1), if all that follows is a Flatten; else (N, 1, 1, C)."""

    def build_global_pool(build, node, _attributes):
        x = build.input(node)
        rank = len(shape_of(x))
        if rank != IMAGE_AXES:
            function, axes = getattr(build.math, function_name), tuple(range(2, rank))
            return build.computed(lambda t: function(t, axis=axes, keepdims=True), x)
        y = getattr(build.layers, layer_name)()(x)
        readers = [other["op"] for other in build.graph["nodes"] if node["outputs"][0] in other["inputs"]]
        is_output = node["outputs"][0] in [o["name"] for o in build.graph["outputs"]]
        if set(readers) == {"Flatten"} and not is_output:
            return y
        return build.layers.Reshape((1, 1, shape_of(x)[-1]))(y)

    return build_global_pool


global_average_pool = global_pool("GlobalAveragePooling2D", "mean")
global_max_pool = global_pool("GlobalMaxPooling2D", "max")


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
    x, mode, place = build.input(node), attributes["mode"], attributes["coordinate_transformation_mode"]
    if "sizes" not in attributes or len(shape_of(x)) != IMAGE_AXES:
        raise NotImplementedError("to computed sizes, or of other than two axes")
    sizes, scales = attributes["sizes"], attributes["scales"]
    if any(old * scale != new for old, scale, new in zip(shape_of(x)[1:3], scales, sizes)):
        raise NotImplementedError("by scales that do not lead to whole numbers")
    if attributes["repeats"]:
        return build.layers.UpSampling2D(tuple(attributes["repeats"]))(x)
    if mode == "linear" and place in {"half_pixel", "pytorch_half_pixel"}:
        image = build.math.image
        return image.resize(x, tuple(sizes), interpolation="bilinear", data_format="channels_last")
    raise NotImplementedError("of mode {}, {}, by {}".format(mode, place, scales))
