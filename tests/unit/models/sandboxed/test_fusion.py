import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bakeoff.models.sandboxed.fusion import fuse

pytestmark = pytest.mark.unit

WEIGHTS = {
    "two": np.array(2, np.float32),
    "epsilon": np.array(1e-5, np.float32),
    "scale": np.ones(8, np.float32),
    "shift": np.zeros(8, np.float32),
    "root": np.array(math.sqrt(2), np.float32),
    "one": np.array(1, np.float32),
    "half": np.array([0.5], np.float32),
}
RANKS = {"x": 3, "squares": 3}


def node(op: str, output: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"op": op, "name": output, "inputs": list(inputs), "outputs": [output], "attributes": attributes}


def layer_norm(axes: list[int]) -> list[dict[str, Any]]:
    return [
        node("ReduceMean", "mean", "x", axes=axes, keepdims=1),
        node("Sub", "centred", "x", "mean"),
        node("Pow", "squares", "centred", "two"),
        node("ReduceMean", "variance", "squares", axes=axes, keepdims=1),
        node("Add", "positive", "variance", "epsilon"),
        node("Sqrt", "deviation", "positive"),
        node("Div", "normed", "centred", "deviation"),
        node("Mul", "scaled", "normed", "scale"),
        node("Add", "y", "shift", "scaled"),
    ]


PRODUCTS = [
    (node("Mul", "twice", "x2", "share"), node("Mul", "y", "twice", "half")),
    (node("Mul", "twice", "share", "x2"), node("Mul", "y", "half", "twice")),
    (node("Mul", "part", "half", "share"), node("Mul", "y", "x2", "part")),
    (node("Mul", "part", "share", "half"), node("Mul", "y", "part", "x2")),
]
"""Of the three factors of a GELU, in the orders in which exporters multiply them."""


def gelu(product: Sequence[dict[str, Any]] = PRODUCTS[0]) -> list[dict[str, Any]]:
    return [
        node("Add", "x2", "x", "bias"),
        node("Div", "inner", "x2", "root"),
        node("Erf", "erf", "inner"),
        node("Add", "share", "erf", "one"),
        *product,
    ]


@pytest.mark.parametrize("axes", [[-1], [2]])
def test_a_layer_norm_in_nine_operators_becomes_one(axes: list[int]) -> None:
    [found] = fuse(layer_norm(axes), WEIGHTS, RANKS, {"y"})
    assert (found["op"], found["inputs"], found["outputs"]) == ("LayerNormalization", ["x", "scale", "shift"], ["y"])
    assert found["attributes"] == {"axis": -1, "epsilon": pytest.approx(1e-5), "stash_type": 1}


@pytest.mark.parametrize("product", PRODUCTS)
def test_gelu_becomes_one_behind_an_add_that_is_no_part_of_it(product: Sequence[dict[str, Any]]) -> None:
    before, found = fuse(gelu(product), WEIGHTS, RANKS, {"y"})
    assert before["outputs"] == ["x2"]
    assert (found["op"], found["inputs"], found["outputs"]) == ("Gelu", ["x2"], ["y"])


def test_what_somebody_else_reads_stays_apart() -> None:
    nodes = [*layer_norm([-1]), node("Relu", "z", "centred")]
    assert fuse(nodes, WEIGHTS, RANKS, {"y", "z"}) == nodes
    assert fuse(layer_norm([-1]), WEIGHTS, RANKS, {"y", "variance"}) == layer_norm([-1])


@pytest.mark.parametrize("change", [("two", 3.0), ("half", 0.25), ("root", 1.5), ("one", 2.0)])
def test_other_numbers_are_another_function(change: tuple[str, float]) -> None:
    name, value = change
    weights = WEIGHTS | {name: np.array(value, np.float32)}
    for nodes in [layer_norm([-1])] if name == "two" else map(gelu, PRODUCTS):
        assert fuse(nodes, weights, RANKS, {"y"}) == nodes


def test_a_power_of_a_number_is_no_square() -> None:
    nodes = layer_norm([-1])
    nodes[2] = node("Pow", "squares", "two", "centred")
    assert fuse(nodes, WEIGHTS, RANKS, {"y"}) == nodes


def test_a_norm_over_another_axis_stays_apart() -> None:
    assert fuse(layer_norm([1]), WEIGHTS, RANKS, {"y"}) == layer_norm([1])
