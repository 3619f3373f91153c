"""The bound of the integers that a model takes: the length of its embedding."""

from collections import defaultdict
from collections.abc import Mapping

from onnx import GraphProto, NodeProto

PASSES_ON = frozenset(
    {"Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
"""Operators whose output holds the values of their first input and no others."""

Shapes = Mapping[str, tuple[int, ...]]


def below(name: str, graph: GraphProto, shapes: Shapes) -> int | None:
    """The bound below which the values of the integer input `name` must stay; None if the graph sets none.

    The smallest of the axes that are looked up by them (Gather); 2 for what is called a mask. `shapes` are those of
    the graph's tensors as far as they are known.
    """
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for read in node.input:
            readers[read].append(node)
    found: list[int] = []
    seen, left = {name}, [name]
    while left:
        tensor = left.pop()
        for node in readers[tensor]:
            if node.op_type == "Gather" and node.input[1] == tensor and node.input[0] in shapes:
                table = shapes[node.input[0]]
                axis = next((int(a.i) for a in node.attribute if a.name == "axis"), 0)
                found += table[axis : axis + 1 or None]
            elif node.op_type in PASSES_ON and node.input[0] == tensor and node.output[0] not in seen:
                seen.add(node.output[0])
                left.append(node.output[0])
    if found:
        return min(found)
    return 2 if "mask" in name.lower() else None
