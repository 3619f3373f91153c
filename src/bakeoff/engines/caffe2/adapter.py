"""Caffe2, as it lives inside PyTorch 1.1 (2019) and 1.10 (the last release whose wheel has it).

The ONNX importer is Caffe2's own (`caffe2.python.onnx.backend`). It reads opset 9 with IR version 3.

Threads: Caffe2's kernels run on OpenMP and MKL. ``--caffe2_omp_num_threads`` and ``--caffe2_mkl_num_threads`` are read
once per process, by ``GlobalInit``, so a second load cannot ask for another number.

`run` feeds the input blobs from numpy arrays, runs the net (of type "simple": one operator after another) and fetches
the output blobs into numpy arrays.
"""

import warnings

import onnx
from caffe2.python import core, workspace

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from caffe2.python.onnx.backend import Caffe2Backend

try:
    from importlib.metadata import version  # novermin
except ImportError:  # before Python 3.8
    from importlib_metadata import version

WORKSPACE = "bakeoff"
BUILD_OPTIONS = ("BLAS_INFO", "BLAS", "USE_MKL", "USE_MKLDNN", "USE_NNPACK", "PERF_WITH_AVX2", "PERF_WITH_AVX512")


class Engine:
    """One net in a workspace of its own."""

    PRECISIONS = ("fp32",)

    threads_of_process = None
    """as given to GlobalInit"""

    def describe(self):
        options = core.C.get_build_options()
        return {"version": version("torch"), "build": {name: options.get(name, "") for name in BUILD_OPTIONS}}

    def load(self, model, settings):
        set_threads(settings["threads"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = onnx.load(model["path"])
            refuse_what_fails_later(network.graph)
            fill, self.net = Caffe2Backend.onnx_graph_to_caffe2_net(network)
        for operator in self.net.op:
            operator.name = ""  # a global pool called anything with "Pool" in it asks for the size of its kernel
        workspace.SwitchWorkspace(WORKSPACE, True)
        workspace.RunNetOnce(fill)
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        self.created = False
        return {
            "threads": Engine.threads_of_process,
            "net_type": self.net.type or "simple",
            "operators": len(self.net.op),
        }

    def prepare(self, input_sets):
        self.feeds = [list(zip(self.input_names, arrays)) for arrays in input_sets]
        if not self.created:  # a net can only be created once the blobs that it reads exist
            self.feed(0)
            workspace.CreateNet(self.net)
            self.created = True

    def feed(self, k):
        for name, array in self.feeds[k]:
            workspace.FeedBlob(name, array)

    def run(self, k):
        self.feed(k)
        workspace.RunNet(self.net.name)
        self.results = [workspace.FetchBlob(name) for name in self.output_names]

    def outputs(self):
        return self.results

    def close(self):
        workspace.ResetWorkspace()
        self.net = self.feeds = self.results = None


def refuse_what_fails_later(graph):
    """The importer takes these for operators on tensors of equal shape though one is a number; running them fails."""
    scalars = {tensor.name for tensor in graph.initializer if not tensor.dims}
    for node in graph.node:
        if node.op_type in {"Pow", "Max", "Min"} and scalars & set(node.input):
            raise NotImplementedError("Caffe2 has no {} by a number ({})".format(node.op_type, node.output[0]))


def set_threads(threads):
    """Initialise Caffe2 for `threads` threads; raises `NotImplementedError` if it has been for another number."""
    if Engine.threads_of_process is None:
        flags = ["--caffe2_omp_num_threads={}", "--caffe2_mkl_num_threads={}"] if threads else []
        core.GlobalInit(["caffe2", "--caffe2_log_level=2"] + [flag.format(threads) for flag in flags])
        Engine.threads_of_process = threads
    elif Engine.threads_of_process != threads:
        raise NotImplementedError(
            "Caffe2 takes its number of threads once per process: {}, not {}".format(Engine.threads_of_process, threads)
        )
