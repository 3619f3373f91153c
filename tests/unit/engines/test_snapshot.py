from pathlib import Path

import msgspec
import pytest

from bakeoff.engines import snapshot
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments.folders import digest_of
from bakeoff.errors import EngineFolderError
from bakeoff.records import EngineSpec
from bakeoff.scorecards import EngineSnapshot

pytestmark = pytest.mark.unit

TOML = """
title = "Mine"
[environments.mine]
kind = "uv"
python = "3.11"
requirements = ["numpy==2.4.6"]
lock = "mine.lock"
[engines.mine]
title = "Mine"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "mine"
model = { format = "onnx", max_opset = 10 }
options = { threads = { inter = 1 } }
env = { SOME = "1" }
spins = true
"""


@pytest.fixture
def mine(tmp_path: Path) -> EngineSpec:
    folder = tmp_path / "engines" / "mine"
    (folder / "below").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "engine.toml").write_text(TOML)
    (folder / "mine.lock").write_bytes(b"numpy==2.4.6\r\n")
    (folder / "adapter.py").write_text("import helper\n")
    (folder / "below" / "helper.py").write_text("\u00fc = 1\n", encoding="utf-8")
    (folder / "__pycache__" / "adapter.pyc").write_bytes(b"\xff")
    return Catalogue.load([tmp_path / "engines"]).engines["mine"]


def test_an_engine_comes_out_of_its_snapshot_as_it_went_in(mine: EngineSpec, tmp_path: Path) -> None:
    packed = EngineSnapshot.from_bytes(snapshot.snapshot_of(mine).to_bytes())
    found = snapshot.restore(packed, "mine.then", tmp_path / "snapshots", [])
    same = set(EngineSpec.__struct_fields__) - {"name", "title", "adapter", "environment"}
    for field in same:
        assert getattr(found, field) == getattr(mine, field), field
    assert found.name == "mine.then"
    assert found.adapter.read_text() == "import helper\n"
    assert (found.adapter.parent / "below" / "helper.py").read_text(encoding="utf-8") == "\u00fc = 1\n"
    assert sorted(p.name for p in found.adapter.parent.rglob("*.*")) == ["adapter.py", "helper.py"]


def test_its_environment_is_that_of_its_lock_to_the_byte(mine: EngineSpec, tmp_path: Path) -> None:
    packed = snapshot.snapshot_of(mine)
    then = digest_of(mine.environment)
    assert snapshot.restore(packed, "then", tmp_path / "snapshots", [mine.environment]).environment == mine.environment
    mine.environment.lock.write_text("numpy==2.5.0\n")
    found = snapshot.restore(packed, "then", tmp_path / "snapshots", [mine.environment])
    assert digest_of(found.environment) == then
    assert found.environment.name == f"mine-as-of-{then[:8]}"


def test_the_converter_of_its_models_comes_along(mine: EngineSpec, tmp_path: Path) -> None:
    tools = tmp_path / "engines" / "tools"
    tools.mkdir()
    converter = '[converters.their-file]\nscript = "convert.py"\nenvironment = "mine"\nreads = { format = "plain" }\n'
    (tools / "engine.toml").write_text(f'title = "Tools"\n{converter}')
    (tools / "convert.py").write_text("convert()\n")
    toml = mine.adapter.with_name("engine.toml")
    toml.write_text(TOML.replace('format = "onnx", max_opset = 10', 'format = "their-file"'))
    engine = Catalogue.load([tmp_path / "engines"]).engines["mine"]
    packed = EngineSnapshot.from_bytes(snapshot.snapshot_of(engine).to_bytes())
    form = snapshot.restore(packed, "then", tmp_path / "snapshots", engine.environments).model
    assert form.format == "their-file"
    assert form.converter is not None
    assert form.converter.script.read_text() == "convert()\n"
    assert form.converter.environment == mine.environment
    assert form.converter.reads.format == "plain"


def test_a_change_of_the_code_makes_another_snapshot(mine: EngineSpec, tmp_path: Path) -> None:
    before = snapshot.restore(snapshot.snapshot_of(mine), "then", tmp_path / "snapshots", [])
    mine.adapter.write_text("import another\n")
    after = snapshot.restore(snapshot.snapshot_of(mine), "then", tmp_path / "snapshots", [])
    assert (before.adapter.read_text(), after.adapter.read_text()) == ("import helper\n", "import another\n")


def test_a_folder_of_more_than_code_is_refused(mine: EngineSpec) -> None:
    weights = mine.adapter.parent / "weights.bin"
    weights.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EngineFolderError, match=r"weights\.bin is no text"):
        snapshot.snapshot_of(mine)
    weights.write_bytes(b"0" * (snapshot.LARGEST_BYTES + 1))
    with pytest.raises(EngineFolderError, match="MB of code"):
        snapshot.snapshot_of(mine)


def test_an_engine_that_cannot_be_kept_is_noted_and_the_others_are_kept(mine: EngineSpec) -> None:
    notes: list[str] = []
    (mine.adapter.parent / "weights.bin").write_bytes(b"\xff\xfe\x00")
    other = Catalogue.load().engines["onnxruntime"]
    assert [each.spec.name for each in snapshot.snapshots_of([mine, other], notes.append)] == ["onnxruntime"]
    assert len(notes) == 1
    assert "weights.bin is no text" in notes[0]


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "a\\b.py", "c:outside.py"])
def test_a_snapshot_writes_nothing_outside_of_its_folder(mine: EngineSpec, tmp_path: Path, name: str) -> None:
    bad = msgspec.structs.replace(snapshot.snapshot_of(mine), files={name: "boom"})
    with pytest.raises(EngineFolderError, match="outside of its folder"):
        snapshot.restore(bad, "then", tmp_path / "snapshots", [])


def test_the_folders_that_it_uses_besides_come_along() -> None:
    engine = Catalogue.load().engines["executorch"]
    assert [folder.name for folder in engine.uses] == ["pytorch"]
    kept = snapshot.snapshot_of(engine)
    assert {"executorch/adapter.py", "pytorch/translator.py", "locks/executorch-1-5.lock"} <= kept.files.keys()
    assert kept.spec.uses == (Path("pytorch"),)


def test_what_an_earlier_bakeoff_kept_is_read(tmp_path: Path) -> None:
    environment = {"environment": "mine", "kind": "uv", "python": "3.11", "requirements": ["numpy"], "suite": None}
    engine = {"name": "mine", "title": "Mine", "framework": "mine", "release": "today", "league": "fp32"}
    script = {"files": {"to.py": "to()"}, "lock": "b", "script": "to.py", "reads": {"format": "plain"}}
    converter = {**environment, "environment": "tools", **script}
    rest = {"model": {"format": "mine"}, "requirement": "numpy", "options": {}, "env": {}, "converter": converter}
    old = environment | engine | rest | {"adapter": "adapter.py", "files": {"adapter.py": "import b"}, "lock": "a"}
    found = snapshot.restore(EngineSnapshot.from_bytes(msgspec.msgpack.encode(old)), "then", tmp_path / "kept", [])
    assert (found.adapter.read_text(), found.environment.lock.read_text()) == ("import b", "a")
    assert found.model.converter
    assert found.model.converter.script.read_text() == "to()"
    assert found.model.converter.environment.lock.read_text() == "b"


@pytest.mark.parametrize("content", [b"\xc1", b"\x80", msgspec.msgpack.encode({"spec": 1, "files": {}})])
def test_damaged_ones_are_a_decoding_error(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        EngineSnapshot.from_bytes(content)
