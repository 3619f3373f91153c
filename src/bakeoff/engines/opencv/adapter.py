"""OpenCV: its DNN module on the CPU, with the engine that OpenCV chooses for the network (``ENGINE_AUTO``).

Threads: ``cv2.setNumThreads``, for OpenCV as a whole.
"""

import cv2


class Engine:
    """One `cv2.dnn.Net`; it takes copies of numpy arrays and gives new ones."""

    def describe(self):
        _, _, after = cv2.getBuildInformation().partition("Parallel framework:")
        return {"version": cv2.__version__, "parallel_framework": after.split()[0]}

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("this engine computes in fp32 only, not in {}".format(settings["precision"]))
        cv2.setNumThreads(settings["threads"])
        self.network = cv2.dnn.readNetFromONNX(model["path"])
        self.network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self.network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        return {"threads": cv2.getNumThreads()}

    def prepare(self, input_sets):
        self.sets = input_sets

    def run(self, k):
        for name, array in zip(self.input_names, self.sets[k]):
            self.network.setInput(array, name)
        self.results = self.network.forward(self.output_names)

    def outputs(self):
        return self.results

    def close(self):
        self.network = self.sets = self.results = None
