"""TensorFlow 1: a frozen graph and `Session.run`."""

import importlib
import os

import tensorflow as tf
from exports import exported
from layout import to_nchw, to_nhwc
from ngraph_limits import refuse_what_ends_the_process
from threads import session
from translator import translate

GRAPH = "frozen.pb"


class Engine:
    PRECISIONS = ("fp32",)

    def describe(self):
        mkl = getattr(tf.pywrap_tensorflow, "IsMklEnabled", lambda: False)()
        return {"version": tf.__version__, "mkl": bool(mkl)}

    def load(self, model, settings):
        if settings.get("plugin") == "ngraph_bridge":
            refuse_what_ends_the_process(model["path"])
        effective = {"threads": settings["threads"]}
        folder = exported(
            model["path"], "frozen graph " + tf.__version__, lambda to: freeze(model, to, settings["threads"])
        )
        if "plugin" in settings:  # after the export: it would take over that graph as well
            plugin = importlib.import_module(settings["plugin"])
            effective[settings["plugin"]] = plugin.__version__.splitlines()[0]
        description = tf.GraphDef()
        with open(os.path.join(folder, GRAPH), "rb") as f:
            description.ParseFromString(f.read())
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(description, name="")
        self.session = session(settings["threads"], graph)
        self.inputs = [graph.get_tensor_by_name("input_{}:0".format(i)) for i in range(len(model["inputs"]))]
        self.fetches = [graph.get_tensor_by_name("output_{}:0".format(i)) for i in range(len(model["outputs"]))]
        return effective

    def prepare(self, input_sets):
        self.sets = [dict(zip(self.inputs, map(to_nhwc, arrays))) for arrays in input_sets]

    def run(self, k):
        self.result = self.session.run(self.fetches, self.sets[k])

    def outputs(self):
        return [to_nchw(result) for result in self.result]

    def close(self):
        self.session.close()
        self.session = self.sets = self.result = None


def freeze(model, folder, threads):
    """Writes the network with its weights as constants, its batch size left open."""
    keras = tf.keras
    keras.backend.clear_session()
    keras.backend.set_session(session(threads))  # a process' first session sizes the pool of all that follow
    keras.backend.set_learning_phase(0)
    built = translate(model["path"], keras, None)
    names = ["output_{}".format(i) for i in range(len(built.outputs))]
    for name, output in zip(names, built.outputs):
        tf.identity(output, name=name)
    active = keras.backend.get_session()
    frozen = tf.graph_util.convert_variables_to_constants(active, active.graph.as_graph_def(), names)
    tf.train.write_graph(frozen, folder, GRAPH, as_text=False)
    keras.backend.clear_session()
