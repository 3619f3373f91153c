"""VGG-16 without batch norms, as torchvision has it.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2014).
"""

from bakeoff.models.networks.layers import Builder, Layer

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""before each pool"""
CHANNELS = (64, 128, 256, 512, 512)
HIDDEN = 4096


def layers(classes: int, side: int = 224) -> list[Layer]:
    """Convolutions of 3x3 and pools, and three matrix products that have nine tenths of the parameters."""
    build, tensor, channels, number = Builder(), "input", 3, 0
    for width, convolutions in zip(CHANNELS, CONVOLUTIONS, strict=True):
        for _ in range(convolutions):
            tensor = build.conv(f"features.{number}", tensor, channels, width, kernel=3, bias=True)
            tensor, channels, number = build.relu(f"features.{number + 1}", tensor), width, number + 2
        tensor, number = build.max_pool(f"features.{number}", tensor, kernel=2, stride=2, pads=[0] * 4), number + 1
    tensor = build.add("Flatten", "flatten", tensor, axis=1)
    width = channels * (side // 2 ** len(CONVOLUTIONS)) ** 2
    for module in (0, 3):
        tensor = build.relu(f"classifier.{module + 1}", build.dense(f"classifier.{module}", tensor, width, HIDDEN))
        width = HIDDEN
    build.dense("classifier.6", tensor, width, classes, output="logits")
    return build.made
