"""nGraph, the engine behind the fastest rows of the 2019 study, through its own ONNX importer.

nGraph compiles for fixed shapes, so the batch size is written into the model before the import.

Threads: its MKL-DNN kernels run on OpenMP, which reads ``OMP_NUM_THREADS`` when it is loaded: the worker must have been
started with the right number.

On AMD processors with AVX-512, which came after it, nGraph's MKL-DNN ends the whole process while it weighs Winograd
against direct convolution ("bad err=45 in Xbyak::Error"): it counts cores in a way that only Intel's processors
answer. This adapter says so instead.
"""

import os

import onnx  # before ngraph, or each finds the other's protobuf and ends the process

# isort: split
import ngraph
import numpy as np
from ngraph_onnx.onnx_importer.importer import import_onnx_model

CPUINFO = "/proc/cpuinfo"
CONVOLUTION_RANK = 4
MOST_CHANNELS = 8


class Engine:
    """One compiled computation; it copies numpy arrays in and out."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": ngraph.__version__}

    def load(self, model, settings):
        omp_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        if omp_threads != (settings["threads"] or 0):
            raise NotImplementedError(
                "this worker started with OMP_NUM_THREADS={}, too late for {} threads".format(
                    omp_threads, settings["threads"]
                )
            )
        network = onnx.load(model["path"])
        weight_shapes = {tensor.name: tensor.dims for tensor in network.graph.initializer}
        if is_amd_with_avx512() and any(is_fatal_there(node, weight_shapes) for node in network.graph.node):
            raise NotImplementedError("nGraph's MKL-DNN ends the process on AMD processors with AVX-512")
        fix_shapes(network.graph.input, model["inputs"])
        fix_shapes(network.graph.output, model["outputs"])
        self.computation = ngraph.runtime("CPU").computation(imported(network))
        return {"threads": omp_threads or None, "backend": "CPU"}

    def prepare(self, input_sets):
        self.input_sets = input_sets

    def run(self, k):
        self.results = self.computation(*self.input_sets[k])

    def outputs(self):
        return [np.asarray(result) for result in self.results]

    def close(self):
        self.computation = self.input_sets = self.results = None


def fix_shapes(values, tensors):
    """Write the shapes of `tensors` into the graph's `values` of the same names."""
    shapes = {tensor["name"]: tensor["shape"] for tensor in tensors}
    for value in values:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ())):
            dim.dim_value = size


def imported(network):
    """The function of nGraph's; raises NotImplementedError with the operators that it does not know."""
    try:
        return import_onnx_model(network)
    except RuntimeError as error:
        lacking = str(error).partition("does not support the following ONNX operations:")[2].split()
        if not lacking:
            raise
        raise NotImplementedError("nGraph does not know " + " ".join(lacking)) from error


def is_amd_with_avx512():
    """Whether this is a processor that nGraph's MKL-DNN mistakes for one of Intel's."""
    if not os.path.exists(CPUINFO):
        return False
    with open(CPUINFO) as f:
        text = f.read()
    return "AuthenticAMD" in text and "avx512f" in text


def is_fatal_there(node, weight_shapes):
    """Whether `node` is a convolution for which MKL-DNN gets as far as counting cores.

    Observed: more than 8 input channels a group, and a kernel larger than 1x1; no matter the stride.
    """
    shape = weight_shapes.get(node.input[1], ()) if node.op_type == "Conv" else ()
    return len(shape) == CONVOLUTION_RANK and shape[1] > MOST_CHANNELS and max(shape[2:]) > 1
