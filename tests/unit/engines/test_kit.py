from pathlib import Path

import msgspec
import pytest

from bakeoff.engines import kit
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments.folders import digest_of
from bakeoff.errors import EngineFolderError
from bakeoff.records import EngineSpec

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


def test_an_engine_comes_out_of_its_kit_as_it_went_in(mine: EngineSpec, tmp_path: Path) -> None:
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(kit.pack(mine)), type=type(kit.pack(mine)))
    found = kit.unpack(packed, "mine.then", tmp_path / "kits", [])
    for field in ("framework", "release", "league", "model", "requirement", "options", "env"):
        assert getattr(found, field) == getattr(mine, field), field
    assert found.name == "mine.then"
    assert found.adapter.read_text() == "import helper\n"
    assert (found.adapter.parent / "below" / "helper.py").read_text(encoding="utf-8") == "\u00fc = 1\n"
    assert sorted(p.name for p in found.adapter.parent.rglob("*.*")) == ["adapter.py", "engine.lock", "helper.py"]


def test_its_environment_is_that_of_its_lock_to_the_byte(mine: EngineSpec, tmp_path: Path) -> None:
    packed = kit.pack(mine)
    then = digest_of(mine.environment)
    assert kit.unpack(packed, "then", tmp_path / "kits", [mine.environment]).environment == mine.environment
    mine.environment.lock.write_text("numpy==2.5.0\n")
    found = kit.unpack(packed, "then", tmp_path / "kits", [mine.environment])
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
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(kit.pack(engine)), type=type(kit.pack(engine)))
    form = kit.unpack(packed, "then", tmp_path / "kits", engine.environments).model
    assert form.format == "their-file"
    assert form.converter is not None
    assert form.converter.script.read_text() == "convert()\n"
    assert form.converter.environment == mine.environment
    assert form.converter.reads.format == "plain"


def test_a_change_of_the_code_makes_another_kit(mine: EngineSpec, tmp_path: Path) -> None:
    before = kit.unpack(kit.pack(mine), "then", tmp_path / "kits", [])
    mine.adapter.write_text("import another\n")
    after = kit.unpack(kit.pack(mine), "then", tmp_path / "kits", [])
    assert (before.adapter.read_text(), after.adapter.read_text()) == ("import helper\n", "import another\n")


def test_a_folder_of_more_than_code_is_refused(mine: EngineSpec) -> None:
    weights = mine.adapter.parent / "weights.bin"
    weights.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EngineFolderError, match=r"weights\.bin is no text"):
        kit.pack(mine)
    weights.write_bytes(b"0" * (kit.LARGEST_BYTES + 1))
    with pytest.raises(EngineFolderError, match="MB of code"):
        kit.pack(mine)


def test_an_engine_that_cannot_be_kept_is_noted_and_the_others_are_kept(mine: EngineSpec) -> None:
    notes: list[str] = []
    (mine.adapter.parent / "weights.bin").write_bytes(b"\xff\xfe\x00")
    other = Catalogue.load().engines["onnxruntime"]
    assert [each.name for each in kit.pack_all([mine, other], notes.append)] == ["onnxruntime"]
    assert len(notes) == 1
    assert "weights.bin is no text" in notes[0]


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "a\\b.py", "c:outside.py"])
def test_a_kit_writes_nothing_outside_of_its_folder(mine: EngineSpec, tmp_path: Path, name: str) -> None:
    bad = msgspec.structs.replace(kit.pack(mine), files={name: "boom"})
    with pytest.raises(EngineFolderError, match="outside of its folder"):
        kit.unpack(bad, "then", tmp_path / "kits", [])
