"""Keras on any of its backends, called by `predict_on_batch`. Good for Keras 2.2.4 and 3."""

import importlib
import os

import keras
import numpy as np
from layout import to_nchw, to_nhwc
from translator import translate

KERAS_2 = not hasattr(keras, "ops")
PRECISION_OF = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
KEPT = {}
"""Keras 2's model of this process: (path, threads) -> model. Its graphs gain nothing from a fixed batch size, and
building one takes seconds, so one serves all."""


class Engine:
    PRECISIONS = ("fp32",)

    def __init__(self):
        self.backend = keras.backend.backend()

    def describe(self):
        framework = importlib.import_module(self.backend)
        return {"version": keras.__version__, "backend": "{} {}".format(self.backend, framework.__version__)}

    def load(self, model, settings):
        self.there, self.back = to_nhwc, to_nchw
        self.order = range(len(model["inputs"]))
        if KERAS_2:
            return self.load_in_keras_2(model["path"], settings["threads"])
        keras.backend.clear_session()
        effective = THREADS[self.backend](settings)
        if model["format"] == "own-keras":
            self.there = self.back = np.asarray  # its user's own layout
            self.model = keras.saving.load_model(model["path"], compile=False, safe_mode=True)
            names = [tensor["name"] for tensor in model["inputs"]]
            self.order = [names.index(tensor.name) for tensor in self.model.inputs]
        else:
            self.model = translate(model["path"], keras, settings["batch_size"])
        return {
            **effective,
            "precision": PRECISION_OF.get(self.model.dtype_policy.compute_dtype),
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
        return {"threads": threads, "precision": PRECISION_OF.get(keras.backend.floatx()), "backend": self.backend}

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


# Each backend's way to set threads in Keras 3; returns what took effect.


def tensorflow_threads(settings):
    from threads import use_threads

    return use_threads(settings["threads"], settings["inter_threads"])


def torch_threads(settings):
    import torch

    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    return {"threads": torch.get_num_threads()}


def jax_threads(settings):
    """XLA's pool has as many threads as NPROC says, and JAX itself has no knob: engine.toml sets it."""
    threads = settings["threads"]
    if os.environ.get("NPROC") != (str(threads) if threads else None):
        raise NotImplementedError("JAX takes its threads from NPROC, which is not {}".format(threads))
    return {"threads": threads}


def openvino_threads(settings):
    """Keras compiles its OpenVINO models without a configuration, so one is put under it."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32"}
    if settings["threads"]:
        config["INFERENCE_NUM_THREADS"] = settings["threads"]
    compile_model = openvino.Core().compile_model
    openvino.compile_model = lambda model, device: compile_model(model, device, config)
    return {"threads": settings["threads"]}


THREADS = {
    "tensorflow": tensorflow_threads,
    "torch": torch_threads,
    "jax": jax_threads,
    "openvino": openvino_threads,
}
