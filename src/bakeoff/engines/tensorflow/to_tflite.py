"""Writes a plain graph as a .tflite file: ``python to_tflite.py SOURCE TARGET``.

The inputs are ``input_0``, ``input_1`` ... of the signature ``serving_default``, in NHWC like all of Keras here, the
outputs ``output_0`` ...; the batch size stays open. Variables become constants before the converter sees them: what it
makes of Keras 3's own is a graph that reads them from resources at run time.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # which an isolated Python does not do

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from translator import translate


def convert(plain_graph, target):
    model = translate(plain_graph, keras, None)
    inputs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name="input_{}".format(i)) for i, tensor in enumerate(model.inputs)
    ]

    @tf.function(input_signature=inputs)
    def network(*tensors):
        results = model(list(tensors), training=False)
        results = results if isinstance(results, (list, tuple)) else [results]
        return {"output_{}".format(i): result for i, result in enumerate(results)}

    frozen = convert_variables_to_constants_v2(network.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)
    try:
        content = converter.convert()
    except Exception as error:  # a class of the converter's own, whose last line says nothing
        lacking = re.findall("TF Select ops: (.*)", str(error))
        if not lacking:
            raise
        raise NotImplementedError("TFLite has no {}".format(lacking[0])) from error
    with open(target, "wb") as f:
        f.write(content)


if __name__ == "__main__":
    convert(*sys.argv[1:])
