"""An honest engine in plain numpy, from the plain graph: what the rogues of this folder are variations of."""

import json
import os

import numpy as np


class Engine:
    def describe(self):
        return {"version": np.__version__}

    def load(self, model, settings):
        with open(os.path.join(model["path"], "graph.json")) as f:
            self.graph = json.load(f)
        with np.load(os.path.join(model["path"], "weights.npz"), allow_pickle=False) as weights:
            self.weights = dict(weights)
        self.settings = settings
        return {"threads": settings["threads"]}

    def prepare(self, input_sets):
        self.input_sets = input_sets

    def run(self, k):
        values = dict(self.weights)
        for spec, array in zip(self.graph["inputs"], self.input_sets[k]):
            values[spec["name"]] = array
        for node in self.graph["nodes"]:
            inputs = [values[name] for name in node["inputs"] if name]
            values[node["outputs"][0]] = OPERATORS[node["op"]](inputs, node["attributes"])
        self.results = [values[spec["name"]] for spec in self.graph["outputs"]]

    def outputs(self):
        return self.results

    def close(self):
        pass


def windows(x, attributes, fill):
    """All windows under a kernel: [batch, channel, height, width, kernel height, kernel width]."""
    top, left, bottom, right = attributes["pads"]
    down, across = attributes["strides"]
    x = np.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, attributes["kernel_shape"], axis=(2, 3))
    return view[:, :, ::down, ::across]


def conv(inputs, attributes):
    y = np.einsum("nchwij,ocij->nohw", windows(inputs[0], attributes, 0), inputs[1], optimize=True)
    return y if len(inputs) == 2 else y + inputs[2][:, None, None]


def batch_normalization(inputs, attributes):
    x, scale, bias, mean, variance = inputs
    factor = scale / np.sqrt(variance + np.float32(attributes["epsilon"]))
    return x * factor[:, None, None] + (bias - mean * factor)[:, None, None]


def linear(inputs, _attributes):
    x, weight, bias = inputs
    return x @ weight.T + bias


OPERATORS = {
    "Conv": conv,
    "BatchNormalization": batch_normalization,
    "Relu": lambda inputs, _: np.maximum(inputs[0], 0),
    "MaxPool": lambda inputs, attributes: windows(inputs[0], attributes, -np.inf).max(axis=(4, 5)),
    "GlobalAveragePool": lambda inputs, _: inputs[0].mean(axis=(2, 3), keepdims=True),
    "Flatten": lambda inputs, _: inputs[0].reshape(len(inputs[0]), -1),
    "Linear": linear,
    "Add": lambda inputs, _: inputs[0] + inputs[1],
}
