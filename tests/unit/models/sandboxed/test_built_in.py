import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from bakeoff.models.architectures import ARCHITECTURES, count_parameters, layers, parameters
from bakeoff.models.inputs import draw
from bakeoff.models.sandboxed import built_in
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.seeding import seeded_weights
from bakeoff.models.sandboxed.signature import inspect
from bakeoff.models.sandboxed.versions import at_ir_version, at_opset

pytestmark = pytest.mark.unit

TINY = "1dcf975181336debe8f6340b22fa2567348a538ff57ffcffb3e12af5c6bf2056"
"""A change here changes every seeded network: raise `library.VERSION` with it."""


def test_the_tiny_network_is_the_same_bytes_everywhere(tiny_path: Path) -> None:
    assert hashlib.sha256(tiny_path.read_bytes()).hexdigest() == TINY


def test_the_number_of_blas_threads_does_not_change_the_weights(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from bakeoff.models.architectures import ARCHITECTURES\n"
        "from bakeoff.models.sandboxed import built_in, seeding\n"
        "tiny = ARCHITECTURES['resnet-tiny']; built_in.write(tiny, seeding.seeded_weights(tiny), Path(sys.argv[1]))"
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
        ("mobilenet-v2", 3_504_872, 0.60),
        ("squeezenet1.1", 1_235_496, 0.70),
        ("vgg16", 138_357_544, 30.94),
    ],
)
def test_a_network_has_the_parameters_and_work_that_torchvision_documents(name: str, count: int, gflop: float) -> None:
    assert count_parameters(ARCHITECTURES[name]) == count
    assert built_in.flops(ARCHITECTURES[name]) / 1e9 == pytest.approx(gflop, abs=0.06)


def test_efficientnet_lite0_has_the_size_that_its_authors_document() -> None:
    assert count_parameters(ARCHITECTURES["efficientnet-lite0"]) / 1e6 == pytest.approx(4.652, abs=0.001)
    assert built_in.flops(ARCHITECTURES["efficientnet-lite0"]) / 2e6 == pytest.approx(407, rel=0.06)


def test_the_encoder_has_minilms_size_but_for_the_positions_and_the_pooler_that_it_leaves_out() -> None:
    minilm, width = 22_713_216, 384
    left_out = (512 - 128) * width + 2 * width + width * width + width
    assert count_parameters(ARCHITECTURES["minilm"]) == minilm - left_out


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
    found = inspect(tiny, Path())
    assert found.denormals == {}
    assert found.outputs[0].shape == (None, 10)
    assert found.classes == 10
    assert found.parameters == count_parameters(ARCHITECTURES["resnet-tiny"])
    assert found.flops == built_in.flops(ARCHITECTURES["resnet-tiny"])


FAMILIES = ("mobile-tiny", "squeezenet-tiny", "encoder-tiny")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """One network of each other family."""
    path = tmp_path_factory.mktemp("family") / "model.onnx"
    architecture = ARCHITECTURES[request.param]
    built_in.write(architecture, seeded_weights(architecture), path)
    return onnx.load(path)


def samples(model: onnx.ModelProto, seed: int) -> list[NDArray[Any]]:
    return [
        draw(s.dtype, s.sample_shape, seed + i, 1, below=s.below) for i, s in enumerate(inspect(model, Path()).inputs)
    ]


def test_every_family_says_what_it_takes_and_gives(family: onnx.ModelProto) -> None:
    found, architecture = inspect(family, Path()), ARCHITECTURES[family.graph.name]
    assert [(spec.name, spec.dtype, spec.shape) for spec in found.inputs] == [
        (spec.name, spec.dtype, spec.shape) for spec in architecture.inputs
    ]
    assert found.outputs == (architecture.output,)
    assert found.classes == (architecture.classes or None)
    assert found.parameters == count_parameters(architecture)
    assert found.flops == built_in.flops(architecture) > 0


def test_outputs_of_every_family_differ_between_inputs_and_are_of_order_one(family: onnx.ModelProto) -> None:
    evaluate = Float64Model(family)
    outputs = np.stack([evaluate(samples(family, 10 * seed))[0].ravel() for seed in range(6)])
    correlation = np.corrcoef(outputs)[np.triu_indices(6, 1)]
    assert np.median(correlation) < 0.9, "a few channels cannot tell inputs well apart"
    assert correlation.max() < 0.98
    assert 0.05 < outputs.std() < 4


def test_every_family_has_a_form_for_the_readers_of_2019_that_computes_the_same(family: onnx.ModelProto) -> None:
    old, given = at_ir_version(at_opset(family, 9), 4), samples(family, 3)
    onnx.checker.check_model(old, full_check=True)
    [before], [after] = Float64Model(family)(given), Float64Model(old)(given)
    assert np.abs(before - after).max() < 1e-9


def test_the_encoder_looks_only_at_what_the_mask_lets_it(tmp_path: Path) -> None:
    architecture = ARCHITECTURES["encoder-tiny"]
    built_in.write(architecture, seeded_weights(architecture), tmp_path / "model.onnx")
    evaluate = Float64Model(onnx.load(tmp_path / "model.onnx"))
    mask = np.array([[1, 1, 1, 1, 0, 0, 0, 0]])
    ids = np.arange(8)[None]
    other = np.where(mask, ids, 40)
    [seen], [seen_too] = evaluate([ids, mask]), evaluate([other, mask])
    assert np.abs(seen[:, :4] - seen_too[:, :4]).max() < 1e-12
    assert np.abs(seen[:, 4:] - seen_too[:, 4:]).max() > 0.1


def test_names_and_strides_of_the_mobile_networks_are_those_of_their_checkpoints() -> None:
    torchvisions = parameters(ARCHITECTURES["mobilenet-v2"])
    assert torchvisions["features.1.conv.0.0.weight"] == (32, 1, 3, 3)
    assert torchvisions["features.2.conv.2.weight"] == (24, 96, 1, 1)
    assert torchvisions["features.17.conv.3.running_var"] == (320,)
    assert torchvisions["classifier.1.weight"] == (1000, 1280)
    lite = {layer.name: layer for layer in layers(ARCHITECTURES["efficientnet-lite0"])}
    assert lite["_blocks.3._depthwise_conv"].attributes["pads"] == [1, 1, 2, 2]
    assert lite["_blocks.3._depthwise_conv"].stride == 2
    assert "_blocks.0._expand_conv" not in lite
    assert lite["_blocks.15._bn2"].parameters["_blocks.15._bn2.weight"] == (320,)


def test_logits_differ_between_inputs_and_are_of_order_one(tiny: onnx.ModelProto) -> None:
    images = draw("float32", (3, 32, 32), seed=0, count=8)
    [logits] = np.concatenate([Float64Model(tiny)([image[None]])[0] for image in images])[None]
    correlation = np.corrcoef(logits)[np.triu_indices(8, 1)]
    assert np.median(correlation) < 0.5
    assert correlation.max() < 0.9
    assert 0.5 < logits.std() < 4
    assert len(set(logits.argmax(axis=1))) >= 4
