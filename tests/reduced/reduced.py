"""PyTorch computing in bf16 or fp16 in earnest, while fp32 was asked. It needs no hardware for that, only patience."""

import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "src", "bakeoff", "engines", "pytorch"))

from adapter import Engine as PyTorch  # noqa: E402 - it is found only now
from adapter import without_gradients  # noqa: E402

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Engine(PyTorch):
    PRECISIONS = ("fp32", "bf16")

    def load(self, model, settings):
        effective = super().load(model, dict(settings, precision="fp32", mode="eager"))
        reduced = autocast if settings["how"] == "autocast" else converted
        with without_gradients():
            self.network = reduced(self.network, settings["how"])
        return effective


def converted(network, how):
    network = network.to(TYPES[how])
    return lambda *tensors: network(*[tensor.to(TYPES[how]) for tensor in tensors]).float()


def autocast(network, _how):
    def run(*tensors):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(*tensors).float()

    return run
