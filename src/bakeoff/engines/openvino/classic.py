"""OpenVINO 2021.4, the release that took nGraph in: the Inference Engine API.

Threads: ``CPU_THREADS_NUM``, shared out to the streams (``CPU_THROUGHPUT_STREAMS``), usually one.
``ENFORCE_BF16`` NO keeps fp32 on processors with bf16 instructions. What took effect is read back from the network.
"""

from openvino.inference_engine import IECore, get_version

CPU = "CPU"


class Engine:
    """One infer request of one network, compiled for the shapes of one batch size."""

    PRECISIONS = ("fp32",)

    def __init__(self):
        self.core = IECore()

    def describe(self):
        return {
            "version": get_version().split("-")[0],
            "build": get_version(),
            "device": self.core.get_metric(CPU, "FULL_DEVICE_NAME"),
            "capabilities": self.core.get_metric(CPU, "OPTIMIZATION_CAPABILITIES"),
        }

    def load(self, model, settings):
        network = self.network_of(model["path"])
        network.reshape({tensor["name"]: tuple(tensor["shape"]) for tensor in model["inputs"]})
        compiled = self.core.load_network(
            network,
            CPU,
            {
                "CPU_THREADS_NUM": str(settings["threads"] or 0),  # 0: as many as it takes by itself
                "CPU_THROUGHPUT_STREAMS": str(settings["streams"]),
                "CPU_BIND_THREAD": "YES" if settings["pinning"] else "NO",
                "ENFORCE_BF16": "NO",
            },
            num_requests=1,
        )
        self.compiled = compiled
        self.request = compiled.requests[0]
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        return {
            "threads": int(compiled.get_config("CPU_THREADS_NUM")) or None,
            "streams": int(compiled.get_config("CPU_THROUGHPUT_STREAMS")),
            "precision": "bf16" if compiled.get_config("ENFORCE_BF16") == "YES" else "fp32",
            "pinning": compiled.get_config("CPU_BIND_THREAD") == "YES",
        }

    def network_of(self, path):
        """Raises NotImplementedError with the operators that OpenVINO does not know."""
        try:
            return self.core.read_network(path)
        except RuntimeError as error:
            lacking = str(error).partition("does not support the following ONNX operations:")[2].split()
            if not lacking:
                raise
            raise NotImplementedError("OpenVINO does not know " + " ".join(lacking)) from error

    def prepare(self, input_sets):
        self.feeds = [dict(zip(self.input_names, arrays)) for arrays in input_sets]

    def run(self, k):
        self.request.infer(self.feeds[k])

    def outputs(self):
        # Looked up after the inference: the plugin may have put other memory behind a name.
        blobs = self.request.output_blobs
        return [blobs[name].buffer.copy() for name in self.output_names]

    def close(self):
        self.request = self.compiled = self.feeds = None
