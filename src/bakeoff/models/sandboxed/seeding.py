"""Seeded weights with which a network behaves like a trained one, bit-identical on every machine.

Random weights alone let activations explode or die out in a deep network, and give nearly the same logits for every
input: no ground to judge an engine's answers on. So batch norms are calibrated as training would do it: a float64
forward pass over a few seeded images sets each one's running mean and variance, and the classifier's bias takes
away what all images have in common. Convolutions and matrix products with a bias, which no batch norm follows, get
the same from their own weight and bias. A network that norms its activations by itself needs none of this.

Identical everywhere, because `RandomState.random_sample` is frozen (NEP 19) and gives multiples of 2^-53, the
arithmetic on it is single correctly rounded operations, and everything calibrated is rounded to a grid far coarser than
what two BLAS libraries may disagree about.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bakeoff.models.architectures import Architecture, layers
from bakeoff.models.inputs import draw
from bakeoff.models.networks.layers import Layer

CALIBRATION_IMAGES = 8
"""With half as many, a deep network's statistics fit these images alone, and the logits of new ones correlate."""
CALIBRATION_SEED = 2019
GRID_BITS = 8

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


def seeded_weights(architecture: Architecture, seed: int = 0) -> dict[str, Float32]:
    """Every parameter of the network by its checkpoint's name, float32; the same seed, the same bits."""
    plan, random = layers(architecture), np.random.RandomState(seed)
    if _CALIBRATED.keys().isdisjoint(layer.op for layer in plan):
        return {
            name: _uniform(random, *_RANGES[layer.op](layer, shape), shape)
            for layer in plan
            for name, shape in layer.parameters.items()
        }
    [image] = architecture.inputs
    images = draw("float32", image.sample_shape, CALIBRATION_SEED, CALIBRATION_IMAGES)
    return _calibrated(plan, images.transpose(1, 0, 2, 3).astype(np.float64), random)


def _calibrated(plan: Sequence[Layer], images: Float64, random: np.random.RandomState) -> dict[str, Float32]:
    """The weights, drawn layer by layer while `images` pass through."""
    weights: dict[str, Float32] = {}
    still_needed = Counter(name for layer in plan for name in layer.inputs)
    tensors = {"input": images}
    for layer in plan:
        read = [name for name in layer.inputs if name in tensors]
        inputs = [tensors[name] for name in read]
        if layer.op in _CALIBRATED:
            tensors[layer.output] = _CALIBRATED[layer.op](layer, inputs[0], random, weights)
        else:
            tensors[layer.output] = _WITHOUT_WEIGHTS[layer.op](layer, *inputs)
        for name in read:
            still_needed[name] -= 1
            if not still_needed[name]:
                del tensors[name]
    return weights


def _uniform(random: np.random.RandomState, low: float, high: float, shape: tuple[int, ...]) -> Float32:
    return (low + (high - low) * random.random_sample(shape)).astype(np.float32)


def _he_uniform(random: np.random.RandomState, shape: tuple[int, ...]) -> Float32:
    """Variance 2 / fan-in (He et al., "Delving Deep into Rectifiers", 2015)."""
    bound = math.sqrt(6 / math.prod(shape[1:]))
    return _uniform(random, -bound, bound, shape)


def _within(bound: float) -> tuple[float, float]:
    return -bound, bound


def _share(layer: Layer) -> float:
    """How much a residual branch may add, so that all of them together add about as much as passes by."""
    return 1 / math.sqrt(layer.residual_blocks) if layer.residual_blocks else 1.0


_RANGES: Mapping[str, Callable[[Layer, tuple[int, ...]], tuple[float, float]]] = {
    "Gather": lambda _, _table: _within(math.sqrt(3)),  # of variance 1
    "MatMul": lambda layer, weight: _within(_share(layer) * math.sqrt(3 / weight[0])),  # varies as what goes in
    "Mul": lambda _, _scale: (0.75, 1.25),
    "Add": lambda _, _shift: _within(0.25),
}
"""Of the parameters of a network that norms its activations by itself, by their operator and from their shape."""


# The forward pass. Tensors are [channels, images, height, width], so that a convolution is one matrix product.


def _convolution(layer: Layer, x: Float64, random: np.random.RandomState, weights: dict[str, Float32]) -> Float64:
    name, *bias_name = layer.parameters
    weight = _he_uniform(random, layer.parameters[name])
    y = _convolved(layer, weight.astype(np.float64), x)
    if bias_name:
        spread = y.std(axis=(1, 2, 3))
        scale = _rounded(1 / spread, 1 / spread).astype(np.float64)
        shift = _rounded(-y.mean(axis=(1, 2, 3)) * scale, np.ones_like(scale))
        weight = (weight * scale[:, None, None, None]).astype(np.float32)
        weights[bias_name[0]] = shift
        y = y * scale[:, None, None, None] + shift.astype(np.float64)[:, None, None, None]
    weights[name] = weight
    return y


def _convolved(layer: Layer, weight: Float64, x: Float64) -> Float64:
    """Image by image: what all output positions of all images see at once can be gigabytes."""
    channels, group = len(weight), layer.attributes["group"]
    weight = weight.reshape(group, channels // group, -1)
    made = []
    for image in range(x.shape[1]):
        patches = _patches(x[:, image : image + 1], layer, 0.0)
        product = weight @ patches.reshape(group, weight.shape[2], -1)
        made.append(product.reshape(channels, *patches.shape[4:]))
    return np.stack(made, axis=1)


def _batch_norm(layer: Layer, x: Float64, random: np.random.RandomState, weights: dict[str, Float32]) -> Float64:
    scale = _share(layer)
    shape = (len(x),)
    gamma = _uniform(random, 0.75 * scale, 1.25 * scale, shape)
    beta = _uniform(random, -0.25 * scale, 0.25 * scale, shape)
    spread = x.std(axis=(1, 2, 3))
    mean = _rounded(x.mean(axis=(1, 2, 3)), spread)
    variance = _rounded(spread**2, spread**2)
    values = (gamma, beta, mean, variance)
    weights.update(zip(layer.parameters, values, strict=True))
    epsilon: float = layer.attributes["epsilon"]
    gamma64, beta64, mean64, variance64 = (value.astype(np.float64)[:, None, None, None] for value in values)
    return gamma64 * (x - mean64) / np.sqrt(variance64 + epsilon) + beta64


def _matrix_product(layer: Layer, x: Float64, random: np.random.RandomState, weights: dict[str, Float32]) -> Float64:
    """Weights scaled by a power of two so that what comes out spreads by about 1, and a bias that centres it."""
    weight_name, bias_name = layer.parameters
    weight = _he_uniform(random, layer.parameters[weight_name])
    y = weight.astype(np.float64) @ x
    common = y.mean(axis=1)
    spread = float((y - common[:, None]).std())
    scale = 2.0 ** -round(math.log2(spread))
    weights[weight_name] = (weight * scale).astype(np.float32)
    weights[bias_name] = _rounded(-common * scale, np.full_like(common, spread * scale))
    return y * scale + weights[bias_name].astype(np.float64)[:, None]


_CALIBRATED = {"Conv": _convolution, "BatchNormalization": _batch_norm, "Gemm": _matrix_product}


def _rounded(values: Float64, magnitude: Float64) -> Float32:
    """`values` rounded to a multiple of the power of two that is 2^-8 of `magnitude`."""
    _, exponent = np.frexp(magnitude)
    steps = np.rint(np.ldexp(values, GRID_BITS - exponent))
    rounded: Float32 = np.ldexp(steps, exponent - GRID_BITS).astype(np.float32)
    return rounded


def _patches(x: Float64, layer: Layer, fill: float) -> Float64:
    """[channels, kernel, kernel, images, height, width]: what each output position sees of `x`."""
    kernel, stride = layer.attributes["kernel_shape"], layer.stride
    top, left, bottom, right = layer.attributes["pads"]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::stride, ::stride]
    return np.ascontiguousarray(windows.transpose(0, 4, 5, 1, 2, 3))


def _max_pool(layer: Layer, x: Float64) -> Float64:
    pooled = [_patches(x[:, i : i + 1], layer, -np.inf).max(axis=(1, 2)) for i in range(x.shape[1])]
    return np.concatenate(pooled, axis=1)


def _flattened(_layer: Layer, x: Float64) -> Float64:
    """[features, images], channels outermost."""
    return x if x.ndim == 2 else x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])  # noqa: PLR2004


_WITHOUT_WEIGHTS: Mapping[str, Callable[..., Float64]] = {
    "Relu": lambda _layer, x: np.maximum(x, 0),
    "Clip": lambda layer, x: np.clip(x, *layer.constants.values()),
    "MaxPool": _max_pool,
    "Add": lambda _layer, a, b: a + b,
    "Concat": lambda _layer, *parts: np.concatenate(parts),
    "GlobalAveragePool": lambda _layer, x: x.mean(axis=(2, 3)),
    "Flatten": _flattened,
}
