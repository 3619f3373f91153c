"""SqueezeNet 1.1, as torchvision has it.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size" (2016). 1.1 is its
authors' later, faster form. Its pools round sizes up, which changes nothing for images of side 224.
"""

from collections.abc import Mapping

from bakeoff.models.networks.layers import Builder, Layer

STEM = 64
FIRES = {
    3: (16, 64),
    4: (16, 64),
    6: (32, 128),
    7: (32, 128),
    9: (48, 192),
    10: (48, 192),
    11: (64, 256),
    12: (64, 256),
}
"""module -> channels squeezed to, and expanded to by each of two convolutions"""
POOLS = (2, 5, 8)


def layers(classes: int, fires: Mapping[int, tuple[int, int]] = FIRES) -> list[Layer]:
    """A stem, fire modules and pools, and a convolution that classifies every position."""
    build, channels = Builder(), STEM
    tensor = build.conv("features.0", "input", 3, STEM, kernel=3, stride=2, bias=True, pads=[0] * 4)
    tensor = build.relu("features.1", tensor)
    for number in sorted((*fires, *(pool for pool in POOLS if pool < max(fires)))):
        name = f"features.{number}"
        if number in POOLS:
            tensor = build.max_pool(name, tensor, kernel=3, stride=2, pads=[0] * 4)
        else:
            squeezed, expanded = fires[number]
            tensor = _fire(build, name, tensor, channels, squeezed, expanded)
            channels = 2 * expanded
    tensor = build.relu("classifier.2", build.conv("classifier.1", tensor, channels, classes, bias=True))
    build.add("Flatten", "flatten", build.add("GlobalAveragePool", "classifier.3", tensor), output="logits", axis=1)
    return build.made


def _fire(build: Builder, name: str, tensor: str, channels: int, squeezed: int, expanded: int) -> str:
    """Squeeze by a 1x1 convolution, expand by one of 1x1 and one of 3x3 side by side."""

    def conv(part: str, tensor: str, channels_in: int, channels_out: int, kernel: int = 1) -> str:
        module = f"{name}.{part}"
        tensor = build.conv(module, tensor, channels_in, channels_out, kernel=kernel, bias=True)
        return build.relu(f"{module}_activation", tensor)

    tensor = conv("squeeze", tensor, channels, squeezed)
    sides = [conv("expand1x1", tensor, squeezed, expanded), conv("expand3x3", tensor, squeezed, expanded, kernel=3)]
    return build.add("Concat", name, *sides, axis=1)
