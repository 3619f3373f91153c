"""Importers as processes of their own, on a format that is made up; the real ones are in tests/contract."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from tests.unit.made import a_plan

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import ModelError, UnsupportedModelError, WorkerError
from bakeoff.models.library import ModelLibrary
from bakeoff.race.asking.plan import own_files, own_name
from bakeoff.race.ready import factories, importing
from bakeoff.race.ready.conversion import form_for
from bakeoff.race.ready.exam import exam
from bakeoff.records import Converter, EngineSpec, EnvironmentSpec, Installed, ModelForm, Plan, Status

pytestmark = pytest.mark.unit

WRITES_THE_SOURCE = """
import os, shutil, sys
os.mkdir(sys.argv[2])
shutil.copy(sys.argv[1], sys.argv[2] + "/model.onnx")
"""
WRITES_A_SIGNATURE = """
import json, os, sys
tensor = {"name": "x", "dtype": "float32", "axes": ["batch", 3]}
signature = {"inputs": [tensor], "outputs": [dict(tensor, name="y")], "reason": "no ONNX form of: Strange"}
os.mkdir(sys.argv[2])
json.dump(signature, open(sys.argv[2] + "/signature.json", "w"))
"""
ANOTHER_NETWORK = (
    "tools/from_tflite.py made another network of net.tflite: its answers are 5.0e-01 off those of e with the file "
    "itself, and 1.0e-05 is allowed"
)


class Watcher:
    """Remembers what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @contextmanager
    def installing(self) -> Iterator[Any]:
        yield None

    def say(self, what: str) -> None:
        del what

    def note(self, what: str) -> None:
        self.notes.append(what)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


def context_with(
    folder: Path, script: str, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> importing.ImportContext:
    """A catalogue with an importer of .tflite files and no engine."""
    path = folder / "tools" / "from_tflite.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script, encoding="utf-8")
    environment = EnvironmentSpec(name="tools", kind="uv", lock=path)
    importer = Converter(script=path, environment=environment, reads=ModelForm(format="own-tflite"))
    catalogue = Catalogue({}, {}, {}, importers={"tflite": importer, "pt2": importer})
    installed = Installed(name="tools", digest="d", path=folder, command=(sys.executable, "-I", "-S"))
    for module in (importing, factories):
        monkeypatch.setattr(module, "install_all", lambda specs, _: {spec.name: installed for spec in specs})
    return importing.ImportContext(catalogue, ModelLibrary(folder / "cache"), watcher)


def plan_for(path: Path) -> Plan:
    return a_plan(models=(path.name,), engines=(), batch_sizes=(1,), threads=1, files={path.name: str(path)})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that the importer only copies: an ONNX of y = Relu(x)."""
    shape = ["batch", 3]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    path = tmp_path / "net.tflite"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.mark.usefixtures("in_process")
def test_a_model_is_imported_once_and_the_time_it_took_is_told(
    tmp_path: Path, source: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_with(tmp_path, WRITES_THE_SOURCE, watcher, monkeypatch)
    records = [importing.import_model(plan_for(source), "net.tflite", context) for _ in range(2)]
    assert records[0] == records[1]
    assert (records[0].name, records[0].source, records[0].unconverted) == ("net.tflite", "tflite", "")
    told = [note for note in watcher.notes if "imported in" in note]
    assert len(told) == 1
    assert re.fullmatch(r"net\.tflite: imported in \d+ s \(tools/from_tflite\.py\)", told[0])
    assert any("no engine takes .tflite itself, so its ONNX is not checked" in note for note in watcher.notes)
    kept = context.library.source("tflite", records[0].source_digest)
    assert kept.read_bytes() == source.read_bytes()
    kept.write_bytes(source.read_bytes()[:40])
    assert importing.import_model(plan_for(source), "net.tflite", context) == records[0]
    assert kept.read_bytes() == source.read_bytes()


def test_a_measure_that_the_cache_lost_half_of_is_taken_anew(tmp_path: Path) -> None:
    kept = tmp_path / "off.json"
    assert not importing.holds_a_number(kept)
    for content, is_one in ((b"", False), (b"1.2e", False), (b'"1"', False), (b"1.2e-05", True)):
        kept.write_bytes(content)
        assert importing.holds_a_number(kept) is is_one


@pytest.mark.usefixtures("in_process")
def test_what_cannot_be_converted_is_left_to_engines_that_take_it_as_it_is(
    tmp_path: Path, source: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_with(tmp_path, WRITES_A_SIGNATURE, watcher, monkeypatch)
    record = importing.import_model(plan_for(source), "net.tflite", context)
    assert record.unconverted == "tools/from_tflite.py cannot convert net.tflite: no ONNX form of: Strange"
    assert [(spec.name, spec.shape) for spec in (*record.inputs, *record.outputs)] == [
        ("x", (None, 3)),
        ("y", (None, 3)),
    ]
    own, other = (engine(tmp_path, takes) for takes in (("tflite",), ()))
    form, path = form_for(own, record, {}, context.library, watcher.note)
    assert (form.format, path.read_bytes()) == ("own-tflite", source.read_bytes())
    with pytest.raises(UnsupportedModelError, match="Strange"):
        form_for(other, record, {}, context.library, watcher.note)
    with pytest.raises(ModelError, match="no engine here can run it"):
        exam(plan_for(source), context.library.samples(record, 0, 1), [], watcher, lambda: (Status.UNAVAILABLE, ""))


def engine(folder: Path, takes: tuple[str, ...]) -> EngineSpec:
    return EngineSpec(
        name="e",
        title="E",
        framework="e",
        release="today",
        league="fp32",
        adapter=folder,
        environment=EnvironmentSpec(name="own", kind="uv", lock=folder),
        model=ModelForm(format="onnx"),
        takes=takes,
    )


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit('it is no model')", r"tools/from_tflite\.py cannot read net\.tflite: it is no model"),
        ("", r"cannot read net\.tflite: it ended well and wrote nothing"),
        ("import os, sys; os.mkdir(sys.argv[2])", r"net\.tflite: its importer wrote no sound signature"),
    ],
)
def test_an_importer_that_fails_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, source: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    context = context_with(tmp_path, script, watcher, monkeypatch)
    with pytest.raises(ModelError, match=said):
        importing.import_model(plan_for(source), "net.tflite", context)
    (folder,) = (context.library.root / "sources").iterdir()
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"source"}


def test_a_factory_runs_in_a_process_of_its_own_in_its_folder(
    tmp_path: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_with(tmp_path, "", watcher, monkeypatch)
    script = "import os, sys; open(sys.argv[2], 'w').write(os.getcwd() + ' ' + sys.argv[1])"
    (tmp_path / "tools" / factories.SCRIPT).write_text(script, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    files = own_files(["shop.nets:small"])
    assert files == {"shop.nets.small": str(tmp_path / "shop.nets:small")}
    plan = a_plan(models=tuple(files), engines=(), batch_sizes=(1,), threads=1, files=files, python=sys.executable)
    with factories.exported(plan, "shop.nets.small", context.catalogue, watcher) as path:
        assert path.read_text(encoding="utf-8") == f"{tmp_path} {tmp_path / 'shop.nets:small'}"
    assert not path.exists()
    (tmp_path / "tools" / factories.SCRIPT).write_text("raise ValueError('no weights')", encoding="utf-8")
    with (
        pytest.raises(ModelError, match=r"shop\.nets:small cannot be exported: ValueError: no weights"),
        factories.exported(plan, "shop.nets.small", context.catalogue, watcher),
    ):
        pass


def test_own_models_have_names() -> None:
    names = [own_name(model) for model in ("shop.nets:small", "./a/net.pt2", "resnet18", "a/sm/")]
    assert names == ["shop.nets.small", "net.pt2", "", "sm"]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("error", "said", "noted"),
    [
        (1e-6, "", "net.tflite: its ONNX answers as e does with the file itself, to 1.0e-06"),
        (
            0.5,
            ANOTHER_NETWORK,
            ANOTHER_NETWORK,
        ),
        (WorkerError("it died"), "", "net.tflite: its ONNX is not checked against e: it died"),
    ],
)
def test_an_onnx_that_answers_otherwise_than_its_source_counts_as_not_converted(
    tmp_path: Path,
    source: Path,
    watcher: Watcher,
    monkeypatch: pytest.MonkeyPatch,
    error: float | WorkerError,
    said: str,
    noted: str,
) -> None:
    context = context_with(tmp_path, WRITES_THE_SOURCE, watcher, monkeypatch)
    context.catalogue.engines["e"] = engine(tmp_path, ("tflite",))

    def measured(*_: Any) -> tuple[float, float]:
        if isinstance(error, WorkerError):
            raise error
        return error, 1e-5

    monkeypatch.setattr(importing, "_error", measured)
    assert importing.import_model(plan_for(source), "net.tflite", context).unconverted == said
    assert any(note.startswith(noted) for note in watcher.notes)
