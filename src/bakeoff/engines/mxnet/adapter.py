"""Apache MXNet 1.9.1, its last release, with its own ONNX importer (opset 9, IR version 3).

Threads: MXNet's kernels and oneDNN's run on OpenMP, which reads ``OMP_NUM_THREADS`` when it is loaded: the worker must
have been started with the right number. The oneDNN subgraph backend, which fuses operators, is on by default
(``MXNET_SUBGRAPH_BACKEND``).

The symbol is bound for the shapes of one batch size. MXNet computes asynchronously: `run` ends with ``asnumpy``, which
waits.
"""

import logging
import os
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mxnet as mx
    from mxnet.contrib import onnx as importer


class Engine:
    """One bound executor."""

    PRECISIONS = ("fp32",)

    def describe(self):
        features = [feature.name for feature in mx.runtime.feature_list() if feature.enabled]
        return {"version": mx.__version__, "features": features}

    def load(self, model, settings):
        omp_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        if omp_threads != (settings["threads"] or 0):
            raise NotImplementedError(
                "this worker started with OMP_NUM_THREADS={}, too late for {} threads".format(
                    omp_threads, settings["threads"]
                )
            )
        logging.disable(logging.WARNING)
        shapes = {tensor["name"]: tuple(tensor["shape"]) for tensor in model["inputs"]}
        try:
            symbol, arguments, auxiliary = importer.import_model(model["path"])
            self.executor = symbol.simple_bind(mx.cpu(), grad_req="null", **shapes)
        except (ValueError, RuntimeError) as error:  # of its importer's, and mx.MXNetError
            raise NotImplementedError("MXNet's importer: " + " ".join(str(error).split())[:300]) from error
        self.executor.copy_params_from(arguments, auxiliary)
        self.inputs = [self.executor.arg_dict[name] for name in shapes]
        return {
            "threads": omp_threads or None,
            "subgraph": os.environ.get("MXNET_SUBGRAPH_BACKEND", "MKLDNN") == "MKLDNN",
        }

    def prepare(self, input_sets):
        self.input_sets = input_sets

    def run(self, k):
        for destination, array in zip(self.inputs, self.input_sets[k]):
            destination[:] = array
        self.results = [output.asnumpy() for output in self.executor.forward(is_train=False)]

    def outputs(self):
        return self.results

    def close(self):
        self.executor = self.inputs = self.input_sets = self.results = None
