"""Seeded weights with which a network behaves like a trained one, bit-identical on every machine.

Random weights alone let activations explode or die out in a deep network, and give nearly the same logits for every
input: no ground to judge an engine's answers on. So the batch norms are calibrated as training would do it: a float64
forward pass over a few seeded images sets each one's running mean and variance, and the classifier's bias takes
away what all images have in common.

Identical everywhere, because `RandomState.random_sample` is frozen (NEP 19) and gives multiples of 2^-53, the
arithmetic on it is single correctly rounded operations, and everything calibrated is rounded to a grid far coarser than
what two BLAS libraries may disagree about.
"""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bakeoff.models.architectures import Architecture, Layer, layers
from bakeoff.models.inputs import draw

EPSILON = 1e-5
"""torchvision's, added to every batch norm's variance."""
CALIBRATION_IMAGES = 8
"""With half as many, a deep network's statistics fit these images alone, and the logits of new ones correlate."""
CALIBRATION_SEED = 2019
GRID_BITS = 8

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


def seeded_weights(architecture: Architecture, seed: int = 0) -> dict[str, Float32]:
    """Every parameter of the network by torchvision's name, float32, calibrated; the same seed, the same bits."""
    random = np.random.RandomState(seed)
    weights: dict[str, Float32] = {}
    plan = layers(architecture)
    still_needed = Counter(name for layer in plan for name in layer.inputs)
    images = draw("float32", (3, architecture.size, architecture.size), CALIBRATION_SEED, CALIBRATION_IMAGES)
    tensors: dict[str, Float64] = {"input": images.transpose(1, 0, 2, 3).astype(np.float64)}
    for layer in plan:
        inputs = [tensors[name] for name in layer.inputs]
        match layer.op:
            case "Conv":
                tensors[layer.output] = _convolution(layer, inputs[0], random, weights)
            case "BatchNormalization":
                tensors[layer.output] = _batch_norm(layer, inputs[0], random, weights)
            case "Gemm":
                _classifier(layer, inputs[0], random, weights)
            case _:
                tensors[layer.output] = _WITHOUT_WEIGHTS[layer.op](layer, *inputs)
        for name in layer.inputs:
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


# The forward pass. Tensors are [channels, images, height, width], so that a convolution is one matrix product.


def _convolution(layer: Layer, x: Float64, random: np.random.RandomState, weights: dict[str, Float32]) -> Float64:
    [(name, shape)] = layer.parameters().items()
    weights[name] = _he_uniform(random, shape)
    patches = _patches(x, layer, 0.0)
    columns = patches.reshape(patches.shape[0] * patches.shape[1] * patches.shape[2], -1)
    product = weights[name].astype(np.float64).reshape(shape[0], -1) @ columns
    return product.reshape(shape[0], *patches.shape[3:])


def _batch_norm(layer: Layer, x: Float64, random: np.random.RandomState, weights: dict[str, Float32]) -> Float64:
    scale = 1 / math.sqrt(layer.residual_blocks) if layer.residual_blocks else 1.0
    shape = (layer.channels_out,)
    gamma = _uniform(random, 0.75 * scale, 1.25 * scale, shape)
    beta = _uniform(random, -0.25 * scale, 0.25 * scale, shape)
    spread = x.std(axis=(1, 2, 3))
    mean = _rounded(x.mean(axis=(1, 2, 3)), spread)
    variance = _rounded(spread**2, spread**2)
    values = (gamma, beta, mean, variance)
    weights.update(zip(layer.parameters(), values, strict=True))
    gamma64, beta64, mean64, variance64 = (value.astype(np.float64)[:, None, None, None] for value in values)
    return gamma64 * (x - mean64) / np.sqrt(variance64 + EPSILON) + beta64


def _classifier(layer: Layer, x: Float64, random: np.random.RandomState, weights: dict[str, Float32]) -> None:
    """Weights scaled by a power of two so that logits spread by about 1, and a bias that centres them."""
    weight_name, bias_name = layer.parameters()
    weight = _he_uniform(random, (layer.channels_out, layer.channels_in))
    logits = weight.astype(np.float64) @ x
    common = logits.mean(axis=1)
    spread = float((logits - common[:, None]).std())
    scale = 2.0 ** -round(math.log2(spread))
    weights[weight_name] = (weight * scale).astype(np.float32)
    weights[bias_name] = _rounded(-common * scale, np.full_like(common, spread * scale))


def _rounded(values: Float64, magnitude: Float64) -> Float32:
    """`values` rounded to a multiple of the power of two that is 2^-8 of `magnitude`."""
    _, exponent = np.frexp(magnitude)
    steps = np.rint(np.ldexp(values, GRID_BITS - exponent))
    rounded: Float32 = np.ldexp(steps, exponent - GRID_BITS).astype(np.float32)
    return rounded


def _patches(x: Float64, layer: Layer, fill: float) -> Float64:
    """[channels, kernel, kernel, images, height, width]: what each output position sees of `x`."""
    k, s, p = layer.kernel, layer.stride, layer.pad
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::s, ::s]
    return np.ascontiguousarray(windows.transpose(0, 4, 5, 1, 2, 3))


_WITHOUT_WEIGHTS: dict[str, Callable[..., Float64]] = {
    "Relu": lambda _layer, x: np.maximum(x, 0),
    "MaxPool": lambda layer, x: _patches(x, layer, -np.inf).max(axis=(1, 2)),
    "Add": lambda _layer, a, b: a + b,
    "GlobalAveragePool": lambda _layer, x: x.mean(axis=(2, 3)),
    "Flatten": lambda _layer, x: x,
}
