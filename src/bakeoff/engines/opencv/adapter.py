"""OpenCV: the DNN module, with its own kernels on the CPU.

Threads: ``cv2.setNumThreads``, for OpenCV as a whole.
"""

import cv2


class Engine:
    """One `cv2.dnn.Net`; it takes copies of its inputs and gives numpy arrays."""

    def describe(self):
        return {
            "version": cv2.__version__,
            "parallel": cv2.getBuildInformation().partition("Parallel framework:")[2].split("\n")[0].strip(),
        }

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("this engine runs OpenCV in fp32 only")
        cv2.setNumThreads(settings["threads"])
        self.network = cv2.dnn.readNetFromONNX(model["path"])
        self.network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self.network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        return {"threads": cv2.getNumThreads()}

    def prepare(self, input_sets):
        self.input_sets = input_sets

    def run(self, k):
        for name, array in zip(self.input_names, self.input_sets[k]):
            self.network.setInput(array, name)
        self.results = self.network.forward(self.output_names)

    def outputs(self):
        return self.results

    def close(self):
        self.network = self.input_sets = self.results = None
