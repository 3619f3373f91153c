"""A node of a plain graph, as the builders of its layers take it."""

import paddle
from paddle import nn

IMAGE_PADS = 4


class Node:
    """A node with its attributes, and its constants by position."""

    def __init__(self, node, weights):
        self.attributes, self.inputs, self.outputs = node["attributes"], node["inputs"], node["outputs"]
        self.constants = {i: weights[name] for i, name in enumerate(self.inputs) if name in weights}

    def constant(self, index):
        """The constant that is input `index`; raises NotImplementedError where it is computed."""
        if index not in self.constants:
            raise NotImplementedError("with a computed input {}".format(index))
        return self.constants[index]

    def optional(self, index):
        """The same, or None where the input is absent."""
        return self.constant(index) if index < len(self.inputs) and self.inputs[index] else None

    def window(self):
        """Kernel, stride and padding (top, bottom, left, right) over two axes, as Paddle's layers take them."""
        pads = self.attributes["pads"]
        if len(pads) != IMAGE_PADS:
            raise NotImplementedError("over {} axes".format(len(pads) // 2))
        top, left, bottom, right = pads
        return self.attributes["kernel_shape"], self.attributes["strides"], [top, bottom, left, right]


def applying(function):
    """What builds `function` of a node's operands, of which some may be constant."""
    return lambda node: Partial(function, node.constants) if node.constants else function


class Partial(nn.Layer):
    """`function` with constant operands at the positions that `constants` has; it takes the others."""

    def __init__(self, function, constants):
        super().__init__()
        self.function, self.positions = function, sorted(constants)
        for i in self.positions:
            self.register_buffer("operand_{}".format(i), paddle.to_tensor(constants[i]))

    def forward(self, *tensors):
        operands = list(tensors)
        for i in self.positions:
            operands.insert(i, getattr(self, "operand_{}".format(i)))
        return self.function(*operands)
