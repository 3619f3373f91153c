import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from bakeoff.models.architectures import ARCHITECTURES, count_flops, count_parameters, layers, parameters
from bakeoff.models.inputs import draw
from bakeoff.models.reference import Float64Model
from bakeoff.models.signature import inspect

pytestmark = pytest.mark.unit

TINY = "1dcf975181336debe8f6340b22fa2567348a538ff57ffcffb3e12af5c6bf2056"
"""A change here changes every seeded network: raise `library.VERSION` with it."""


def test_the_tiny_network_is_the_same_bytes_everywhere(tiny_path: Path) -> None:
    assert hashlib.sha256(tiny_path.read_bytes()).hexdigest() == TINY


def test_the_number_of_blas_threads_does_not_change_the_weights(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from bakeoff.models import zoo, seeding, architectures as a\n"
        "tiny = a.ARCHITECTURES['resnet-tiny']; zoo.write(tiny, seeding.seeded_weights(tiny), Path(sys.argv[1]))"
    )
    path = tmp_path / "one-thread.onnx"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == TINY


@pytest.mark.parametrize(
    ("name", "count", "gflop"),
    [
        ("resnet18", 11_689_512, 3.6),
        ("resnet34", 21_797_672, 7.3),
        ("resnet50", 25_557_032, 8.2),
        ("resnet101", 44_549_160, 15.6),
        ("resnet152", 60_192_808, 23.0),
    ],
)
def test_a_network_has_the_parameters_and_work_that_torchvision_documents(name: str, count: int, gflop: float) -> None:
    assert count_parameters(ARCHITECTURES[name]) == count
    assert count_flops(ARCHITECTURES[name]) / 1e9 == pytest.approx(gflop, abs=0.06)


def test_parameters_have_torchvisions_names_and_shapes() -> None:
    shapes = parameters(ARCHITECTURES["resnet50"])
    assert list(shapes)[:5] == ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"]
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    assert shapes["fc.weight"] == (1000, 2048)
    assert "layer1.1.downsample.0.weight" not in shapes


def test_the_stride_of_a_bottleneck_lies_on_its_3x3_convolution() -> None:
    strides = {layer.name: layer.stride for layer in layers(ARCHITECTURES["resnet50"])}
    assert [strides[f"layer2.0.conv{n}"] for n in (1, 2, 3)] == [1, 2, 1]


def test_the_written_model_is_what_old_and_new_readers_take(tiny: onnx.ModelProto) -> None:
    assert (tiny.ir_version, tiny.opset_import[0].version) == (7, 13)
    assert [value.name for value in tiny.graph.input] == ["input"]
    assert tiny.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    operators = {node.op_type for node in tiny.graph.node}
    assert {"Flatten", "BatchNormalization"} <= operators
    assert "Reshape" not in operators
    found = inspect(tiny)
    assert found.outputs[0].shape == (None, 10)
    assert found.classes == 10
    assert found.parameters == count_parameters(ARCHITECTURES["resnet-tiny"])
    assert found.flops == count_flops(ARCHITECTURES["resnet-tiny"])


def test_logits_differ_between_inputs_and_are_of_order_one(tiny: onnx.ModelProto) -> None:
    images = draw("float32", (3, 32, 32), seed=0, count=8)
    [logits] = np.concatenate([Float64Model(tiny)([image[None]])[0] for image in images])[None]
    correlation = np.corrcoef(logits)[np.triu_indices(8, 1)]
    assert np.median(correlation) < 0.5
    assert correlation.max() < 0.9
    assert 0.5 < logits.std() < 4
    assert len(set(logits.argmax(axis=1))) >= 4
