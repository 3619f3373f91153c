"""Converters as processes of their own, on a library that has one small file for a model."""

import re
import sys
from pathlib import Path

import pytest
from tests.unit.made import a_contender

from bakeoff.errors import EnvironmentUnavailableError, ModelError, ModelTaskError, UnsupportedModelError
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready import conversion
from bakeoff.race.ready.conversion import in_form
from bakeoff.race.ready.prepare import make_ready
from bakeoff.records import Converter, EngineSpec, EnvironmentSpec, Installed, ModelForm, ModelRecord, Status

pytestmark = pytest.mark.unit

MODEL = ModelRecord(name="net", digest="d0", weights="seeded", inputs=(), outputs=())
UPPER_CASE = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())"

Standing = dict[str, Installed | EnvironmentUnavailableError]


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    def write(target: Path) -> None:
        target.write_text("net", encoding="utf-8")

    library = ModelLibrary(tmp_path)
    assert library.converted(MODEL, "model.onnx", write) == library.path(MODEL)
    return library


@pytest.fixture
def standing(tmp_path: Path) -> Standing:
    return {"tools": Installed(name="tools", digest="d1", path=tmp_path, command=(sys.executable, "-I", "-S"))}


@pytest.fixture
def notes() -> list[str]:
    return []


def form(folder: Path, script: str) -> ModelForm:
    path = folder / "tools" / "to_upper.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script, encoding="utf-8")
    environment = EnvironmentSpec(name="tools", kind="uv", lock=path)
    converter = Converter(script=path, environment=environment, reads=ModelForm(format="onnx"))
    return ModelForm(format="upper", converter=converter)


def test_a_model_is_converted_once_and_the_time_it_took_is_told(
    tmp_path: Path, library: ModelLibrary, standing: Standing, notes: list[str]
) -> None:
    wanted = form(tmp_path, UPPER_CASE)
    made = {in_form(MODEL, wanted, standing, library, notes.append) for _ in range(2)}
    assert [path.read_text(encoding="utf-8") for path in made] == ["NET"]
    assert len(notes) == 1
    assert re.fullmatch(r"net: converted to upper in \d+ s \(tools/to_upper\.py\)", notes[0])


def test_a_changed_script_beside_the_converter_or_another_environment_converts_anew(
    tmp_path: Path, library: ModelLibrary, standing: Standing, notes: list[str]
) -> None:
    wanted = form(tmp_path, UPPER_CASE)
    in_form(MODEL, wanted, standing, library, notes.append)
    (tmp_path / "tools" / "helper.py").write_text("", encoding="utf-8")
    in_form(MODEL, wanted, standing, library, notes.append)
    another = Installed(name="tools", digest="d2", path=tmp_path, command=(sys.executable, "-I", "-S"))
    in_form(MODEL, wanted, {"tools": another}, library, notes.append)
    assert len(notes) == 3


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        (
            "raise NotImplementedError('no Keras translation for: Gather')",
            UnsupportedModelError,
            r"tools/to_upper\.py cannot convert net: no Keras translation for: Gather$",
        ),
        ("import sys; sys.exit('a broken tool')", ModelTaskError, "cannot convert net: a broken tool$"),
        ("raise MemoryError", ModelTaskError, "cannot convert net: MemoryError$"),
        ("", ModelTaskError, "cannot convert net: it ended well and wrote nothing$"),
    ],
)
def test_a_conversion_that_fails_says_who_failed_and_why_and_leaves_nothing(
    tmp_path: Path,
    library: ModelLibrary,
    standing: Standing,
    notes: list[str],
    script: str,
    kind: type[ModelError],
    reason: str,
) -> None:
    with pytest.raises(kind, match=reason):
        in_form(MODEL, form(tmp_path, script), standing, library, notes.append)
    assert not list(library.path(MODEL).parent.glob("*.upper"))
    assert not notes


def test_a_conversion_that_takes_too_long_is_stopped(
    tmp_path: Path, library: ModelLibrary, standing: Standing, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "LIMIT_S", 0.1)
    with pytest.raises(ModelTaskError, match=r"cannot convert net: .* gave no answer within 0\.1 s$"):
        in_form(MODEL, form(tmp_path, "import time; time.sleep(60)"), standing, library, notes.append)


def test_without_the_converters_environment_the_engine_is_unavailable(
    tmp_path: Path, library: ModelLibrary, standing: Standing, notes: list[str]
) -> None:
    wanted = form(tmp_path, UPPER_CASE)
    engine = EngineSpec(
        name="upper",
        title="Upper",
        framework="test",
        release="today",
        league="fp32",
        adapter=tmp_path,
        environment=EnvironmentSpec(name="own", kind="uv", lock=tmp_path),
        model=wanted,
    )
    own = {"own": standing["tools"], "tools": EnvironmentUnavailableError("no Python 3.6")}
    why_not = make_ready(a_contender("upper"), engine, MODEL, own, library, notes.append)
    assert why_not == (Status.UNAVAILABLE, "its models are converted in environment tools: no Python 3.6")
