"""IREE: the network compiled ahead of time for this processor, run on its local task executor.

Threads: the flag ``task_topology_group_count`` of the runtime, which engine.toml sets by ``IREE_PY_RUNTIME_FLAGS``; the
API has no other way, and none to read it back. The thread that calls only waits.

Options: `flags`, for the compiler. By default IREE compiles a convolution as a nest of loops; as a matrix product
(im2col) it is several times as fast.
"""

import os

from compiling import ENTRY, compiled
from iree import runtime
from iree.runtime import version

FLAGS = "IREE_PY_RUNTIME_FLAGS"


class Engine:
    """One module; inputs are copied into device buffers and outputs back, both in host memory."""

    def describe(self):
        return {"version": version.VERSION}

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("this engine computes in fp32 only, not in {}".format(settings["precision"]))
        wanted = "--task_topology_group_count={}".format(settings["threads"])
        if wanted not in os.environ.get(FLAGS, "").split():
            raise NotImplementedError("IREE takes its threads from {}, which does not say {}".format(FLAGS, wanted))
        module = runtime.load_vm_flatbuffer_file(compiled(model, settings.get("flags", [])), driver="local-task")
        self.network = module[ENTRY]
        return {"threads": settings["threads"]}

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
