import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from bakeoff.errors import ModelError, UnsupportedModelError
from bakeoff.models import sandbox
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.library import ModelLibrary
from bakeoff.models.seeding import seeded_weights
from bakeoff.records import ModelForm, ModelRecord

pytestmark = pytest.mark.unit

TINY = "resnet-tiny"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    return ModelLibrary(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def tiny_record(library: ModelLibrary) -> ModelRecord:
    return library.resolve(TINY)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(task: str, *_arguments: object, **_options: object) -> None:
        raise AssertionError(f"started a model worker for {task}")

    monkeypatch.setattr(sandbox, "run", refuse)


def test_a_built_in_network_is_written_and_described(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    assert (tiny_record.name, tiny_record.weights, tiny_record.classes) == (TINY, "seeded", 10)
    assert tiny_record.inputs[0].at(4) == (4, 3, 32, 32)
    assert tiny_record.flops > tiny_record.parameters > 0
    assert library.path(tiny_record).is_file()


@pytest.mark.usefixtures("no_worker")
def test_what_is_in_the_cache_is_not_made_again(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    assert library.resolve(TINY) == tiny_record


def test_a_damaged_file_in_the_cache_is_made_anew(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    library.path(tiny_record).write_bytes(b"damaged")
    assert library.resolve(TINY) == tiny_record
    assert library.path(tiny_record).stat().st_size > 20_000


def test_each_form_is_made_once(
    library: ModelLibrary, tiny_record: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ModelForm(format="onnx", max_opset=9, max_ir_version=3)
    plain = ModelForm(format="plain")
    assert library.form(tiny_record, ModelForm(format="onnx")) == library.path(tiny_record)
    paths = [library.form(tiny_record, form) for form in (old, plain)]
    model = onnx.load(paths[0])
    assert (model.opset_import[0].version, model.ir_version) == (9, 3)
    assert json.loads((paths[1] / "graph.json").read_text(encoding="utf-8"))["name"] == TINY
    monkeypatch.setattr(sandbox, "run", None)
    assert [library.form(tiny_record, form) for form in (old, plain)] == paths
    leftovers = [path.name for path in library.path(tiny_record).parent.iterdir() if path.name.startswith(".")]
    assert leftovers == []


def test_a_reference_is_kept_cut_and_extended(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    said: list[str] = []
    [two] = library.reference(tiny_record, 0, 2, said.append)
    [one] = library.reference(tiny_record, 0, 1, said.append)
    [three] = library.reference(tiny_record, 0, 3, said.append)
    assert said == ["reference 1 of 2", "reference 2 of 2", "reference 3 of 3"]
    assert three.dtype == np.float64
    assert three.shape == (3, 10)
    assert np.array_equal(three[:2], two)
    assert np.array_equal(two[:1], one)


def test_rounded_answers_are_kept_for_each_precision(
    library: ModelLibrary, tiny_record: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    answers = library.rounded(tiny_record, 0, 2, said.append)
    assert said == [f"rounding to {name} {n} of 2" for name in ("fp32", "fp16", "bf16") for n in (1, 2)]
    assert [array.shape for arrays in answers.values() for array in arrays] == [(2, 10)] * 3
    monkeypatch.setattr(sandbox, "run", None)
    again = library.rounded(tiny_record, 0, 1)
    assert np.array_equal(again["bf16"][0], answers["bf16"][0][:1])


def test_samples_are_files_of_contiguous_arrays(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    [path] = library.samples(tiny_record, seed=3, count=5)
    array = np.load(path, allow_pickle=False)
    assert (array.shape, array.dtype) == ((5, 3, 32, 32), np.float32)
    assert library.samples(tiny_record, seed=3, count=5) == [path]


def test_a_checkpoint_with_the_same_weights_is_the_same_model(
    library: ModelLibrary, tiny_record: ModelRecord, tmp_path: Path
) -> None:
    save_file(seeded_weights(ARCHITECTURES[TINY]), tmp_path / "mine.safetensors")
    record = library.resolve(TINY, str(tmp_path / "mine.safetensors"))
    assert (record.digest, record.weights) == (tiny_record.digest, "mine.safetensors")


@pytest.mark.usefixtures("no_worker")
def test_trained_weights_that_are_missing_say_how_to_get_them(tmp_path: Path) -> None:
    library = ModelLibrary(tmp_path, trained=tmp_path)
    with pytest.raises(ModelError, match=r"resnet50-0676ba61\.pth") as caught:
        library.resolve("resnet50", "trained")
    assert caught.value.advice == "Fetch them: bakeoff models get resnet50"
    with pytest.raises(ModelError, match="resnet-tiny has no trained weights"):
        library.resolve(TINY, "trained")


@pytest.mark.usefixtures("no_worker")
def test_an_unknown_name_gets_close_matches(library: ModelLibrary) -> None:
    with pytest.raises(ModelError, match="no model is called 'resnet5'") as caught:
        library.resolve("resnet5")
    assert "resnet50" in str(caught.value.advice)


def test_a_users_own_onnx_file_is_taken(library: ModelLibrary, tiny_record: ModelRecord, tiny_path: Path) -> None:
    record = library.resolve(str(tiny_path))
    assert record.digest == tiny_record.digest


def test_a_model_without_an_open_batch_size_is_refused(
    library: ModelLibrary, tiny: onnx.ModelProto, tmp_path: Path
) -> None:
    tiny.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(tiny, tmp_path / "fixed.onnx")
    with pytest.raises(UnsupportedModelError, match=r"'input' has no open batch size in front: .*\[1, 3, 32, 32\]"):
        library.resolve(str(tmp_path / "fixed.onnx"))


def test_two_at_once_make_a_model_together(tmp_path: Path) -> None:
    library = ModelLibrary(tmp_path)
    records: list[ModelRecord] = []
    threads = [threading.Thread(target=lambda: records.append(library.resolve(TINY))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records) == 2
    assert records[0] == records[1]


def test_the_controller_never_imports_onnx() -> None:
    program = "import sys, bakeoff.models.library, bakeoff.models.inputs; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
