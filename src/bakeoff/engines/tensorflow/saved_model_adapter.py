"""TensorFlow 2: the serving signature of a SavedModel, as it is or compiled by XLA."""

import numpy as np
import tensorflow as tf
from exports import exported
from layout import to_nchw, to_nhwc
from threads import use_threads
from translator import translate


class Engine:
    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": tf.__version__, "git": tf.version.GIT_VERSION}

    def load(self, model, settings):
        effective = use_threads(settings["threads"], settings["inter_threads"])
        own = model["format"] == "own-saved_model"
        # The signature does not keep its model alive, nor the variables with it.
        self.saved_model = tf.saved_model.load(model["path"] if own else translated(model["path"]))
        self.function = self.saved_model.signatures["serving_default"]
        if own:  # whose layout is its user's
            self.there = self.back = np.asarray
            self.input_names, self.output_names = ([t["name"] for t in model[side]] for side in ("inputs", "outputs"))
        else:
            self.there, self.back = to_nhwc, to_nchw
            self.input_names = ["input_{}".format(i) for i in range(len(model["inputs"]))]
            self.output_names = ["output_{}".format(i) for i in range(len(model["outputs"]))]
        if settings["xla"]:
            self.function = tf.function(self.function, jit_compile=True)
        return dict(effective, xla=getattr(self.function, "_jit_compile", None) is True)

    def prepare(self, input_sets):
        self.sets = [dict(zip(self.input_names, map(self.there, arrays))) for arrays in input_sets]

    def run(self, k):
        results = self.function(**{name: tf.constant(array) for name, array in self.sets[k].items()})
        self.result = [results[name].numpy() for name in self.output_names]

    def outputs(self):
        return [self.back(result) for result in self.result]

    def close(self):
        self.saved_model = self.function = self.sets = self.result = None


def translated(plain_graph):
    """The folder of a SavedModel made from a plain graph."""

    def write(folder):
        import keras  # only here: loading a SavedModel needs none of it

        translate(plain_graph, keras, None).export(folder, format="tf_saved_model", verbose=False)

    return exported(plain_graph, "SavedModel " + tf.__version__, write)
