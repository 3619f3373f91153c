"""Which formats are taken, which are refused and why: nothing is opened for that."""

import re
from pathlib import Path

import pytest

from bakeoff.errors import ModelError
from bakeoff.models import sources

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["net.onnx", "net.PT2", "net.keras", "net.tflite", "net.xml"])
def test_a_file_is_known_by_its_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert sources.format_of(tmp_path / name) == name.lower().partition(".")[2]


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder, not a model"):
        sources.format_of(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert sources.format_of(tmp_path) == "saved_model"


@pytest.mark.parametrize(
    ("name", "why", "advice"),
    [
        ("net.pt", "a pickle runs whatever code it holds", "torch.export.save"),
        ("net.pth", "a pickle runs whatever code it holds", "torch.export.save"),
        ("net.pkl", "a pickle runs whatever code it holds", "torch.export.save"),
        ("net.h5", "may hold code", r"model\.keras"),
        ("net.pb", "without a signature", "SavedModel"),
        ("net.safetensors", "weights without a network", "torch.export.save"),
        ("net.bin", "weights without a network", r"\.xml"),
        ("net.doc", "models of this kind are not read", r"\.onnx, \.pt2, \.keras"),
    ],
)
def test_what_is_refused_has_a_reason_and_a_way_out(tmp_path: Path, name: str, why: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b"never opened")
    with pytest.raises(ModelError, match=why) as caught:
        sources.format_of(tmp_path / name)
    assert caught.match(name)
    assert caught.value.advice is not None
    assert re.search(advice, caught.value.advice)


def test_an_ir_without_its_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.xml"
    path.touch()
    with pytest.raises(ModelError, match=r"its weights are not beside it: net\.bin"):
        sources.files_of(path, "xml")
    (tmp_path / "net.bin").touch()
    assert [*sources.files_of(path, "xml")] == ["source.xml", "source.bin"]


def test_the_digest_is_of_every_file_and_of_its_place(tmp_path: Path) -> None:
    for name in ("saved_model.pb", "variables"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    first = sources.digest_of(sources.files_of(tmp_path, "saved_model"))
    (tmp_path / "variables").rename(tmp_path / "assets")
    second = sources.digest_of(sources.files_of(tmp_path, "saved_model"))
    (tmp_path / "assets").write_text("other", encoding="utf-8")
    assert len({first, second, sources.digest_of(sources.files_of(tmp_path, "saved_model"))}) == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("shop.nets:detector", True),
        ("nets:detector", True),
        ("C:model", False),
        ("./net.onnx", False),
        ("resnet18", False),
        ("nets:", False),
        ("nets:a b", False),
    ],
)
def test_a_factory_is_a_module_and_a_function(name: str, meant: bool) -> None:
    assert sources.is_factory(name) is meant
