import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from safetensors.numpy import save_file

from bakeoff.errors import ModelError, ModelTaskError
from bakeoff.models import sandbox
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.library import ModelLibrary
from bakeoff.models.sandboxed.seeding import seeded_weights
from bakeoff.records import ModelForm, ModelRecord, Shaping

pytestmark = pytest.mark.unit

TINY = "resnet-tiny"
Net = Callable[..., onnx.ModelProto]


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


@pytest.mark.usefixtures("in_process")
def test_a_damaged_file_in_the_cache_is_made_anew(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    library.path(tiny_record).write_bytes(b"damaged")
    assert library.resolve(TINY) == tiny_record
    assert library.path(tiny_record).stat().st_size > 20_000


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


DAMAGES = [cut, flipped, lambda _: b"", lambda _: b"PK\x03\x04 and nothing more", lambda c: bytes(len(c))]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_reference_is_computed_anew(
    library: ModelLibrary, tiny_record: ModelRecord, damage: Callable[[bytes], bytes]
) -> None:
    sound = [library.samples(tiny_record, 7, 1).reference(), library.samples(tiny_record, 7, 1).rounded()["fp16"]]
    for file in library.path(tiny_record).parent.glob("r*-seed7.npz"):
        file.write_bytes(damage(file.read_bytes()))
    again = [library.samples(tiny_record, 7, 1).reference(), library.samples(tiny_record, 7, 1).rounded()["fp16"]]
    assert all(np.array_equal(now[0], then[0]) for now, then in zip(again, sound, strict=True))


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("damage", [cut, lambda _: b"", lambda c: bytes(len(c))])
def test_damaged_samples_and_weights_are_made_anew(
    library: ModelLibrary, tiny_record: ModelRecord, damage: Callable[[bytes], bytes]
) -> None:
    [samples] = library.samples(tiny_record, seed=8, count=2).files
    weights = library.form(tiny_record, ModelForm(format="plain")) / "weights.npz"
    sound = {file: file.read_bytes() for file in (samples, weights)}
    for file, content in sound.items():
        file.write_bytes(damage(content))
    assert library.samples(tiny_record, seed=8, count=2).files
    library.form(tiny_record, ModelForm(format="plain"))
    assert {file: file.read_bytes() for file in sound} == sound
    assert not [path for path in samples.parent.iterdir() if path.name.startswith(".making")]


@pytest.mark.usefixtures("in_process")
def test_a_record_from_before_denormals_were_counted_is_made_anew(
    library: ModelLibrary, tiny_record: ModelRecord
) -> None:
    index = library.root / f"{TINY}-seeded.json"
    kept = json.loads(index.read_text())
    assert kept.pop("denormals") == {}
    index.write_text(json.dumps(kept))
    assert library.resolve(TINY) == tiny_record
    assert json.loads(index.read_text())["denormals"] == {}


@pytest.mark.usefixtures("in_process")
def test_a_model_in_training_mode_is_refused_when_it_is_taken(library: ModelLibrary, tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 4])
    node = helper.make_node("RandomNormalLike", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", 1, ["N", 4])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"m\.onnx: operator RandomNormalLike draws random numbers"):
        library.add(tmp_path / "m.onnx", Shaping(shapes={}))


def test_what_a_converter_wrote_is_made_anew_where_it_is_not_sound(
    library: ModelLibrary, tiny_record: ModelRecord
) -> None:
    written: list[str] = []

    def write(target: Path) -> None:
        written.append(target.name)
        target.write_text("sound", encoding="utf-8")

    def is_sound(path: Path) -> bool:
        return path.exists() and path.read_text(encoding="utf-8") == "sound"

    for _ in range(2):
        path = library.converted(tiny_record, "twice", write, is_sound)
        path.write_text("dam", encoding="utf-8")
    assert written == ["twice", "twice"]
    assert library.converted(tiny_record, "twice", write, lambda _: True) == path


@pytest.mark.usefixtures("in_process")
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


def test_what_could_not_be_made_is_not_tried_again(
    library: ModelLibrary, tiny_record: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def run(task: str, *_arguments: object, **_options: object) -> None:
        tries.append(task)
        raise ModelTaskError("resnet-tiny: stopped after the 900 s that a model may take")

    monkeypatch.setattr(sandbox, "run", run)
    for _ in range(2):
        with pytest.raises(ModelTaskError, match="stopped after the 900 s"):
            library.form(tiny_record, ModelForm(format="onnx", max_opset=8))
    assert tries == ["convert"]


@pytest.mark.usefixtures("in_process")
def test_a_reference_is_kept_cut_and_extended(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    said: list[str] = []
    [two] = library.samples(tiny_record, 0, 2).reference(said.append)
    [one] = library.samples(tiny_record, 0, 1).reference(said.append)
    [three] = library.samples(tiny_record, 0, 3).reference(said.append)
    assert said == ["reference 1 of 2", "reference 2 of 2", "reference 3 of 3"]
    assert three.dtype == np.float64
    assert three.shape == (3, 10)
    assert np.array_equal(three[:2], two)
    assert np.array_equal(two[:1], one)


@pytest.mark.usefixtures("in_process")
def test_rounded_answers_are_kept_for_each_precision(
    library: ModelLibrary, tiny_record: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    answers = library.samples(tiny_record, 0, 2).rounded(said.append)
    assert said == [f"rounding to {name} {n} of 2" for name in ("fp32", "fp16", "bf16") for n in (1, 2)]
    assert [array.shape for arrays in answers.values() for array in arrays] == [(2, 10)] * 3
    monkeypatch.setattr(sandbox, "run", None)
    again = library.samples(tiny_record, 0, 1).rounded()
    assert np.array_equal(again["bf16"][0], answers["bf16"][0][:1])


def test_samples_are_files_of_contiguous_arrays(library: ModelLibrary, tiny_record: ModelRecord) -> None:
    [path] = library.samples(tiny_record, seed=3, count=5).files
    array = np.load(path, allow_pickle=False)
    assert (array.shape, array.dtype) == ((5, 3, 32, 32), np.float32)
    assert library.samples(tiny_record, seed=3, count=5).files == [path]


@pytest.mark.usefixtures("in_process")
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


@pytest.mark.usefixtures("in_process")
def test_a_users_own_onnx_file_is_taken(library: ModelLibrary, tiny_record: ModelRecord, tiny_path: Path) -> None:
    record = library.add(tiny_path)
    assert (record.name, record.digest) == ("resnet-tiny.onnx", tiny_record.digest)


@pytest.mark.usefixtures("in_process")
def test_weights_beside_a_model_are_part_of_it(library: ModelLibrary, tiny: onnx.ModelProto, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "outside.onnx"
    onnx.save(tiny, path, save_as_external_data=True, location="data/weights.bin", size_threshold=0)
    first = library.add(path)
    assert not library.path(first).with_name("model.data").exists()
    assert library.add(path) == first
    weights = bytearray((tmp_path / "data" / "weights.bin").read_bytes())
    weights[100] ^= 1
    (tmp_path / "data" / "weights.bin").write_bytes(weights)
    assert library.add(path).digest != first.digest


@pytest.mark.usefixtures("in_process")
def test_each_shape_of_a_model_is_another_model(library: ModelLibrary, net: Net, tmp_path: Path) -> None:
    model = net([helper.make_node("Relu", ["x"], ["y"])])
    for side in (model.graph.input, model.graph.output):
        side[0].type.tensor_type.shape.dim[2].dim_param = "h"
    onnx.save(model, tmp_path / "m.onnx")
    small, large = (library.add(tmp_path / "m.onnx", Shaping(shapes={"h": (size,)})) for size in (8, 16))
    assert (small.inputs[0].shape, large.inputs[0].shape) == ((None, 4, 8, 8), (None, 4, 16, 8))
    assert small.digest != large.digest


@pytest.mark.usefixtures("in_process")
def test_real_inputs_take_the_place_of_drawn_ones(library: ModelLibrary, tiny_path: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(1).random((3, 3, 32, 32))
    np.savez(tmp_path / "data.npz", input=images)
    record = library.add(tiny_path, Shaping(data=str(tmp_path / "data.npz")))
    assert (record.data_samples, len(record.data_digest)) == (3, 64)
    [path] = library.samples(record, seed=0, count=8).files
    assert np.array_equal(np.load(path), images.astype(np.float32))
    [reference] = library.samples(record, 0, 8).reference()
    assert reference.shape == (3, 10)


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
