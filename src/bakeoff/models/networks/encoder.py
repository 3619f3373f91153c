"""A transformer encoder of MiniLM's size, named as BERT's.

Vaswani et al., "Attention Is All You Need" (2017); Devlin et al., "BERT" (2018); Wang et al., "MiniLM: Deep
Self-Attention Distillation" (2020). Layer norms and GELU stand in the operators that every opset has, as exporters
write them; runtimes that have kernels for them recognise them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bakeoff.models.networks.layers import Builder, Layer

FLOAT = 1
"""TensorProto.FLOAT"""
EPSILON = 1e-12
"""BERT's, added to every layer norm's variance."""
MASKED = 10_000.0
"""taken from the scores of tokens that are not to be looked at"""


UNUSED = ("embeddings.position_ids", "embeddings.token_type_embeddings.weight")
MATRICES = tuple(f"{name}.weight" for name in ("query", "key", "value", "dense"))


@dataclass(frozen=True)
class Size:
    """How large an encoder is."""

    depth: int = 6
    width: int = 384
    heads: int = 12
    intermediate: int = 1536
    vocabulary: int = 30_522
    sequence: int = 128


def layers(size: Size) -> list[Layer]:
    """Embeddings and blocks: from ``input_ids`` and ``attention_mask`` to ``last_hidden_state``."""
    return _Encoder(size).layers()


def from_checkpoint(size: Size, arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """The parameters of `layers` from those of a BERT as PyTorch has it: matrices turned, what is constant added up.

    Positions beyond the sequence, types of tokens but the first, and the pooler have no part in it.
    """
    kept = {name: array for name, array in arrays.items() if not name.startswith("pooler.") and name not in UNUSED}
    positions, types = "embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"
    if positions in kept and types in arrays:
        kept[positions] = (kept[positions][: size.sequence] + arrays[types][0]).astype(np.float32)
    turned = {name: array.T for name, array in kept.items() if name.endswith(MATRICES)}
    return kept | turned


class _Encoder:
    def __init__(self, size: Size) -> None:
        self.size, self.build = size, Builder()

    def layers(self) -> list[Layer]:
        size, build = self.size, self.build
        table = "embeddings.word_embeddings.weight"
        tensor = build.add(
            "Gather",
            "embeddings.word_embeddings",
            *(table, "input_ids"),
            parameters={table: (size.vocabulary, size.width)},
            axis=0,
        )
        positions = {"embeddings.position_embeddings.weight": (size.sequence, size.width)}
        tensor = build.add("Add", "embeddings.position_embeddings", tensor, parameters=positions)
        tensor = self.norm("embeddings.LayerNorm", tensor)
        mask = self.mask()
        for index in range(size.depth):
            tensor = self.block(f"encoder.layer.{index}", tensor, mask, last=index == size.depth - 1)
        return build.made

    def mask(self) -> str:
        """[batch, 1, 1, sequence]: nothing for the tokens to look at, `MASKED` less for the others."""
        tensor = self.build.add("Cast", "mask.cast", "attention_mask", to=FLOAT)
        tensor = self.number("Sub", "mask.inverted", tensor, 1.0)
        return self.reshaped("mask", self.number("Mul", "mask.scaled", tensor, MASKED), 1, 1, self.size.sequence)

    def block(self, name: str, tensor: str, mask: str, *, last: bool) -> str:
        """Attention and two matrix products, each added to what came in and normed."""
        size, build = self.size, self.build
        attended = self.attention(f"{name}.attention", tensor, mask)
        attended = self.linear(f"{name}.attention.output.dense", attended, size.width, size.width, ends_branch=True)
        tensor = build.add("Add", f"{name}.attention.output.add", attended, tensor)
        tensor = self.norm(f"{name}.attention.output.LayerNorm", tensor)
        inner = self.linear(f"{name}.intermediate.dense", tensor, size.width, size.intermediate)
        inner = self.gelu(f"{name}.intermediate.gelu", inner)
        inner = self.linear(f"{name}.output.dense", inner, size.intermediate, size.width, ends_branch=True)
        tensor = build.add("Add", f"{name}.output.add", inner, tensor)
        return self.norm(f"{name}.output.LayerNorm", tensor, output="last_hidden_state" if last else "")

    def attention(self, name: str, tensor: str, mask: str) -> str:
        """softmax(q k / sqrt(d) + mask) v for each head."""
        size, build = self.size, self.build
        per_head = size.width // size.heads
        turned = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}
        heads = {}
        for part, perm in turned.items():
            each = self.linear(f"{name}.self.{part}", tensor, size.width, size.width)
            each = self.reshaped(f"{name}.self.{part}.heads", each, size.sequence, size.heads, per_head)
            heads[part] = build.add("Transpose", f"{name}.self.{part}.turned", each, perm=perm)
        scores = build.add("MatMul", f"{name}.self.scores", heads["query"], heads["key"])
        scores = self.number("Div", f"{name}.self.scaled", scores, math.sqrt(per_head))
        shares = build.add(
            "Softmax", f"{name}.self.shares", build.add("Add", f"{name}.self.seen", scores, mask), axis=3
        )
        mixed = build.add("MatMul", f"{name}.self.mixed", shares, heads["value"])
        mixed = build.add("Transpose", f"{name}.self.back", mixed, perm=[0, 2, 1, 3])
        return self.reshaped(f"{name}.self", mixed, size.sequence, size.width)

    def linear(self, name: str, tensor: str, width_in: int, width_out: int, *, ends_branch: bool = False) -> str:
        weight = {f"{name}.weight": (width_in, width_out)}
        branches = 2 * self.size.depth if ends_branch else 0
        tensor = self.build.add("MatMul", f"{name}.product", tensor, parameters=weight, residual_blocks=branches)
        return self.build.add("Add", name, tensor, parameters={f"{name}.bias": (width_out,)})

    def norm(self, name: str, tensor: str, output: str = "") -> str:
        """(x - mean) / sqrt(variance + epsilon), scaled and shifted."""
        build = self.build
        mean = build.add("ReduceMean", f"{name}.mean", tensor, axes=[2], keepdims=1)
        centred = build.add("Sub", f"{name}.centred", tensor, mean)
        squares = self.number("Pow", f"{name}.squares", centred, 2.0)
        variance = build.add("ReduceMean", f"{name}.variance", squares, axes=[2], keepdims=1)
        deviation = build.add("Sqrt", f"{name}.deviation", self.number("Add", f"{name}.positive", variance, EPSILON))
        tensor = build.add("Div", f"{name}.normed", centred, deviation)
        width = (self.size.width,)
        tensor = build.add("Mul", f"{name}.scaled", tensor, parameters={f"{name}.weight": width})
        return build.add("Add", name, tensor, output=output, parameters={f"{name}.bias": width})

    def gelu(self, name: str, tensor: str) -> str:
        """Half of x (1 + erf(x / sqrt(2)))."""
        share = self.build.add("Erf", f"{name}.erf", self.number("Div", f"{name}.inner", tensor, math.sqrt(2)))
        share = self.number("Add", f"{name}.share", share, 1.0)
        return self.number("Mul", name, self.build.add("Mul", f"{name}.twice", tensor, share), 0.5)

    def number(self, op: str, name: str, tensor: str, value: float) -> str:
        """`op` of a tensor and a number."""
        return self.build.add(op, name, tensor, constants={f"number {value:g}": np.array(value, np.float32)})

    def reshaped(self, name: str, tensor: str, *sizes: int) -> str:
        """To these sizes, behind the batch axis as it is."""
        text = "x".join(map(str, sizes))
        return self.build.add("Reshape", name, tensor, constants={f"shape {text}": np.array([0, *sizes], np.int64)})
