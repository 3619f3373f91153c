"""What the networks are made of: layers as plain data, and a builder that appends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-5
"""torchvision's, added to every batch norm's variance."""

Shape = tuple[int, ...]
Constants = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Layer:
    """One operator: `op` and `attributes` are ONNX's, `name` is that of the module in the network's own checkpoints.

    It reads `inputs`, which are tensors, parameters and constants alike, in ONNX's order, and writes `output`.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Shape] = field(default_factory=dict)
    """what a checkpoint holds of it"""
    constants: Constants = field(default_factory=dict)
    """what is the same whatever the weights: bounds, shapes, exponents"""
    residual_blocks: int = 0
    """for what ends a residual branch: how many branches its stage adds up; else 0"""

    @property
    def stride(self) -> int:
        """Of its window, the same along both axes; 1 without one."""
        strides: list[int] = self.attributes.get("strides", [1])
        return strides[0]


@dataclass
class Builder:
    """Appends layers; each method returns the name of the tensor that leaves what it appended."""

    made: list[Layer] = field(default_factory=list)

    def add(
        self,
        op: str,
        name: str,
        *inputs: str,
        output: str = "",
        parameters: Mapping[str, Shape] | None = None,
        constants: Constants | None = None,
        residual_blocks: int = 0,
        **attributes: Any,
    ) -> str:
        """Any operator. Parameters and constants that `inputs` do not name come after them."""
        weights, numbers = parameters or {}, constants or {}
        reads = (*inputs, *(each for each in (*weights, *numbers) if each not in inputs))
        self.made.append(Layer(op, name, reads, output or name, attributes, weights, numbers, residual_blocks))
        return output or name

    def conv(
        self,
        name: str,
        tensor: str,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        group: int = 1,
        bias: bool = False,
        pads: list[int] | None = None,
    ) -> str:
        """A convolution, by default padded such that stride 1 keeps the size."""
        parameters: dict[str, Shape] = {f"{name}.weight": (channels_out, channels_in // group, kernel, kernel)}
        if bias:
            parameters[f"{name}.bias"] = (channels_out,)
        window = _window(kernel, stride, pads)
        return self.add("Conv", name, tensor, parameters=parameters, **window, dilations=[1, 1], group=group)

    def norm(self, name: str, tensor: str, channels: int, *, epsilon: float = EPSILON, residual_blocks: int = 0) -> str:
        """A batch norm."""
        parts = ("weight", "bias", "running_mean", "running_var")
        parameters = {f"{name}.{part}": (channels,) for part in parts}
        return self.add(
            "BatchNormalization",
            name,
            tensor,
            parameters=parameters,
            residual_blocks=residual_blocks,
            epsilon=epsilon,
        )

    def relu(self, name: str, tensor: str) -> str:
        """max(x, 0)."""
        return self.add("Relu", name, tensor)

    def relu6(self, name: str, tensor: str) -> str:
        """min(max(x, 0), 6)."""
        return self.add(
            "Clip", name, tensor, constants={"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
        )

    def max_pool(self, name: str, tensor: str, *, kernel: int, stride: int, pads: list[int] | None = None) -> str:
        """The maximum over a window, padded as a convolution is."""
        return self.add("MaxPool", name, tensor, **_window(kernel, stride, pads))

    def averaged(self, name: str, tensor: str) -> str:
        """The mean over all positions, with nothing left but the channels."""
        return self.add("Flatten", "flatten", self.add("GlobalAveragePool", name, tensor), axis=1)

    def dense(self, name: str, tensor: str, width_in: int, width_out: int, *, output: str = "") -> str:
        """A matrix product with a bias."""
        parameters = {f"{name}.weight": (width_out, width_in), f"{name}.bias": (width_out,)}
        return self.add("Gemm", name, tensor, output=output, parameters=parameters, transB=1)


def _window(kernel: int, stride: int, pads: list[int] | None) -> dict[str, Any]:
    return {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [kernel // 2] * 4 if pads is None else pads,
    }
