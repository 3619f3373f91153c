"""The built-in networks as plain data: ResNet-18/34/50/101/152 v1.5, and a tiny one of the same family for tests.

He et al., "Deep Residual Learning for Image Recognition" (2015). v1.5, as in torchvision, puts a bottleneck's
stride on its 3x3 convolution. Module names are torchvision's, so that its checkpoints fit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

BASIC, BOTTLENECK = "basic", "bottleneck"
EXPANSION = {BASIC: 1, BOTTLENECK: 4}
"""Channels that leave a block, as a multiple of its width."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first of them has the stride."""

    block: str
    width: int
    blocks: int
    stride: int

    @property
    def channels(self) -> int:
        """Channels that leave the stage."""
        return self.width * EXPANSION[self.block]


@dataclass(frozen=True)
class Architecture:
    """A ResNet: a stem of `stem` channels, stages, and a classifier, for square RGB images of side `size`."""

    name: str
    stages: tuple[Stage, ...]
    stem: int = 64
    size: int = 224
    classes: int = 1000

    def with_classes(self, classes: int) -> "Architecture":
        """The same network with another classifier."""
        return replace(self, classes=classes)


@dataclass(frozen=True)
class Layer:
    """One operator: `op` is ONNX's name, `name` torchvision's. It reads the tensors `inputs` and writes `output`."""

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    channels_in: int = 0
    channels_out: int = 0
    kernel: int = 1
    stride: int = 1
    residual_blocks: int = 0
    """for the batch norm that ends a residual branch: how many branches its stage adds up; else 0"""

    @property
    def pad(self) -> int:
        """Zeros on each side: such that stride 1 keeps the size."""
        return self.kernel // 2

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, in torchvision's names and order."""
        norm = ("weight", "bias", "running_mean", "running_var")
        match self.op:
            case "Conv":
                return {f"{self.name}.weight": (self.channels_out, self.channels_in, self.kernel, self.kernel)}
            case "BatchNormalization":
                return {f"{self.name}.{part}": (self.channels_out,) for part in norm}
            case "Gemm":
                return {
                    f"{self.name}.weight": (self.channels_out, self.channels_in),
                    f"{self.name}.bias": (self.channels_out,),
                }
            case _:
                return {}


def layers(architecture: Architecture) -> list[Layer]:
    """The network's operators in the order in which they run, from tensor ``input`` to tensor ``logits``."""
    build = _Builder()
    tensor = build.conv("conv1", "bn1", "input", 3, architecture.stem, kernel=7, stride=2)
    tensor = build.plain("MaxPool", "maxpool", build.plain("Relu", "relu", tensor), kernel=3, stride=2)
    channels = architecture.stem
    for number, stage in enumerate(architecture.stages, start=1):
        for index in range(stage.blocks):
            tensor = build.block(f"layer{number}.{index}", tensor, channels, stage, stage.stride if index == 0 else 1)
            channels = stage.channels
    tensor = build.plain("Flatten", "flatten", build.plain("GlobalAveragePool", "avgpool", tensor))
    build.made.append(Layer("Gemm", "fc", (tensor,), "logits", channels_in=channels, channels_out=architecture.classes))
    return build.made


def parameters(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of the network, by torchvision's name."""
    return {name: shape for layer in layers(architecture) for name, shape in layer.parameters().items()}


def count_parameters(architecture: Architecture) -> int:
    """Trainable numbers: without the running statistics of batch norms."""
    trainable = (shape for name, shape in parameters(architecture).items() if ".running_" not in name)
    return sum(math.prod(shape) for shape in trainable)


def count_flops(architecture: Architecture) -> int:
    """Multiply-adds x 2 of one image, over convolutions and the classifier."""
    side = {"input": architecture.size}
    total = 0
    for layer in layers(architecture):
        side[layer.output] = -(-side[layer.inputs[0]] // layer.stride)
        if layer.op == "Conv":
            total += 2 * side[layer.output] ** 2 * layer.channels_out * layer.channels_in * layer.kernel**2
        elif layer.op == "Gemm":
            total += 2 * layer.channels_out * layer.channels_in
    return total


@dataclass
class _Builder:
    """Appends layers; each method returns the name of the tensor that leaves what it appended."""

    made: list[Layer] = field(default_factory=list)

    def plain(self, op: str, name: str, *inputs: str, kernel: int = 1, stride: int = 1) -> str:
        self.made.append(Layer(op, name, inputs, name, kernel=kernel, stride=stride))
        return name

    def conv(
        self,
        conv: str,
        norm: str,
        tensor: str,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int,
        stride: int = 1,
        residual_blocks: int = 0,
    ) -> str:
        """A convolution without bias, and its batch norm."""
        self.made += [
            Layer("Conv", conv, (tensor,), conv, channels_in, channels_out, kernel, stride),
            Layer(
                "BatchNormalization",
                norm,
                (conv,),
                norm,
                channels_out=channels_out,
                residual_blocks=residual_blocks,
            ),
        ]
        return norm

    def block(self, name: str, tensor: str, channels: int, stage: Stage, stride: int) -> str:
        """A residual block."""
        branch, width = tensor, channels
        steps = list(_branch(stage, stride))
        for step, (channels_out, kernel, step_stride) in enumerate(steps, start=1):
            last = step == len(steps)
            branch = self.conv(
                f"{name}.conv{step}",
                f"{name}.bn{step}",
                branch,
                width,
                channels_out,
                kernel=kernel,
                stride=step_stride,
                residual_blocks=stage.blocks if last else 0,
            )
            branch = branch if last else self.plain("Relu", f"{name}.relu{step}", branch)
            width = channels_out
        shortcut = tensor
        if stride != 1 or channels != stage.channels:
            shortcut = self.conv(
                f"{name}.downsample.0",
                f"{name}.downsample.1",
                tensor,
                channels,
                stage.channels,
                kernel=1,
                stride=stride,
            )
        return self.plain("Relu", f"{name}.relu", self.plain("Add", f"{name}.add", branch, shortcut))


def _branch(stage: Stage, stride: int) -> Iterator[tuple[int, int, int]]:
    """(channels out, kernel, stride) of each convolution in a residual branch."""
    if stage.block == BASIC:
        yield stage.width, 3, stride
        yield stage.width, 3, 1
    else:
        yield stage.width, 1, 1
        yield stage.width, 3, stride
        yield stage.channels, 1, 1


def _resnet(depth: int, block: str, *blocks: int) -> Architecture:
    stages = zip((64, 128, 256, 512), blocks, (1, 2, 2, 2), strict=True)
    return Architecture(f"resnet{depth}", tuple(Stage(block, *stage) for stage in stages))


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        _resnet(18, BASIC, 2, 2, 2, 2),
        _resnet(34, BASIC, 3, 4, 6, 3),
        _resnet(50, BOTTLENECK, 3, 4, 6, 3),
        _resnet(101, BOTTLENECK, 3, 4, 23, 3),
        _resnet(152, BOTTLENECK, 3, 8, 36, 3),
        Architecture(
            "resnet-tiny",
            (Stage(BASIC, 8, 1, 1), Stage(BOTTLENECK, 8, 2, 2)),
            stem=8,
            size=32,
            classes=10,
        ),
    )
}
