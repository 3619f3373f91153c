"""Where things stand in NHWC, and padding in numbers. Needs numpy alone."""

import numpy as np

NHWC = {0: 0, 1: 3, 2: 1, 3: 2}
"""Where each NCHW axis stands in NHWC."""
IMAGE_AXES = 4


def to_nhwc(array):
    """An NCHW array in NHWC, contiguous; arrays of other ranks as they are."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == IMAGE_AXES else array


def to_nchw(array):
    """An NHWC array in NCHW; arrays of other ranks as they are."""
    return array.transpose(0, 3, 1, 2) if array.ndim == IMAGE_AXES else array


def nhwc_order(rank):
    return (0, 2, 3, 1) if rank == IMAGE_AXES else tuple(range(rank))


def shape_of(x):
    shape = x.shape
    return tuple(shape.as_list() if hasattr(shape, "as_list") else shape)


def axis_in_nhwc(axis, rank):
    """An NCHW axis number, perhaps negative, for a tensor that is NHWC if it has four axes."""
    axis %= rank
    return NHWC[axis] if rank == IMAGE_AXES else axis


def same_pads(size, reach, strides):
    """ONNX's `pads` for what Keras calls padding "same"."""
    total = [max(0, (-(-n // s) - 1) * s + r - n) for n, r, s in zip(size, reach, strides)]
    return [t // 2 for t in total] + [t - t // 2 for t in total]
