"""MNN, with the model brought over from ONNX by its own converter.

Conversion is part of `load`, in a temporary folder of the worker's and in a process of its own: why it cannot convert
a model the converter only prints. Its module is called, never its script ``mnnconvert``, which reports each use to its
makers.

Threads: ``numThread`` of the runtime manager, which has no way to ask what took effect.

Knob `winograd`: how many sizes of Winograd's convolution MNN may choose from, its hint ``WINOGRAD_MEMORY_LEVEL``.
Its default, 3, allows tiles so large that their rounding costs two digits; 1 leaves it the smallest.
"""

import os
import subprocess
import sys
import tempfile

import MNN
import numpy as np
from MNN import expr, nn
from refusal import refusal

WINOGRAD_MEMORY_LEVEL = 3
"""The number of that hint in MNN's Interpreter.hpp; here 3 is a name, not a level."""
DTYPES = {"float32": expr.float, "int32": expr.int, "int64": expr.int, "uint8": expr.uint8, "int8": expr.int8}
"""MNN has whole numbers of 32 bits at most; wider ones are narrowed before the clock starts."""


class Engine:
    """One module at fixed shapes."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": MNN.version()}

    def load(self, model, settings):
        unknown = [t["dtype"] for t in model["inputs"] if t["dtype"] not in DTYPES]
        if unknown:
            raise NotImplementedError("MNN takes no {} inputs".format(unknown[0]))
        config = {"backend": "CPU", "precision": "high", "memory": settings["memory"], "power": settings["power"]}
        if settings["threads"]:
            config["numThread"] = settings["threads"]
        manager = nn.create_runtime_manager((config,))
        manager.set_hint(WINOGRAD_MEMORY_LEVEL, settings["winograd"])
        names = [[tensor["name"] for tensor in model[side]] for side in ("inputs", "outputs")]
        with tempfile.TemporaryDirectory() as folder:
            converted = convert(model["path"], folder)
            self.module = nn.load_module_from_file(converted, *names, runtime_manager=manager, shape_mutable=False)
        self.variables = [expr.placeholder(t["shape"], expr.NCHW, DTYPES[t["dtype"]]) for t in model["inputs"]]
        self.dtypes = [np.dtype(tensor["dtype"]) for tensor in model["outputs"]]
        return {
            "threads": settings["threads"],
            "precision": "fp32",  # MNN's word for it is "high"
            "backend": config["backend"],
            **dict.fromkeys(("winograd", "memory", "power")),  # as with threads, there is no way to ask
        }

    def prepare(self, input_sets):
        self.sets = [[narrowed(array) for array in arrays] for arrays in input_sets]

    def run(self, k):
        for variable, array in zip(self.variables, self.sets[k]):
            variable.write(array)
        # Inside, MNN interleaves channels by four; in the model's own order the outputs are read as they are.
        self.results = [expr.convert(v, expr.NCHW).read() for v in self.module.forward(self.variables)]

    def outputs(self):
        return [np.array(result, dtype) for result, dtype in zip(self.results, self.dtypes)]

    def close(self):
        self.module = self.variables = self.sets = self.results = None


def convert(path, folder):
    """The path of MNN's form of the ONNX model at `path`, written into `folder`.

    Raises NotImplementedError naming the operators that MNN's converter lacks, or what it said last.
    """
    target = os.path.join(folder, "model.mnn")
    words = ["mnnconvert", "-f", "ONNX", "--modelFile", path, "--MNNModel", target, "--bizCode", "bakeoff"]
    command = [sys.executable, "-I", "-c", "import sys, _tools; _tools.mnnconvert(sys.argv[1:])", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode or not os.path.isfile(target):
        said = done.stdout.decode("utf-8", "replace")
        print(said)  # noqa: T201 - into the worker's log
        raise refusal(said, done.returncode)
    return target


def narrowed(array):
    """`array` with whole numbers of 64 bits in 32, as MNN has them."""
    return array.astype(np.int32) if array.dtype == np.int64 else array
