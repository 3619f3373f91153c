"""What builds a Keras model node after node, and knows which of a graph's axes stands where."""

import importlib
import json
import os

import numpy as np
from layout import IMAGE_AXES, axis_in_nhwc, nhwc_order, same_pads, shape_of

OF_IMAGES = {
    "AveragePool",
    "BatchNormalization",
    "Conv",
    "ConvTranspose",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "MaxPool",
    "Resize",
}
"""Operators whose operands, if they have four axes, must stand in NHWC."""
TO_NCHW = (0, 3, 1, 2)
"""Where in NHWC the graph's axes stand."""
NEVER_NEGATIVE = {"Relu", "Sigmoid", "HardSigmoid", "Softmax"}


def read(folder):
    """The description and the weights of the plain graph in `folder`: a dict, and a dict of arrays."""
    with open(os.path.join(folder, "graph.json"), encoding="utf-8") as f:
        graph = json.load(f)
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as archive:
        return graph, {name: archive[name] for name in archive.files}


class Builder:
    """Adds one node after another; `values` maps the graph's tensor names to Keras' tensors.

    `in_nhwc` names those tensors of four axes that stand in NHWC, `turned` holds them and others the other way round.
    `transposed` has for what a Transpose made its source and the permutation, so that turning it is a single one.
    `nhwc` is whether the operands and results of the node at hand stand in NHWC if they have four axes.
    """

    def __init__(self, graph, weights, keras):
        self.graph, self.weights, self.keras, self.layers = graph, weights, keras, keras.layers
        self.math = keras.ops if hasattr(keras, "ops") else importlib.import_module("old_math")
        self.values, self.turned, self.transposed, self.to_fill = {}, {}, {}, []
        self.in_nhwc, self.nhwc = set(), True
        self.maker = {node["outputs"][0]: node["op"] for node in graph["nodes"]}

    def order(self, rank):
        """Which of the graph's axes stands where."""
        return nhwc_order(rank) if self.nhwc else tuple(range(rank))

    def axis(self, axis, x):
        """Where the graph's `axis` of `x` stands."""
        rank = len(shape_of(x))
        return axis_in_nhwc(axis, rank) if self.nhwc else axis % rank

    def keep_order(self):
        """From here on, the operands and results of the node at hand stand as the graph has them."""
        self.nhwc = False

    def wants_nhwc(self, node):
        """Image layers do; all others take images as they stand, if there is nothing else among their operands."""
        if node["op"] in OF_IMAGES:
            return True
        ranks = {len(shape_of(self.values[name])) for name in node["inputs"] if name in self.values}
        most = max([self.weights[name].ndim for name in node["inputs"] if name in self.weights] or [0])
        return ranks == {IMAGE_AXES} and most <= IMAGE_AXES and not self.in_nhwc.isdisjoint(node["inputs"])

    def build(self, batch_size, layers):
        """The `keras.Model`; `layers` has for each operator the function that adds it."""
        inputs = []
        for number, i in enumerate(self.graph["inputs"]):
            sizes = [batch_size if size is None else size for size in i["shape"]]
            shape = [sizes[axis] for axis in self.order(len(sizes))]
            name = "input_{}".format(number)
            inputs.append(self.layers.Input(batch_shape=shape, dtype=i["dtype"], name=name))
            self.keep(i["name"], inputs[-1])
        for node in self.graph["nodes"]:
            try:
                self.add(node, layers[node["op"]])
            except NotImplementedError as error:
                raise NotImplementedError("no Keras translation for: {} {}".format(node["op"], error)) from error
            except (AttributeError, TypeError, ValueError) as error:
                if hasattr(self.keras, "ops"):
                    raise
                reason = "this old Keras has no {} of this kind: {}".format(node["op"], error)
                raise NotImplementedError(reason) from error
        self.nhwc = True
        model = self.keras.models.Model(inputs, [self.tensor(o["name"]) for o in self.graph["outputs"]])
        self.fill()
        return model

    def add(self, node, layer):
        self.nhwc = self.wants_nhwc(node)
        made = layer(self, node, node["attributes"])
        for name, x in zip(node["outputs"], made if isinstance(made, list) else [made]):
            self.keep(name, x)

    def keep(self, name, x):
        self.values[name] = x
        if self.nhwc and len(shape_of(x)) == IMAGE_AXES:
            self.in_nhwc.add(name)

    def tensor(self, name):
        """The tensor of that name as the node at hand wants it to stand."""
        x = self.values[name]
        if len(shape_of(x)) != IMAGE_AXES or self.nhwc == (name in self.in_nhwc):
            return x
        if name not in self.turned:
            source, perm = self.transposed.get(name, (x, range(IMAGE_AXES)))
            turn = nhwc_order(IMAGE_AXES) if self.nhwc else TO_NCHW
            self.turned[name] = self.permuted(source, tuple(perm[axis] for axis in turn))
        return self.turned[name]

    def permuted(self, x, perm):
        if perm == tuple(range(len(perm))):
            return x
        shape = shape_of(x)
        moved = [axis for axis in perm if shape[axis] != 1]
        if perm[0] == 0 and moved == sorted(moved) and None not in shape[1:]:
            return self.layers.Reshape(tuple(shape[axis] for axis in perm[1:]))(x)
        if perm[0] == 0:
            return self.layers.Permute(perm[1:])(x)
        return self.computed(lambda t: self.math.transpose(t, perm), x)

    def fill(self):
        """Sets all weights at once: one by one it takes TensorFlow 1 a session call each."""
        pairs = [pair for layer, arrays in self.to_fill for pair in zip(layer.weights, arrays)]
        if hasattr(self.keras.backend, "batch_set_value"):
            self.keras.backend.batch_set_value(pairs)
        else:
            for variable, array in pairs:
                variable.assign(array)

    def filled(self, layer, x, arrays):
        """What `layer` makes of `x`; `arrays` are its weights, in its own order."""
        y = layer(x)
        self.to_fill.append((layer, arrays))
        return y

    def inputs(self, node):
        return [self.tensor(name) for name in node["inputs"] if name and name not in self.weights]

    def input(self, node):
        """The node's first operand, which may not be a constant."""
        if node["inputs"][0] not in self.values:
            raise NotImplementedError("of a constant")
        return self.tensor(node["inputs"][0])

    def constant(self, node, index):
        """The constant that is input `index`, None where there is no such input."""
        name = node["inputs"][index] if index < len(node["inputs"]) else ""
        if name and name not in self.weights:
            raise NotImplementedError("with a computed input {}".format(index))
        return self.weights[name] if name else None

    def padded(self, node, x, value=0.0):
        """What to pool or convolve, and Keras' word for how to pad it, such that it is as the graph says."""
        attributes = node["attributes"]
        pads, size, strides = attributes["pads"], shape_of(x)[1:3], attributes["strides"]
        if len(pads) != 2 * len(size) or len(shape_of(x)) != IMAGE_AXES:
            raise NotImplementedError("over {} axes".format(len(pads) // 2))
        dilations = attributes.get("dilations", [1, 1])
        reach = [(k - 1) * d + 1 for k, d in zip(attributes["kernel_shape"], dilations)]
        if not any(pads):
            return x, "valid"
        if pads == same_pads(size, reach, strides):
            return x, "same"
        top, left, bottom, right = pads
        if value == 0.0 or self.maker.get(node["inputs"][0]) in NEVER_NEGATIVE:
            return self.layers.ZeroPadding2D(((top, bottom), (left, right)))(x), "valid"
        return self.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), value), "valid"

    def pad(self, x, pads, value):
        """`x` with `value` around it, for which Keras has no layer."""
        return self.computed(lambda t: self.math.pad(t, pads, constant_values=value), x)

    def computed(self, function, x):
        """What `function` makes of `x`: Keras 3 computes with its tensors, Keras 2 wants a layer for it."""
        if hasattr(self.keras, "ops"):
            return function(x)
        made = function(x)  # for its shape; left to itself, Keras 2 calls it with floats, whatever x holds
        return self.layers.Lambda(function, output_shape=lambda _: self.keras.backend.int_shape(made))(x)
