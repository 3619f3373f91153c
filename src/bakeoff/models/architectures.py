"""The built-in networks by name, each as plain data without its weights, and what follows from that."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bakeoff.models.networks import encoder, mobile, resnet, squeezenet, vgg
from bakeoff.models.networks.layers import Layer
from bakeoff.models.pictures import EFFICIENTNET_LITE, TORCHVISION, Preprocessing
from bakeoff.records import TensorSpec

Arrays = Mapping[str, NDArray[np.generic]]


def _image(side: int) -> tuple[TensorSpec, ...]:
    return (TensorSpec(name="input", dtype="float32", shape=(None, 3, side, side)),)


@dataclass(frozen=True)
class Architecture:
    """A network without its weights. It classifies, by the output ``logits``, unless it has another."""

    name: str
    layers_for: Callable[[int], list[Layer]]
    """from the number of classes"""
    inputs: tuple[TensorSpec, ...] = _image(224)
    classes: int = 1000
    """0: it does not classify"""
    other_output: TensorSpec | None = None
    from_checkpoint: Callable[[Arrays], Arrays] = dict
    """from a checkpoint's arrays, by name, to the parameters of its layers"""
    preprocessing: Preprocessing | None = None
    """of pictures, as its trained weights want them"""

    @property
    def output(self) -> TensorSpec:
        """The one output."""
        return self.other_output or TensorSpec(name="logits", dtype="float32", shape=(None, self.classes))

    def with_classes(self, classes: int) -> "Architecture":
        """The same network with another classifier."""
        return replace(self, classes=classes)


def layers(architecture: Architecture) -> list[Layer]:
    """The network's operators in the order in which they run."""
    return architecture.layers_for(architecture.classes)


def parameters(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of the network, by its checkpoint's name."""
    return {name: shape for layer in layers(architecture) for name, shape in layer.parameters.items()}


def count_parameters(architecture: Architecture) -> int:
    """Trainable numbers: without the running statistics of batch norms."""
    trainable = (shape for name, shape in parameters(architecture).items() if ".running_" not in name)
    return sum(math.prod(shape) for shape in trainable)


def classifier(architecture: Architecture) -> str:
    """The weight whose first axis counts the classes; "" where there is none."""
    weights = [name for layer in layers(architecture) for name in layer.parameters if name.endswith(".weight")]
    return weights[-1] if architecture.classes else ""


def _resnet(depth: int, block: str, *blocks: int) -> Architecture:
    stages = resnet.stages(block, *blocks)
    return Architecture(f"resnet{depth}", partial(resnet.layers, stages), preprocessing=TORCHVISION)


def _encoder(name: str, size: encoder.Size) -> Architecture:
    tokens = (None, size.sequence)
    return Architecture(
        name,
        lambda _: encoder.layers(size),
        inputs=tuple(TensorSpec(name=each, dtype="int64", shape=tokens) for each in ("input_ids", "attention_mask")),
        classes=0,
        from_checkpoint=partial(encoder.from_checkpoint, size),
        other_output=TensorSpec(name="last_hidden_state", dtype="float32", shape=(*tokens, size.width)),
    )


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        _resnet(18, resnet.BASIC, 2, 2, 2, 2),
        _resnet(34, resnet.BASIC, 3, 4, 6, 3),
        _resnet(50, resnet.BOTTLENECK, 3, 4, 6, 3),
        _resnet(101, resnet.BOTTLENECK, 3, 4, 23, 3),
        _resnet(152, resnet.BOTTLENECK, 3, 8, 36, 3),
        Architecture("mobilenet-v2", partial(mobile.layers, mobile.MOBILENET_V2), preprocessing=TORCHVISION),
        Architecture(
            "efficientnet-lite0", partial(mobile.layers, mobile.EFFICIENTNET_LITE0), preprocessing=EFFICIENTNET_LITE
        ),
        Architecture("squeezenet1.1", squeezenet.layers, preprocessing=TORCHVISION),
        Architecture("vgg16", vgg.layers, preprocessing=TORCHVISION),
        _encoder("minilm", encoder.Size()),
        # For tests: one of each family.
        _encoder("encoder-tiny", encoder.Size(1, width=16, heads=2, intermediate=32, vocabulary=50, sequence=8)),
        Architecture("mobile-tiny", partial(mobile.layers, mobile.TINY), inputs=_image(32), classes=10),
        Architecture(
            "squeezenet-tiny", partial(squeezenet.layers, fires={3: (4, 8), 4: (4, 8)}), _image(32), classes=10
        ),
        Architecture("resnet-tiny", partial(resnet.layers, resnet.TINY, stem=8), inputs=_image(32), classes=10),
    )
}
