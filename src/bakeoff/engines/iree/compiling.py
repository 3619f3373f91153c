"""IREE's own files, compiled from ONNX for this processor and one batch size once, and kept under the worker's home."""

import hashlib
import os
import shutil
import tempfile

import iree.compiler.version
import onnx
from iree.compiler.tools import CompilerToolError, compile_file
from iree.compiler.tools.import_onnx import __main__ as importer
from refusal import reason_in

OPSET = 17
"""The least that IREE's importer knows whole; models of older opsets are brought to it by ONNX's own converter."""

ENTRY = "network"
TARGET = (
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    # A transformer's layer norms need 37 KB of stack, and the compiler allows 32. Its runtime's threads have 128.
    "--iree-llvmcpu-stack-allocation-limit=65536",
)


def compiled(model, flags):
    """The path of the .vmfb file for `model` at its shapes, compiled now if it never was.

    Raises NotImplementedError with the operator that IREE's compiler stopped at and its own reason.
    """
    with open(model["path"], "rb") as f:
        digest = hashlib.sha256(f.read())
    digest.update(repr([model["inputs"], flags, iree.compiler.version.VERSION]).encode())
    home = os.path.join(os.path.expanduser("~"), ".cache", "iree")
    path = os.path.join(home, digest.hexdigest()[:32] + ".vmfb")
    if not os.path.isfile(path):
        os.makedirs(home, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=home)
        try:
            os.replace(compile_now(model, flags, scratch), path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return path


def compile_now(model, flags, scratch):
    """Compile `model` in the folder `scratch`; returns the path of the .vmfb file there."""
    fixed, imported, made = (os.path.join(scratch, name) for name in ("fixed.onnx", "network.mlir", "network.vmfb"))
    onnx.save(with_shapes(model), fixed)
    importer.main(importer.parse_arguments([fixed, "-o", imported, "--opset-version", str(OPSET)]))
    try:
        compile_file(imported, input_type="onnx", output_file=made, extra_args=[*TARGET, *flags])
    except CompilerToolError as error:
        raise NotImplementedError(reason_in(str(error))) from error
    return made


def with_shapes(model):
    """The ONNX model with the sizes of its inputs and outputs filled in, as far as they are known."""
    network = onnx.load(model["path"])
    network.graph.name = ENTRY
    shapes = {tensor["name"]: tensor["shape"] for tensor in [*model["inputs"], *model["outputs"]]}
    for value in [*network.graph.input, *network.graph.output]:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ())):
            if size >= 0:
                dim.dim_value = size
    return network
