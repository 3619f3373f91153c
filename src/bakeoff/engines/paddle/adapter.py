"""PaddlePaddle's inference engine: layers built from the plain graph, saved as a program, run with oneDNN.

Saving is part of `load`, in a temporary folder of the worker's. Memory optimisation stays off: with it some networks
answer wrongly.

Threads: ``set_cpu_math_library_num_threads``, which reaches oneDNN through OpenMP; read back from the configuration.
"""

import os
import re
import tempfile

import paddle
from paddle import inference, nn
from translator import translate


class Engine:
    """One predictor at fixed shapes."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": paddle.__version__, "commit": paddle.version.commit}

    def load(self, model, settings):
        network = translate(model["path"])
        specs = [
            paddle.static.InputSpec(tensor["shape"], tensor["dtype"], "input_{}".format(i))
            for i, tensor in enumerate(model["inputs"])
        ]
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "program")
            save(network, program, specs)
            config = inference.Config(program + ".json", program + ".pdiparams")
            config.disable_gpu()
            config.disable_glog_info()
            if settings["onednn"]:
                config.enable_onednn()
            else:
                config.disable_onednn()
            config.switch_ir_optim(settings["graph_optimization"])
            if any(isinstance(part, (nn.Conv2D, nn.Conv2DTranspose)) for part in network.parts):
                # What it fuses takes a convolution's output, in oneDNN's layout of blocks, for one in the plain order.
                config.delete_pass("reshape_transpose_matmul_fuse_pass")
            if settings["threads"]:
                config.set_cpu_math_library_num_threads(settings["threads"])
            self.predictor = inference.create_predictor(config)
        self.inputs = [self.predictor.get_input_handle(spec.name) for spec in specs]
        self.results = [self.predictor.get_output_handle(name) for name in self.predictor.get_output_names()]
        return {
            "threads": config.cpu_math_library_num_threads() if settings["threads"] else None,
            "precision": "fp32",
            "onednn": config.onednn_enabled(),
            "graph_optimization": config.ir_optim(),
        }

    def prepare(self, input_sets):
        self.sets = input_sets

    def run(self, k):
        for handle, array in zip(self.inputs, self.sets[k]):
            handle.copy_from_cpu(array)
        self.predictor.run()
        self.arrays = [handle.copy_to_cpu() for handle in self.results]

    def outputs(self):
        return self.arrays

    def close(self):
        self.predictor = self.inputs = self.results = self.sets = self.arrays = None


def save(network, program, specs):
    """The files of a program. Raises NotImplementedError for an operator that Paddle has, but not of that type."""
    try:
        paddle.jit.save(network, program, input_spec=[specs])
    except TypeError as error:
        lacking = re.search(r"Check data type error for op: (\w+), .*?dtype: (\w+)", str(error))
        if lacking is None:
            raise
        raise NotImplementedError("Paddle has no {} of {}".format(*lacking.groups())) from error
