"""TensorFlow 1's functions under the names and with the arguments that Keras 3 gives its own in ``keras.ops``."""

import importlib.util

import tensorflow as tf

EQUAL_STRIDES_ONLY = not (
    getattr(tf.pywrap_tensorflow, "IsMklEnabled", lambda: False)() or importlib.util.find_spec("ngraph_bridge")
)
"""Whether depthwise convolutions want the same stride both ways: only Intel's builds and nGraph take any."""

abs = tf.abs  # noqa: A001 - Keras' name for it, as are the other three
add = tf.add
cast = tf.cast
ceil = tf.ceil
cos = tf.cos
divide = tf.truediv
equal = tf.equal
erf = tf.erf
exp = tf.exp
floor = tf.floor
greater = tf.greater
greater_equal = tf.greater_equal
isnan = tf.is_nan
less = tf.less
less_equal = tf.less_equal
log = tf.log
logical_and = tf.logical_and
logical_not = tf.logical_not
logical_or = tf.logical_or
matmul = tf.matmul
max = tf.reduce_max  # noqa: A001
maximum = tf.maximum
mean = tf.reduce_mean
min = tf.reduce_min  # noqa: A001
minimum = tf.minimum
multiply = tf.multiply
negative = tf.negative
power = tf.pow
reciprocal = tf.reciprocal
reshape = tf.reshape
sign = tf.sign
sin = tf.sin
sqrt = tf.sqrt
subtract = tf.subtract
sum = tf.reduce_sum  # noqa: A001
take = tf.gather
tile = tf.tile
transpose = tf.transpose


def clip(x, low, high):
    return tf.clip_by_value(x, low, high)


def gelu(x, approximate):
    assert not approximate  # noqa: S101 - said for the reader: the graph's is the exact one
    return 0.5 * x * (1.0 + tf.erf(x / 2.0**0.5))


def pad(x, pads, constant_values):
    return tf.pad(x, pads, constant_values=constant_values)


def where(condition, one, other):
    """TensorFlow's own wants three tensors of one shape."""
    zeros = tf.zeros_like(one) + tf.zeros_like(other)
    zeros += tf.zeros_like(condition, dtype=zeros.dtype)
    return tf.where(tf.logical_or(condition, tf.cast(zeros, tf.bool)), one + zeros, other + zeros)
