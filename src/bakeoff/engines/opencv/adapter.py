"""OpenCV: its DNN module on the CPU, by default with the engine that OpenCV chooses for the network (``ENGINE_AUTO``).

Threads: ``cv2.setNumThreads``, for OpenCV as a whole.
"""

import contextlib
import re

import cv2
import numpy as np

ENGINES = {"auto": cv2.dnn.ENGINE_AUTO, "classic": cv2.dnn.ENGINE_CLASSIC, "new": cv2.dnn.ENGINE_NEW}
REFUSED = r"""Can't create layer .* of type "\w+"|\(-213:.*|layers/\w+_layer\.cpp:\d+: error: \(-2(15)?:.*(\s+> .*)?"""
"""how OpenCV says that it has no such operator, or that the operator's layer does not take what it is given"""


class Engine:
    """One `cv2.dnn.Net`; it takes copies of numpy arrays and gives new ones."""

    PRECISIONS = ("fp32",)

    def describe(self):
        _, _, after = cv2.getBuildInformation().partition("Parallel framework:")
        return {"version": cv2.__version__, "parallel_framework": after.split()[0]}

    def load(self, model, settings):
        cv2.setNumThreads(settings["threads"] or -1)  # -1: as many as it takes by itself
        with refusals():
            self.network = cv2.dnn.readNetFromONNX(model["path"], ENGINES[settings["graph_engine"]])
        self.network.enableWinograd(settings["winograd"])
        self.network.enableFusion(settings["fusion"])
        self.network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self.network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        self.specs = model["outputs"]
        # The rest can only be set.
        return {"threads": cv2.getNumThreads(), "graph_engine": None, "winograd": None, "fusion": None}

    def prepare(self, input_sets):
        self.sets = input_sets

    def run(self, k):
        for name, array in zip(self.input_names, self.sets[k]):
            self.network.setInput(array, name)
        with refusals():
            self.results = self.network.forward(self.output_names)

    def outputs(self):
        return [shaped(*pair) for pair in zip(self.results, self.specs)]

    def close(self):
        self.network = self.sets = self.results = None


@contextlib.contextmanager
def refusals():
    """Raises NotImplementedError for what OpenCV says that it lacks."""
    try:
        yield
    except cv2.error as error:
        lacking = re.search(REFUSED, str(error))
        if lacking is None:
            raise
        raise NotImplementedError("OpenCV: " + " ".join(lacking.group().split())) from error


def shaped(result, spec):
    """An output as the model has it: OpenCV gives a number as a row of one, and nothing as None."""
    if result is None:
        return np.zeros([max(0, size) for size in spec["shape"]], spec["dtype"])
    return result.reshape(()) if spec["shape"] == [] else result
