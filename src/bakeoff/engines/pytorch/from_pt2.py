"""Brings a PyTorch exported program to ONNX: ``python from_pt2.py SOURCE TARGET``.

TARGET becomes a folder with model.onnx; or, where PyTorch's exporter lacks an operator, with signature.json, which says
so and what the program takes and gives.
"""

import json
import logging
import os
import sys
import warnings

import torch


def bring(source, target):
    program = load(source)
    os.mkdir(target)
    try:
        logging.disable(logging.WARNING)  # about packages that have operators of their own and are not here
        torch.onnx.export(program, dynamo=True, verbose=False).save(os.path.join(target, "model.onnx"))
    except Exception as error:  # noqa: BLE001 - whatever an exporter makes of a program that it lacks something for
        with open(os.path.join(target, "signature.json"), "w", encoding="utf-8") as f:
            json.dump(dict(signature(program), reason=root_of(error)), f)


def load(source):
    try:
        return torch.export.load(source)
    except Exception as error:  # noqa: BLE001 - the file is the user's: whatever is wrong with it
        sys.exit("torch.export.load: " + root_of(error))


def root_of(error):
    """The first cause of an error, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip()[:300]


def signature(program):
    """Inputs and outputs with open axes by their symbols."""
    values = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
    sides = {"inputs": program.graph_signature.user_inputs, "outputs": program.graph_signature.user_outputs}
    return {side: [described(name, values[name]) for name in names] for side, names in sides.items()}


def described(name, tensor):
    axes = [int(size) if str(size).isdecimal() else str(size) for size in tensor.shape]
    return {"name": name, "dtype": str(tensor.dtype).split(".")[1], "axes": axes}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    bring(*sys.argv[1:])
