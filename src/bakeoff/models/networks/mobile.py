"""MobileNetV2 and EfficientNet-Lite0: inverted residuals.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), named as in torchvision. Tan & Le,
"EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in the Lite form for phones and
integers (ReLU6, nothing that squeezes and excites), named as in the PyTorch port that has its weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bakeoff.models.networks.layers import EPSILON, Builder, Layer

STEM, HEAD = 32, 1280
"""channels"""
EXPAND, DEPTHWISE, PROJECT = "expand", "depthwise", "project"

Names = tuple[str, str]
"""of a convolution and of its batch norm"""


@dataclass(frozen=True)
class Stage:
    """Blocks that give `channels`; the first of them has the stride, and no shortcut."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int = 3


@dataclass(frozen=True)
class Design:
    """What tells the two apart."""

    stages: tuple[Stage, ...]
    stem: Names
    block: Callable[[int, Sequence[str]], dict[str, Names]]
    """from a block's number and its steps to their names"""
    head: Names
    classifier: str
    epsilon: float = EPSILON
    pads_as_tensorflow: bool = False
    """a stride's padding is TensorFlow's "same": the odd row at the bottom, the odd column at the right"""


def layers(design: Design, classes: int) -> list[Layer]:
    """A stem, the stages, a head and a classifier."""
    build, number, channels = Builder(), 0, STEM
    tensor = _activated(build, design, design.stem, "input", 3, STEM, kernel=3, stride=2)
    for stage in design.stages:
        for index in range(stage.blocks):
            tensor = _block(build, design, number, tensor, channels, stage, first=index == 0)
            channels, number = stage.channels, number + 1
    tensor = _activated(build, design, design.head, tensor, channels, HEAD)
    build.dense(design.classifier, build.averaged("avgpool", tensor), HEAD, classes, output="logits")
    return build.made


def _block(
    build: Builder, design: Design, number: int, tensor: str, channels: int, stage: Stage, *, first: bool
) -> str:
    """Widen, convolve each channel by itself, narrow; add what came in where nothing changed its shape."""
    steps = [EXPAND] * (stage.expansion > 1) + [DEPTHWISE, PROJECT]
    names, width, stride = design.block(number, steps), channels * stage.expansion, stage.stride if first else 1
    branch = tensor
    if EXPAND in steps:
        branch = _activated(build, design, names[EXPAND], branch, channels, width)
    depthwise = {"kernel": stage.kernel, "stride": stride, "group": width}
    branch = _activated(build, design, names[DEPTHWISE], branch, width, width, **depthwise)
    conv, norm = names[PROJECT]
    branch = build.norm(
        norm,
        build.conv(conv, branch, width, stage.channels),
        stage.channels,
        epsilon=design.epsilon,
        residual_blocks=0 if first else stage.blocks,
    )
    return branch if first else build.add("Add", f"{conv}.add", branch, tensor)


def _activated(
    build: Builder,
    design: Design,
    names: Names,
    tensor: str,
    channels_in: int,
    channels_out: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    group: int = 1,
) -> str:
    """A convolution, its batch norm, and ReLU6."""
    conv, norm = names
    # Sizes are even wherever there is a stride: all in all, kernel - stride rows and columns are lacking.
    lacking = kernel - stride
    pads = [lacking // 2] * 2 + [lacking - lacking // 2] * 2 if design.pads_as_tensorflow else None
    tensor = build.conv(conv, tensor, channels_in, channels_out, kernel=kernel, stride=stride, group=group, pads=pads)
    return build.relu6(f"{conv}.relu6", build.norm(norm, tensor, channels_out, epsilon=design.epsilon))


def _torchvisions(number: int, steps: Sequence[str]) -> dict[str, Names]:
    """All but the last step are modules of convolution, batch norm and ReLU6."""
    block, last = f"features.{number + 1}.conv", len(steps) - 1
    names = {step: (f"{block}.{index}.0", f"{block}.{index}.1") for index, step in enumerate(steps)}
    return names | {PROJECT: (f"{block}.{last}", f"{block}.{last + 1}")}


def _efficientnets(number: int, _steps: Sequence[str]) -> dict[str, Names]:
    block = f"_blocks.{number}"
    return {step: (f"{block}._{step}_conv", f"{block}._bn{n}") for n, step in enumerate((EXPAND, DEPTHWISE, PROJECT))}


MOBILENET_V2 = Design(
    stages=(
        *(Stage(1, 16, 1, 1), Stage(6, 24, 2, 2), Stage(6, 32, 3, 2), Stage(6, 64, 4, 2)),
        *(Stage(6, 96, 3, 1), Stage(6, 160, 3, 2), Stage(6, 320, 1, 1)),
    ),
    stem=("features.0.0", "features.0.1"),
    block=_torchvisions,
    head=("features.18.0", "features.18.1"),
    classifier="classifier.1",
)

EFFICIENTNET_LITE0 = Design(
    stages=(
        *(Stage(1, 16, 1, 1), Stage(6, 24, 2, 2), Stage(6, 40, 2, 2, kernel=5), Stage(6, 80, 3, 2)),
        *(Stage(6, 112, 3, 1, kernel=5), Stage(6, 192, 4, 2, kernel=5), Stage(6, 320, 1, 1)),
    ),
    stem=("_conv_stem", "_bn0"),
    block=_efficientnets,
    head=("_conv_head", "_bn1"),
    classifier="_fc",
    epsilon=1e-3,
    pads_as_tensorflow=True,
)

TINY = replace(EFFICIENTNET_LITE0, stages=(Stage(1, 8, 1, 1), Stage(2, 8, 2, 2, kernel=5)))
