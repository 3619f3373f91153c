"""IREE: the network compiled ahead of time for this processor, run on its local task executor.

Threads: the flag ``task_topology_group_count`` of the runtime, which engine.toml sets by ``IREE_PY_RUNTIME_FLAGS``; the
API has no other way, and none to read it back. The thread that calls only waits.

The knobs are flags of the compiler, which a compiled module does not tell. By default IREE compiles a convolution as a
nest of loops; as a matrix product (`im2col`) it is several times as fast.
"""

import os

from compiling import ENTRY, compiled
from iree import runtime
from iree.runtime import version

FLAGS = "IREE_PY_RUNTIME_FLAGS"


class Engine:
    """One module; inputs are copied into device buffers and outputs back, both in host memory."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": version.VERSION}

    def load(self, model, settings):
        wanted = "--task_topology_group_count={}".format(settings["threads"])
        if settings["threads"] and wanted not in os.environ.get(FLAGS, "").split():
            raise NotImplementedError("IREE takes its threads from {}, which does not say {}".format(FLAGS, wanted))
        module = runtime.load_vm_flatbuffer_file(compiled(model, flags(settings)), driver="local-task")
        self.network = module[ENTRY]
        return {"threads": settings["threads"], **dict.fromkeys(("opt_level", "im2col", "data_tiling"))}

    def prepare(self, input_sets):
        self.sets = input_sets

    def run(self, k):
        results = self.network(*self.sets[k])
        results = results if isinstance(results, (list, tuple)) else [results]
        self.results = [result.to_host() for result in results]

    def outputs(self):
        return self.results

    def close(self):
        self.network = self.sets = self.results = None


def flags(settings):
    """The compiler's flags for the knobs."""
    switches = {
        "iree-global-opt-use-im2col-for-convs": settings["im2col"],
        "iree-opt-data-tiling": settings["data_tiling"],
    }
    words = ["--{}={}".format(name, str(on).lower()) for name, on in switches.items()]
    return ["--iree-opt-level=" + settings["opt_level"], *words]
