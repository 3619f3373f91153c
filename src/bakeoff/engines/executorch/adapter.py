"""ExecuTorch with its XNNPACK backend, from the same layers as the PyTorch engines.

A program is exported for the shapes of one batch size, which takes PyTorch's compiler many seconds: it is made once for
each model and batch size, and kept under the worker's home as it would be on the device that it is meant for.

Threads: the pool that XNNPACK and the other kernels share, reset at each load and asked for its size.
"""

import hashlib
import os
import sys
import tempfile
import warnings

import torch
from executorch.extension.pybindings import portable_lib as runtime

try:
    from importlib.metadata import version  # novermin
except ImportError:  # before Python 3.8
    from importlib_metadata import version

PYTORCH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pytorch")
"""where the translator from plain graphs to ``torch.nn`` lives"""
VERSION = version("executorch")


class Engine:
    """One program's `forward`."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": VERSION, "torch": torch.__version__, "backends": runtime._get_registered_backend_names()}  # noqa: SLF001

    def load(self, model, settings):
        if settings["threads"]:
            runtime._unsafe_reset_threadpool(settings["threads"])  # noqa: SLF001 - "unsafe" while an inference runs
        self.module = runtime._load_for_executorch(program(model, settings["xnnpack"]))  # noqa: SLF001 - no other loads
        threads = runtime._threadpool_get_thread_count()  # noqa: SLF001
        return {"threads": threads, "precision": "fp32", "xnnpack": settings["xnnpack"]}

    def prepare(self, input_sets):
        self.sets = [tuple(torch.from_numpy(array) for array in arrays) for arrays in input_sets]

    def run(self, k):
        self.results = self.module.forward(self.sets[k])

    def outputs(self):
        return [result.numpy().copy() for result in self.results]

    def close(self):
        self.module = self.sets = self.results = None


def program(model, xnnpack):
    """The path of the program for `model` at its shapes, exported now if it never was, with XNNPACK or without."""
    weights = os.stat(os.path.join(model["path"], "weights.npz"))
    key = repr((VERSION, torch.__version__, translator_digest(), model, xnnpack, weights.st_size, weights.st_mtime_ns))
    home = os.path.join(os.path.expanduser("~"), ".cache", "executorch-programs")
    path = os.path.join(home, hashlib.sha256(key.encode()).hexdigest()[:32] + ".pte")
    if not os.path.isfile(path):
        content = export(model, xnnpack)
        os.makedirs(home, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home, delete=False) as f:
            f.write(content)
        os.replace(f.name, path)  # whole or not at all, whoever else makes it
    return path


def translator_digest():
    """Of the text that makes layers of a plain graph: another translator makes another program."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(PYTORCH)):
        if name.endswith(".py"):
            with open(os.path.join(PYTORCH, name), "rb") as f:
                digest.update(f.read())
    return digest.hexdigest()


def export(model, xnnpack):
    """The program, as bytes. What XNNPACK lacks stays with ExecuTorch's portable kernels; without it, all does."""
    sys.path.append(PYTORCH)
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from translator import translate

    examples = tuple(torch.zeros(t["shape"], dtype=getattr(torch, t["dtype"])) for t in model["inputs"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(translate(model["path"]), examples)
        return (
            to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()] * xnnpack).to_executorch().buffer
        )
