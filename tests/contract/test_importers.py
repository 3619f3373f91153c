"""Users' models in other formats than ONNX, made by their own frameworks and imported for real."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import ModelError
from bakeoff.judge.case.parity import compare
from bakeoff.models.library import ModelLibrary
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.ready import arbitration, importing, prepare
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import ModelRecord, Plan, Request
from bakeoff.views.installing import LineReport

pytestmark = [pytest.mark.contract, pytest.mark.timeout(1800)]

TORCH = """
import sys, torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3)
    def forward(self, x, bias):
        return {"sum": self.conv(x).relu().flatten(2).sum(2) + bias, "bias": bias * 2}
batch = torch.export.Dim("batch")
example = (torch.randn(2, 3, 9, 9),), {"bias": torch.randn(2, 8)}
program = torch.export.export(Net().eval(), *example, dynamic_shapes={"x": {0: batch}, "bias": {0: batch}})
torch.export.save(program, "net.pt2")
"""
TORCH_WITHOUT_ONNX = """
import torch
class Net(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.eigvals(x).abs().sum(1)
torch.export.save(torch.export.export(Net(), (torch.randn(2, 4, 4),)), "strange.pt2")
"""
KERAS = """
import keras, tensorflow as tf
x, z = keras.Input((9, 9, 3), name="picture"), keras.Input((4,), name="extra")
y = keras.layers.Conv2D(8, 3, activation="relu")(x)
y = keras.layers.Concatenate()([keras.layers.Flatten()(y), z])
model = keras.Model([x, z], [keras.layers.Dense(5)(y), keras.layers.Dense(2)(y)])
model.save("net.keras")
model.export("net", format="tf_saved_model", verbose=False)
open("net.tflite", "wb").write(tf.lite.TFLiteConverter.from_saved_model("net").convert())
keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda t: t + 1)]).save("lambda.keras")
"""
OPENVINO = """
import openvino as ov
from openvino import opset13 as ops
x = ops.parameter([-1, 6], ov.Type.f32, name="x")
ov.save_model(ov.Model([ops.relu(x)], [x]), "net.xml")
"""
MADE_IN = {
    "pytorch-2-13-onnx": (TORCH, TORCH_WITHOUT_ONNX),
    "keras-3-15-onnx": (KERAS,),
    "openvino-2026": (OPENVINO,),
}


class Watcher(LineReport):
    """Prints what happens, for pytest to show should the test fail."""

    def __init__(self) -> None:
        super().__init__(print)

    @contextmanager
    def installing(self) -> Iterator[Self]:
        yield self

    def say(self, what: str) -> None:
        self.note(what)


@pytest.fixture(scope="module")
def context() -> importing.ImportContext:
    return importing.ImportContext(Catalogue.load(), ModelLibrary(paths.cache_dir()), Watcher())


@pytest.fixture(scope="module")
def made(context: importing.ImportContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of each format."""
    folder = tmp_path_factory.mktemp("made")
    specs = [context.catalogue.environments[name] for name in MADE_IN]
    standing = prepare.install_all(specs, context.observer)
    for name, scripts in MADE_IN.items():
        for script in scripts:
            subprocess.run([*standing[name].command, "-c", script], cwd=folder, check=True)
    return folder


def taken(path: Path, context: importing.ImportContext, *engines: str) -> tuple[Plan, ModelRecord]:
    plan = make_plan(Request(models=(str(path),), engines=engines, threads=1), context.catalogue, this_machine())
    return plan, importing.import_model(plan, path.name, context)


def answers_agree(plan: Plan, record: ModelRecord, context: importing.ImportContext) -> dict[str, float | None]:
    """The error of each engine of `plan` that can run it, against the reference of a race."""
    engines = prepare.engines_of(plan, context.catalogue)
    standing = environments.install([spec for e in engines for spec in e.environments], Watcher())
    preparation = prepare.prepare(
        plan, {record.name: record}, context.catalogue, standing, context.library, context.observer
    )
    exam = preparation.exams[record.name]
    found: dict[str, float | None] = {}
    for runnable in preparation.runnables[record.name]:
        assert isinstance(runnable, Runnable)
        answers = arbitration.answers(runnable, plan, record, exam.samples)
        found[runnable.name] = compare(answers, exam.reference)[0].max_rel_error
    return found


@pytest.mark.parametrize(
    ("file", "native"),
    [("net.pt2", "pytorch"), ("net.keras", "keras"), ("net", "tensorflow"), ("net.tflite", "litert")],
)
def test_a_model_becomes_onnx_that_answers_as_its_own_framework_does(
    made: Path, context: importing.ImportContext, capsys: pytest.CaptureFixture[str], file: str, native: str
) -> None:
    plan, record = taken(made / file, context, native, "onnxruntime")
    assert not record.unconverted
    assert record.inputs[0].shape[0] is None
    assert f"{file}: its ONNX answers as {native} does with the file itself" in capsys.readouterr().out
    errors = answers_agree(plan, record, context)
    assert [*errors] == [native, "onnxruntime"]
    assert all(error is not None and error < 1e-5 for error in errors.values())


@pytest.mark.parametrize(
    ("file", "native", "why"),
    [
        ("net.xml", "openvino", r"openvino/from_xml.py cannot convert net.xml: nothing converts OpenVINO IR to ONNX"),
        ("strange.pt2", "pytorch", r"pytorch/from_pt2.py cannot convert strange.pt2: .*linalg_eig.*"),
    ],
)
def test_what_has_no_onnx_is_run_by_its_own_engine_alone(
    made: Path, context: importing.ImportContext, file: str, native: str, why: str
) -> None:
    plan, record = taken(made / file, context, native, "onnxruntime")
    assert re.fullmatch(why, record.unconverted)
    errors = answers_agree(plan, record, context)
    assert errors == {native: 0.0}


def test_a_keras_file_with_code_in_it_is_refused(made: Path, context: importing.ImportContext) -> None:
    with pytest.raises(ModelError, match=r"tensorflow/to_onnx.py cannot read lambda.keras: .*safe mode.*Lambda"):
        taken(made / "lambda.keras", context, "onnxruntime")


@pytest.mark.parametrize("file", ["net.pt2", "net.keras", "net.tflite", "net.xml"])
def test_a_truncated_model_is_one_clear_line(
    made: Path, tmp_path: Path, context: importing.ImportContext, file: str
) -> None:
    content = (made / file).read_bytes()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    if file == "net.xml":
        (tmp_path / "net.bin").write_bytes((made / "net.bin").read_bytes())
    with pytest.raises(ModelError, match=rf"cannot read {file}: \S+") as caught:
        taken(tmp_path / file, context, "onnxruntime")
    assert "\n" not in str(caught.value)
