"""Keras on any of its backends, called by `predict_on_batch`. Good for Keras 2.2.4 and 3."""

import importlib
import os

import keras
import numpy as np
from layout import to_nchw, to_nhwc
from translator import translate

KERAS_2 = not hasattr(keras, "ops")
PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
KEPT = {}
"""Keras 2's model of this process: (path, threads) -> model. Its graphs gain nothing from a fixed batch size, and
building one takes seconds, so one serves all."""


class Engine:
    def __init__(self):
        self.backend = keras.backend.backend()

    def describe(self):
        framework = importlib.import_module(self.backend)
        return {"version": keras.__version__, "backend": "{} {}".format(self.backend, framework.__version__)}

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("this engine computes in fp32 only, not in {}".format(settings["precision"]))
        self.there, self.back = to_nhwc, to_nchw
        self.order = range(len(model["inputs"]))
        if KERAS_2:
            return self.load_in_keras_2(model["path"], settings["threads"])
        keras.backend.clear_session()
        threads = THREADS[self.backend](settings["threads"])
        if model["format"] == "own-keras":
            self.there = self.back = np.asarray  # its user's own layout
            self.model = keras.saving.load_model(model["path"], compile=False, safe_mode=True)
            names = [tensor["name"] for tensor in model["inputs"]]
            self.order = [names.index(tensor.name) for tensor in self.model.inputs]
        else:
            self.model = translate(model["path"], keras, settings["batch_size"])
        return {
            "threads": threads,
            "precision": PRECISIONS.get(self.model.dtype_policy.compute_dtype),
            "backend": self.backend,
            "jit_compile": bool(self.model.jit_compile),
        }

    def load_in_keras_2(self, path, threads):
        from threads import session

        if (path, threads) not in KEPT:
            KEPT.clear()
            keras.backend.clear_session()
            keras.backend.set_session(session(threads))
            KEPT[path, threads] = translate(path, keras, None)
        self.model = KEPT[path, threads]
        return {"threads": threads, "precision": PRECISIONS.get(keras.backend.floatx()), "backend": self.backend}

    def prepare(self, input_sets):
        sets = [[self.there(arrays[i]) for i in self.order] for arrays in input_sets]
        self.sets = [arrays[0] if len(arrays) == 1 else arrays for arrays in sets]

    def run(self, k):
        self.result = self.model.predict_on_batch(self.sets[k])

    def outputs(self):
        results = self.result if isinstance(self.result, (list, tuple)) else [self.result]
        return [self.back(result) for result in results]

    def close(self):
        self.model = self.sets = self.result = None


# Each backend's knob for threads in Keras 3; returns the number that took effect.


def tensorflow_threads(threads):
    from threads import use_threads

    return use_threads(threads)


def torch_threads(threads):
    import torch

    torch.set_num_threads(threads)
    return torch.get_num_threads()


def jax_threads(threads):
    """XLA's pool has as many threads as NPROC says, and JAX itself has no knob: engine.toml sets it."""
    if os.environ.get("NPROC") != str(threads):
        raise NotImplementedError("JAX takes its threads from NPROC, which is not {}".format(threads))
    return threads


def openvino_threads(threads):
    """Keras compiles its OpenVINO models without a configuration, so one is put under it."""
    import openvino

    compile_model = openvino.Core().compile_model
    openvino.compile_model = lambda model, device: compile_model(
        model, device, {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    )
    return threads


THREADS = {
    "tensorflow": tensorflow_threads,
    "torch": torch_threads,
    "jax": jax_threads,
    "openvino": openvino_threads,
}
