"""What rows say where an engine's own converter or compiler takes no model, from what those print."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import bakeoff.engines

pytestmark = pytest.mark.unit

PNNX = """inputshape = [1,128]i64
############# pass_level0 onnx
inline_containers ...                 0.00ms
fold_constants ...                """
ONNXRUNTIME = "\x1b[1;31mNon-zero status\x1b[m\nort Run failed: Gather n1: out of bounds\n\n"
COUNTS = "\u2502 Tanh \u2502 2 \u2502\n############# pass_level1 onnx\n############# pass_ncnn\n"

MNN = """MNN use high precision
Start to Optimize the MNN Net...
"""
LACKING = "[17:17:06] :220: These Op Not Support: ONNX::IsNaN | ONNX::Det \nConverted Failed!\n"

IREE = """Error invoking IREE compiler tool iree-compile
Error code: {}
Diagnostics:
"""
STACK = """network.mlir:9:1: error: exceeded stack allocation limit
    %5 = torch.operator "onnx.ReduceMean"(%4) : (!torch.vtensor<[1],f32>)
    ^
network.mlir:9:1: error: failed to run translation
"""
ILLEGAL = """network.mlir:7:1: error: failed to legalize operation 'torch.operator' that was explicitly marked illegal
    %5 = torch.operator "onnx.Det"(%4)
    ^
network.mlir:7:1: note: see current operation: "torch.operator"(%4) <{name = "onnx.Det"}>
"""


def of(engine: str) -> ModuleType:
    path = Path(bakeoff.engines.__file__).parent / engine / "refusal.py"
    spec = importlib.util.spec_from_file_location(f"{engine}_refusal", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (
            PNNX + ONNXRUNTIME,
            -11,
            "it crashed (SIGSEGV) in its pass_level0 onnx, fold_constants: ort Run failed: Gather n1: out of bounds",
        ),
        (COUNTS, -11, "it crashed (SIGSEGV) in its pass_ncnn"),
        ("", 1, "it ended with code 1 before its first pass"),
        (
            "no such file: cannot open it\n",
            255,
            "it ended with code 255 before its first pass: no such file: cannot open it",
        ),
    ],
)
def test_pnnx_tells_its_pass_and_what_it_said_there(said: str, code: int, reason: str) -> None:
    assert of("ncnn").reason_in(said, code) == f"pnnx cannot convert this model: {reason}"


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (MNN + LACKING, 0, "MNN's converter lacks IsNaN, Det"),
        (
            MNN + "[17:17:06] :9: Cannot open it\nConverted Failed!\n",
            0,
            "MNN's converter cannot convert this model: it wrote nothing: Cannot open it",
        ),
        ("", -11, "MNN's converter cannot convert this model: it ended with -11"),
    ],
)
def test_mnns_converter_names_what_it_lacks(said: str, code: int, reason: str) -> None:
    assert of("mnn").reason_in(said, code) == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (IREE.format(1) + STACK, "iree-compile stops at ReduceMean: exceeded stack allocation limit"),
        (IREE.format(1) + ILLEGAL, "iree-compile does not know the operator Det"),
        (IREE.format(1) + "error: no target\n", "iree-compile stops: no target"),
        (IREE.format(-11), "iree-compile names no error; its exit code was -11"),
    ],
)
def test_irees_compiler_names_the_operator(said: str, reason: str) -> None:
    assert of("iree").reason_in(said) == reason


@pytest.mark.parametrize(
    ("engine", "said", "code", "kind"),
    [
        ("ncnn", COUNTS, -11, NotImplementedError),
        ("ncnn", "read_proto_from_binary failed\n", 255, RuntimeError),
        ("ncnn", COUNTS, -9, RuntimeError),
        ("mnn", MNN + LACKING, 0, NotImplementedError),
        ("mnn", "[ERROR] Convert error, please check your file format.\n", 0, RuntimeError),
        ("mnn", MNN, -9, RuntimeError),
    ],
)
def test_only_what_the_converter_lacks_is_unsupported(engine: str, said: str, code: int, kind: type) -> None:
    assert type(of(engine).refusal(said, code)) is kind
