"""DeepSparse, Neural Magic's engine, compiled for the shapes of one batch size.

Threads: ``num_cores``, usually in one stream that has them all; read back from the engine. It binds them to cores.
Analytics are off by ``NM_DISABLE_ANALYTICS``, which every worker has in its environment.
"""

import logging
import os
import shutil
import tempfile

import deepsparse
import numpy as np

SCHEDULERS = (deepsparse.Scheduler.single_stream, deepsparse.Scheduler.multi_stream)

logging.getLogger("sparsezoo").setLevel(logging.ERROR)


class Engine:
    """One `deepsparse.Engine`; inputs and outputs are numpy arrays as they are."""

    PRECISIONS = ("fp32",)

    def describe(self):
        _, instructions, vnni = deepsparse.cpu.cpu_details()
        return {"version": deepsparse.__version__, "instructions": instructions, "vnni": bool(vnni)}

    def load(self, model, settings):
        with tempfile.TemporaryDirectory() as folder:  # it writes the shapes into the file itself, which is others' too
            self.engine = deepsparse.Engine(
                shutil.copy(model["path"], os.path.join(folder, "model.onnx")),
                batch_size=settings["batch_size"],
                num_cores=settings["threads"],
                num_streams=settings["streams"],
                scheduler=SCHEDULERS[settings["streams"] > 1],
                input_shapes=[tensor["shape"] for tensor in model["inputs"]],
            )
        # Its own order of inputs and outputs need not be the model's.
        names = [[tensor["name"] for tensor in model[side]] for side in ("inputs", "outputs")]
        self.input_order = [names[0].index(name) for name in self.engine.input_names]
        self.output_order = [self.engine.output_names.index(name) for name in names[1]]
        return {
            "threads": self.engine.num_cores,
            "streams": self.engine.num_streams,
            "precision": "fp32",
            "instructions": self.engine.cpu_avx_type,
            "supported_operators": self.engine.fraction_of_supported_ops,
        }

    def prepare(self, input_sets):
        self.sets = [[arrays[i] for i in self.input_order] for arrays in input_sets]

    def run(self, k):
        self.results = self.engine.run(self.sets[k])

    def outputs(self):
        return [np.asarray(self.results[i]) for i in self.output_order]

    def close(self):
        self.engine = self.sets = self.results = None
