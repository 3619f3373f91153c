"""OpenVINO: the model read from ONNX, or a user's own IR, compiled for the shapes of one batch size.

Threads: ``INFERENCE_NUM_THREADS``, by default in one stream (``NUM_STREAMS`` 1): every thread works on the same batch.
``INFERENCE_PRECISION_HINT`` f32, since on processors with bf16 instructions it would otherwise choose bf16. What took
effect is read back from the compiled model.

`run` shares host memory both ways: inputs are read from the numpy arrays where they lie, outputs are arrays on
OpenVINO's own host buffers.
"""

import re

import openvino as ov

CPU = "CPU"
LACKING = r"(No conversion rule found for|Conversion is failed for|CPU plug-in doesn't support)\W.*"
"""how OpenVINO begins what it says of operators that it does not take, beneath where in its sources that happened"""
DEFAULT = "default"
"""a knob's value that leaves the choice to OpenVINO"""
PROPERTIES = {
    "performance_hint": "PERFORMANCE_HINT",
    "streams": "NUM_STREAMS",
    "pinning": "ENABLE_CPU_PINNING",
    "cores": "SCHEDULING_CORE_TYPE",
    "hyper_threading": "ENABLE_HYPER_THREADING",
    "flush_denormals": "CPU_DENORMALS_OPTIMIZATION",
    "partitioner": "TBB_PARTITIONER",
}
"""knob -> its property"""
PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}


class Engine:
    """One infer request of one compiled model."""

    PRECISIONS = ("fp32",)

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
        try:
            compiled = self.compiled(model, settings)
        except RuntimeError as error:
            lacking = re.search(LACKING, str(error))
            if lacking is None:
                raise
            raise NotImplementedError("OpenVINO: {}".format(lacking.group())) from error
        self.request = compiled.create_infer_request()
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return {
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "precision": PRECISIONS.get(precision, precision),
            "devices": compiled.get_property("EXECUTION_DEVICES"),
            "cpu_pinning": compiled.get_property("ENABLE_CPU_PINNING"),
            "shape": "dynamic" if any(port.partial_shape.is_dynamic for port in compiled.inputs) else "static",
            **{
                knob: DEFAULT if settings[knob] == DEFAULT else word(compiled.get_property(name))
                for knob, name in PROPERTIES.items()
            },
        }

    def compiled(self, model, settings):
        network = self.core.read_model(model["path"])
        if settings["shape"] == "static":
            network.reshape({tensor["name"]: tensor["shape"] for tensor in model["inputs"]})
        config = {name: settings[knob] for knob, name in PROPERTIES.items() if settings[knob] != DEFAULT}
        config = {name: value.upper() if isinstance(value, str) else value for name, value in config.items()}
        config["INFERENCE_PRECISION_HINT"] = "f32"
        if settings["threads"]:
            config["INFERENCE_NUM_THREADS"] = settings["threads"]
        return self.core.compile_model(network, CPU, config)

    def prepare(self, input_sets):
        self.feeds = [dict(zip(self.input_names, arrays)) for arrays in input_sets]

    def run(self, k):
        self.request.infer(self.feeds[k], share_inputs=True, share_outputs=True)

    def outputs(self):
        return [self.request.get_tensor(name).data.copy() for name in self.output_names]

    def close(self):
        self.request = self.feeds = None


def word(value):
    """A property's value as knobs have it: numbers as they are, of names the last part."""
    return value if isinstance(value, (bool, int)) else str(value).rpartition(".")[2].lower()
