"""OpenVINO: the model read from ONNX, or a user's own IR, compiled for the shapes of one batch size.

Threads: ``INFERENCE_NUM_THREADS``, in one stream (``NUM_STREAMS`` 1, ``PERFORMANCE_HINT`` LATENCY): every thread works
on the same batch. OpenVINO pins them to cores by itself. ``INFERENCE_PRECISION_HINT`` f32, since on processors with
bf16 instructions it would otherwise choose bf16. What took effect is read back from the compiled model.

`run` shares host memory both ways: inputs are read from the numpy arrays where they lie, outputs are arrays on
OpenVINO's own host buffers.
"""

import re

import openvino as ov

CPU = "CPU"
LACKING = r"(No conversion rule found for|Conversion is failed for|CPU plug-in doesn't support)\W.*"
"""how OpenVINO begins what it says of operators that it does not take, beneath where in its sources that happened"""
PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}


class Engine:
    """One infer request of one compiled model."""

    def __init__(self):
        self.core = ov.Core()

    def describe(self):
        return {
            "version": ov.__version__.split("-")[0],
            "build": ov.get_version(),
            "device": self.core.get_property(CPU, "FULL_DEVICE_NAME"),
            "capabilities": self.core.get_property(CPU, "OPTIMIZATION_CAPABILITIES"),
        }

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("this engine runs OpenVINO in fp32 only")
        try:
            compiled = self.compiled(model, settings["threads"])
        except RuntimeError as error:
            lacking = re.search(LACKING, str(error))
            if lacking is None:
                raise
            raise NotImplementedError("OpenVINO: {}".format(lacking.group())) from error
        self.request = compiled.create_infer_request()
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.results = [self.request.get_tensor(tensor["name"]) for tensor in model["outputs"]]
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return {
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "streams": compiled.get_property("NUM_STREAMS"),
            "performance_hint": str(compiled.get_property("PERFORMANCE_HINT")),
            "precision": PRECISIONS.get(precision, precision),
            "cpu_pinning": compiled.get_property("ENABLE_CPU_PINNING"),
            "devices": compiled.get_property("EXECUTION_DEVICES"),
        }

    def compiled(self, model, threads):
        network = self.core.read_model(model["path"])
        network.reshape({tensor["name"]: tensor["shape"] for tensor in model["inputs"]})
        return self.core.compile_model(
            network,
            CPU,
            {
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )

    def prepare(self, input_sets):
        self.feeds = [dict(zip(self.input_names, arrays)) for arrays in input_sets]

    def run(self, k):
        self.request.infer(self.feeds[k], share_inputs=True, share_outputs=True)

    def outputs(self):
        return [tensor.data.copy() for tensor in self.results]

    def close(self):
        self.request = self.results = self.feeds = None
