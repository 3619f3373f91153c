"""Brings a Keras file, a SavedModel or a TFLite file to ONNX: ``python to_onnx.py SOURCE TARGET``.

TARGET becomes a folder with model.onnx; or, where tf2onnx lacks an operator, with signature.json, which says so and
what the network takes and gives. Inputs keep their layout. A Keras file is read in safe mode: no lambdas, no code.
"""

import json
import logging
import os
import sys
import tempfile

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

OPSETS = (13, 18)
"""13 is what the most engines take; some operators came later"""


def bring(source, target):
    kind = os.path.splitext(source)[1]
    with tempfile.TemporaryDirectory() as scratch:
        if kind == ".keras":
            source = saved_model_of(source, os.path.join(scratch, "saved_model"))
        sides = signature_of_tflite(source) if kind == ".tflite" else signature(source)
        os.mkdir(target)
        reason = convert_somehow(source, target, [tensor["name"] for tensor in sides["outputs"]])
        if reason:
            with open(os.path.join(target, "signature.json"), "w", encoding="utf-8") as f:
                json.dump(dict(sides, reason=reason), f)


def saved_model_of(source, folder):
    import keras

    try:
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - the file is the user's: whatever is wrong with it
        sys.exit("Keras cannot load it in safe mode: " + first_line(error).partition(". ")[0])  # no way around it
    model.export(folder, format="tf_saved_model", verbose=False)
    return folder


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def signature(folder):
    """Inputs and outputs of the serving signature."""
    try:
        serving = tf.saved_model.load(folder).signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        sys.exit("TensorFlow finds no serving_default in it: " + first_line(error))
    inputs = [described(name, spec) for name, spec in serving.structured_input_signature[1].items()]
    return {"inputs": inputs, "outputs": [described(*item) for item in in_order(serving.structured_outputs)]}


def in_order(outputs):
    """By name, output_2 before output_10."""
    return sorted(outputs.items(), key=lambda item: (len(item[0]), item[0]))


def described(name, spec):
    if spec.shape.rank is None:
        sys.exit("{} does not even say how many axes it has".format(name))
    return {"name": name, "dtype": spec.dtype.name, "axes": axes(name, spec.shape.as_list())}


def axes(name, sizes):
    """Sizes, and a name for each axis that is open: the first one's is that of a batch."""
    known = [None if size is None or size < 0 else int(size) for size in sizes]
    return [size or ("{}_{}".format(name, i) if i else "batch") for i, size in enumerate(known)]


def signature_of_tflite(source):
    try:
        interpreter = tf.lite.Interpreter(source)
    except ValueError as error:
        sys.exit("TensorFlow Lite cannot read it: " + first_line(error))
    sides = {"inputs": interpreter.get_input_details(), "outputs": interpreter.get_output_details()}
    return {side: [of_tflite(tensor) for tensor in tensors] for side, tensors in sides.items()}


def of_tflite(tensor):
    shape = axes(tensor["name"], tensor["shape_signature"])
    return {"name": tensor["name"], "dtype": np.dtype(tensor["dtype"]).name, "axes": shape}


def convert_somehow(source, target, outputs):
    """Write the ONNX file at the first opset that can say it; returns why none can, or ""."""
    reason = ""
    for opset in OPSETS:
        try:
            convert(source, os.path.join(target, "model.onnx"), outputs, opset)
        except Exception as error:  # noqa: BLE001 - whatever tf2onnx makes of a network that it lacks something for
            reason = first_line(error)
        else:
            return ""
    return reason


def convert(source, target, outputs, opset):
    """Write the ONNX file. Raises `NotImplementedError` naming operators that have no ONNX form."""
    logging.disable(logging.ERROR)
    kind = "--saved-model" if os.path.isdir(source) else "--tflite"
    sys.argv = ["tf2onnx", kind, source, "--output", target, "--opset", str(opset)]
    tf2onnx.convert.main()
    model = onnx.load(target)
    lacking = {node.op_type for node in model.graph.node if node.domain or not onnx.defs.has(node.op_type)}
    if lacking:
        os.remove(target)
        raise NotImplementedError("no ONNX form of: {}".format(", ".join(sorted(lacking))))
    order = {name: i for i, name in enumerate(outputs)}
    model.graph.output.sort(key=lambda value: order.get(value.name, len(order)))
    onnx.save(model, target)


if __name__ == "__main__":
    bring(*sys.argv[1:])
