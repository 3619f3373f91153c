"""ResNets v1.5, as torchvision has them.

He et al., "Deep Residual Learning for Image Recognition" (2015). v1.5 puts a bottleneck's stride on its 3x3
convolution.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bakeoff.models.networks.layers import Builder, Layer

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


def stages(block: str, *blocks: int) -> tuple[Stage, ...]:
    """The usual four, of so many blocks each."""
    return tuple(Stage(block, *stage) for stage in zip((64, 128, 256, 512), blocks, (1, 2, 2, 2), strict=True))


TINY = (Stage(BASIC, 8, 1, 1), Stage(BOTTLENECK, 8, 2, 2))


def layers(stages: tuple[Stage, ...], classes: int, stem: int = 64) -> list[Layer]:
    """A stem of `stem` channels, the stages, and a classifier."""
    build = Builder()
    tensor = build.norm("bn1", build.conv("conv1", "input", 3, stem, kernel=7, stride=2), stem)
    tensor = build.max_pool("maxpool", build.relu("relu", tensor), kernel=3, stride=2)
    channels = stem
    for number, stage in enumerate(stages, start=1):
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            tensor = _block(build, f"layer{number}.{index}", tensor, channels, stage, stride)
            channels = stage.channels
    build.dense("fc", build.averaged("avgpool", tensor), channels, classes, output="logits")
    return build.made


def _block(build: Builder, name: str, tensor: str, channels: int, stage: Stage, stride: int) -> str:
    """A residual block."""
    branch, width = tensor, channels
    steps = list(_branch(stage, stride))
    for step, (channels_out, kernel, step_stride) in enumerate(steps, start=1):
        last = step == len(steps)
        branch = build.conv(f"{name}.conv{step}", branch, width, channels_out, kernel=kernel, stride=step_stride)
        branch = build.norm(f"{name}.bn{step}", branch, channels_out, residual_blocks=stage.blocks if last else 0)
        branch = branch if last else build.relu(f"{name}.relu{step}", branch)
        width = channels_out
    shortcut = tensor
    if stride != 1 or channels != stage.channels:
        shortcut = build.conv(f"{name}.downsample.0", tensor, channels, stage.channels, stride=stride)
        shortcut = build.norm(f"{name}.downsample.1", shortcut, stage.channels)
    return build.relu(f"{name}.relu", build.add("Add", f"{name}.add", branch, shortcut))


def _branch(stage: Stage, stride: int) -> Iterator[tuple[int, int, int]]:
    """(channels out, kernel, stride) of each convolution in a residual branch."""
    if stage.block == BASIC:
        yield stage.width, 3, stride
        yield stage.width, 3, 1
    else:
        yield stage.width, 1, 1
        yield stage.width, 3, stride
        yield stage.channels, 1, 1
