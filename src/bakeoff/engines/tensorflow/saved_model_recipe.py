"""The serving signature of a SavedModel, images in NHWC."""

import tempfile

import keras
import tensorflow as tf

sys.path.insert(0, ENGINE)
from layout import to_nchw, to_nhwc
from threads import use_threads
from translator import translate  # bakeoff's network of Keras layers: put your own SavedModel in its place

use_threads(THREADS, INTER_THREADS)
folder = tempfile.mkdtemp()
translate(MODEL, keras, None).export(folder, format="tf_saved_model", verbose=False)
saved = tf.saved_model.load(folder)
tensors = {"input_{}".format(i): tf.constant(to_nhwc(inputs[name])) for i, name in enumerate(INPUTS)}
function = saved.signatures["serving_default"]
results = (tf.function(function, jit_compile=True) if XLA else function)(**tensors)
outputs = [to_nchw(results["output_{}".format(i)].numpy()) for i in range(len(OUTPUTS))]
