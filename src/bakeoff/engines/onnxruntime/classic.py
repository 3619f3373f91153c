"""ONNX Runtime 0.4 of 2019, CPU provider.

Threads: its kernels run on OpenMP, which reads ``OMP_NUM_THREADS`` when it is loaded, so the worker must have been
started with the right number; ``session_thread_pool_size`` sets ONNX Runtime's own pool to the same. Operators run one
after another (``enable_sequential_execution``). This release has one provider per
build and no list of providers to ask for.
"""

import os

import onnxruntime as ort

LEVELS = {"none": 0, "basic": 1, "all": 2}


class Engine:
    """One `InferenceSession`; inputs and outputs are numpy arrays as they are."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": ort.__version__, "device": ort.get_device()}

    def load(self, model, settings):
        omp_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        if omp_threads != (settings["threads"] or 0):
            raise NotImplementedError(
                "this worker started with OMP_NUM_THREADS={}, too late for {} threads".format(
                    omp_threads, settings["threads"]
                )
            )
        options = ort.SessionOptions()
        options.session_thread_pool_size = omp_threads
        options.enable_sequential_execution = True
        options.set_graph_optimization_level(LEVELS[settings["graph_optimization"]])
        self.session = ort.InferenceSession(model["path"], options)
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        return {
            "threads": options.session_thread_pool_size or None,
            "omp_threads": omp_threads,
            "sequential": options.enable_sequential_execution,
            "graph_optimization": None,  # it can only be set
        }

    def prepare(self, input_sets):
        self.feeds = [dict(zip(self.input_names, arrays)) for arrays in input_sets]

    def run(self, k):
        self.results = self.session.run(self.output_names, self.feeds[k])

    def outputs(self):
        return self.results

    def close(self):
        self.session = self.feeds = self.results = None
