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

OPSET = 18


def bring(source, target):
    kind = os.path.splitext(source)[1]
    with tempfile.TemporaryDirectory() as scratch:
        if kind == ".keras":
            source = saved_model_of(source, os.path.join(scratch, "saved_model"))
        sides = signature_of_tflite(source) if kind == ".tflite" else signature(source)
        os.mkdir(target)
        try:
            convert(source, os.path.join(target, "model.onnx"), [tensor["name"] for tensor in sides["outputs"]])
        except Exception as error:  # noqa: BLE001 - whatever tf2onnx makes of a network that it lacks something for
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            with open(os.path.join(target, "signature.json"), "w", encoding="utf-8") as f:
                json.dump(dict(sides, reason=reason), f)


def saved_model_of(source, folder):
    import keras

    try:
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - the file is the user's: whatever is wrong with it
        sys.exit("Keras cannot load it in safe mode: " + first_line(error))
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
    return {"inputs": inputs, "outputs": [described(*item) for item in sorted(serving.structured_outputs.items())]}


def described(name, spec):
    if spec.shape.rank is None:
        sys.exit("{} does not even say how many axes it has".format(name))
    axes = ["batch" if not i and size is None else "{}_{}".format(name, i) if size is None else size
            for i, size in enumerate(spec.shape.as_list())]  # fmt: skip
    return {"name": name, "dtype": spec.dtype.name, "axes": axes}


def signature_of_tflite(source):
    try:
        interpreter = tf.lite.Interpreter(source)
    except ValueError as error:
        sys.exit("TensorFlow Lite cannot read it: " + first_line(error))
    sides = {"inputs": interpreter.get_input_details(), "outputs": interpreter.get_output_details()}
    return {
        side: [
            {
                "name": tensor["name"],
                "dtype": np.dtype(tensor["dtype"]).name,
                "axes": [
                    "batch" if not i and size < 0 else int(size) for i, size in enumerate(tensor["shape_signature"])
                ],
            }
            for tensor in tensors
        ]
        for side, tensors in sides.items()
    }


def convert(source, target, outputs):
    """Write the ONNX file. Raises `NotImplementedError` naming operators that have no ONNX form."""
    logging.disable(logging.ERROR)
    kind = "--saved-model" if os.path.isdir(source) else "--tflite"
    sys.argv = ["tf2onnx", kind, source, "--output", target, "--opset", str(OPSET)]
    tf2onnx.convert.main()
    model = onnx.load(target)
    lacking = {node.op_type for node in model.graph.node if not node.domain and not onnx.defs.has(node.op_type)}
    lacking |= {node.op_type for node in model.graph.node if node.domain}
    if lacking:
        os.remove(target)
        raise NotImplementedError("no ONNX form of: {}".format(", ".join(sorted(lacking))))
    order = {name: i for i, name in enumerate(outputs)}
    model.graph.output.sort(key=lambda value: order.get(value.name, len(order)))
    onnx.save(model, target)


if __name__ == "__main__":
    bring(*sys.argv[1:])
