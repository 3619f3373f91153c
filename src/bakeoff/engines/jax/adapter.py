"""JAX: the network as a function of ``jax.numpy``, compiled by ``jax.jit`` for the shapes of one batch size.

Threads: XLA sizes its pool by ``NPROC``, which engine.toml sets; JAX itself has no knob, and none to read it back by.
Matrix products are asked for in full fp32 (``JAX_DEFAULT_MATMUL_PRECISION``); 64-bit types are on (``JAX_ENABLE_X64``)
so that integer inputs and outputs keep their type.
"""

import os

import jax
import numpy as np
from translator import translate


class Engine:
    """One compiled function with the weights as its constants."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": jax.__version__, "backend": jax.default_backend()}

    def load(self, model, settings):
        if os.environ.get("NPROC") != (str(settings["threads"]) if settings["threads"] else None):
            raise NotImplementedError("XLA takes its threads from NPROC, which is not {}".format(settings["threads"]))
        jax.clear_caches()  # else what earlier loads compiled is kept for good
        shapes = [jax.ShapeDtypeStruct(tensor["shape"], tensor["dtype"]) for tensor in model["inputs"]]
        flags = {
            "xla_cpu_enable_fast_math": settings["fast_math"],
            "xla_cpu_prefer_vector_width": settings["vector_width"],
        }
        self.network = jax.jit(translate(model["path"])).lower(*shapes).compile(flags)
        return {
            "threads": settings["threads"],
            "fast_math": None,  # XLA tells none of its flags
            "vector_width": None,
            "matmul_precision": jax.config.jax_default_matmul_precision,
        }

    def prepare(self, input_sets):
        self.sets = input_sets

    def run(self, k):
        self.results = [np.asarray(result) for result in self.network(*self.sets[k])]

    def outputs(self):
        return self.results

    def close(self):
        self.network = self.sets = self.results = None
