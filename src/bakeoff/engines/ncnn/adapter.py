"""ncnn, with the model brought over from ONNX by its own converter, pnnx.

Conversion is part of `load`: pnnx knows one batch size at a time, which since 2026 may be more than one. It runs in a
temporary folder of the worker's, on a copy of the model, since it writes beside what it reads. Its Python package
imports PyTorch, which the program inside does without, so that is called directly.

Threads: ``Option.num_threads``, handed to OpenMP for each layer.

Precision: fp16 is what pnnx and ncnn do by default, which is to store weights in half precision, and activations too
and to compute with that where the processor can. For fp32 all of it is switched off.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile

import ncnn
import numpy as np
from refusal import refusal

PNNX = os.path.join(os.path.dirname(importlib.util.find_spec("pnnx").origin), "pnnx.exe" if os.name == "nt" else "pnnx")
SUFFIXES = {"float32": "f32", "int32": "i32", "int64": "i64"}
"""How pnnx calls the dtypes that ncnn takes; whole numbers have 32 bits inside of it."""
HALF = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage")
OPTIONS = {
    "winograd": "use_winograd_convolution",
    "sgemm": "use_sgemm_convolution",
    "packing": "use_packing_layout",
    "light_mode": "lightmode",
    "block_time": "openmp_blocktime",
}
"""knob -> ncnn's option"""
OF_NCNN = re.compile(r"[A-Z]\w*")
"""The layers that ncnn has; what pnnx cannot bring over stands as ``aten::name`` or ``nn.Name``."""


class Engine:
    """One net, and an extractor for each inference."""

    PRECISIONS = ("fp32", "fp16")

    def describe(self):
        return {"version": ncnn.__version__}

    def load(self, model, settings):
        half = settings["precision"] == "fp16"
        refuse_what_has_no_batch(model, settings["batch_size"])
        self.net = ncnn.Net()
        if settings["threads"]:
            self.net.opt.num_threads = settings["threads"]
        for knob, name in OPTIONS.items():
            setattr(self.net.opt, name, settings[knob])
        if not half:
            for name in HALF:
                setattr(self.net.opt, name, False)
        with tempfile.TemporaryDirectory() as folder:
            parameters, weights = converted(model, folder, half)
            if self.net.load_param(parameters) or self.net.load_model(weights):
                raise RuntimeError("ncnn cannot load what pnnx made of this model")
        self.dtypes = [np.dtype(tensor["dtype"]) for tensor in model["outputs"]]
        options = {name: getattr(self.net.opt, name) for name in HALF}
        options.update((knob, getattr(self.net.opt, name)) for knob, name in OPTIONS.items())
        return dict(options, threads=self.net.opt.num_threads, precision="fp16" if half else "fp32")

    def prepare(self, input_sets):
        self.arrays = [[narrowed(array) for array in arrays] for arrays in input_sets]
        self.sets = [[ncnn.Mat(array, batch_index=0) for array in arrays] for arrays in self.arrays]

    def run(self, k):
        with self.net.create_extractor() as extractor:
            for i, mat in enumerate(self.sets[k]):
                if extractor.input("in{}".format(i), mat):
                    raise RuntimeError("ncnn refuses input {}".format(i))
            self.results = [self.extracted(extractor, i) for i in range(len(self.dtypes))]

    def extracted(self, extractor, i):
        failed, mat = extractor.extract("out{}".format(i))
        if failed:
            raise RuntimeError("ncnn gives no output {}".format(i))
        return np.array(mat.numpy(batch_index=0))

    def outputs(self):
        return [result.astype(dtype, copy=False) for result, dtype in zip(self.results, self.dtypes)]

    def close(self):
        self.net = self.sets = self.arrays = self.results = None


def refuse_what_has_no_batch(model, batch_size):
    for tensor in [*model["inputs"], *model["outputs"]]:
        if tensor["shape"][:1] != [batch_size]:
            raise NotImplementedError("{} has no batch axis in front: {}".format(tensor["name"], tensor["shape"]))


def converted(model, folder, half):
    """The paths of ncnn's two files for `model`, written into `folder` by pnnx.

    Raises NotImplementedError naming the operators that it leaves as they are, or where it gave up.
    """
    unknown = [t["dtype"] for t in model["inputs"] if t["dtype"] not in SUFFIXES]
    if unknown:
        raise NotImplementedError("ncnn takes no {} inputs".format(unknown[0]))
    shapes = ["{}{}".format(t["shape"], SUFFIXES[t["dtype"]]).replace(" ", "") for t in model["inputs"]]
    shutil.copy(model["path"], os.path.join(folder, "model.onnx"))
    command = [PNNX, "model.onnx", "inputshape=" + ",".join(shapes), "fp16={}".format(int(half))]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    parameters, weights = (os.path.join(folder, "model.ncnn." + kind) for kind in ("param", "bin"))
    if done.returncode or not os.path.isfile(parameters):
        said = done.stdout.decode("utf-8", "replace")
        print(said)  # noqa: T201 - into the worker's log
        raise refusal(said, done.returncode)
    with open(parameters, encoding="utf-8") as f:
        layers = {line.split()[0] for line in f.readlines()[2:] if line.strip()}
    lacking = sorted(layer for layer in layers if not OF_NCNN.fullmatch(layer))
    if lacking:
        raise NotImplementedError("pnnx brings over no " + ", ".join(lacking))
    return parameters, weights


def narrowed(array):
    """`array` with whole numbers of 64 bits in 32, as ncnn has them."""
    return array.astype(np.int32) if array.dtype == np.int64 else array
