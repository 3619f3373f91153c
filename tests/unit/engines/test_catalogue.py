import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import EngineFolderError, UsageError

pytestmark = pytest.mark.unit

ALPHA = """
title = "Alpha"
[environments.alpha-1]
kind = "uv"
python = "3.11"
requirements = ["alpha==1.0"]
lock = "alpha.lock"
[engines.alpha-fast]
title = "Alpha, fast"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "alpha-1"
model = { format = "onnx", max_opset = 9 }
options = { mode = "fast" }
env = { OMP_WAIT_POLICY = "{threads}" }
groups = ["study"]
[engines.alpha]
title = "Alpha"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "alpha-1"
model = { format = "plain" }
groups = ["study"]
"""
BETA = """
title = "Beta"
[environments.beta-debs]
kind = "debian"
suite = "trixie"
requirements = ["python3-beta"]
lock = "beta.lock"
[engines.gamma-2019]
title = "Gamma"
release = "2019"
league = "fp32"
adapter = "adapter.py"
environment = "alpha-1"
model = { format = "onnx" }
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_folder(name: str, toml: str) -> Path:
        folder = tmp_path / "engines" / name
        folder.mkdir(parents=True)
        (folder / "engine.toml").write_text(toml, encoding="utf-8")
        for file in ("adapter.py", "alpha.lock", "beta.lock"):
            (folder / file).touch()
        return folder

    return write_folder


@pytest.fixture
def catalogue(write: Write, tmp_path: Path) -> Catalogue:
    write("alpha", ALPHA)
    write("beta", BETA)
    return Catalogue.load(built_in=tmp_path / "engines")


def names(catalogue: Catalogue, *patterns: str, release: str | None = None, exclude: tuple[str, ...] = ()) -> list[str]:
    return [engine.name for engine in catalogue.select(patterns, release, exclude)]


def test_a_folder_registers_by_existing(catalogue: Catalogue, tmp_path: Path) -> None:
    assert list(catalogue.engines) == ["alpha-fast", "alpha", "gamma-2019"]
    assert list(catalogue.environments) == ["alpha-1", "beta-debs"]
    assert catalogue.frameworks == {"alpha": "Alpha", "beta": "Beta"}
    fast = catalogue.engines["alpha-fast"]
    assert fast.adapter == tmp_path / "engines" / "alpha" / "adapter.py"
    assert fast.environment is catalogue.environments["alpha-1"]
    assert fast.environment.lock.is_absolute()
    assert (fast.framework, fast.model.format, fast.model.max_opset) == ("alpha", "onnx", 9)
    assert (fast.options, fast.env) == ({"mode": "fast"}, {"OMP_WAIT_POLICY": "{threads}"})


def test_engines_of_any_folder_may_use_an_environment(catalogue: Catalogue) -> None:
    assert catalogue.engines["gamma-2019"].environment.name == "alpha-1"


def test_an_extra_directory_is_a_folder_or_holds_some(write: Write, tmp_path: Path) -> None:
    alpha, nothing = write("alpha", ALPHA), tmp_path / "nothing"
    nothing.mkdir()
    for extra in (alpha, alpha.parent):
        assert "alpha" in Catalogue.load([extra], built_in=nothing).engines
    with pytest.raises(EngineFolderError, match="no engine folder here"):
        Catalogue.load([nothing], built_in=nothing)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "title = [", "engine.toml: not valid TOML"),
        ('title = "Alpha"\n[env', "[env", "missing required field `title`"),
        ('league = "fp32"', 'league = "fp64"', "engines.alpha-fast.league: Invalid enum value 'fp64'"),
        ('league = "fp32"', 'leage = "fp32"', "engines.alpha-fast: Object contains unknown field `leage`"),
        ('release = "today"', "release = 2019", "engines.alpha-fast.release: Expected `str`, got `int`"),
        ('format = "plain"', 'format = "plan"', "engines.alpha.model.format: nothing writes 'plan'"),
        ('"plain"', '"plain", max_opset = 9', "engines.alpha.model: max_ir_version and max_opset are for format onnx"),
        ("[engines.alpha]", "[engines.Alpha]", "engines.Alpha: not a valid name"),
        ("[engines.alpha]", "[engines.today]", "engines.today: not a valid name"),
        ('"adapter.py"', '"gone.py"', "engines.alpha-fast.adapter: there is no file gone.py in"),
        ('"alpha.lock"', '"gone.lock"', "environments.alpha-1.lock: there is no file gone.lock in"),
        ('= "alpha-1"', '= "alpha-2"', "engines.alpha-fast.environment: no engine folder declares 'alpha-2'"),
        ('python = "3.11"', "", "environments.alpha-1.python: say which"),
        ('python = "3.11"', "python = 3.11", "environments.alpha-1.python: Expected `str | null`, got `float`"),
        ('kind = "uv"', 'kind = "debian"', "a debian environment needs `suite` and `requirements`"),
        ('kind = "uv"', 'kind = "conda"', "environments.alpha-1.kind: there is none called 'conda'"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_field(
    write: Write, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in ALPHA
    folder = write("alpha", ALPHA.replace(old, new, 1) if old else new)
    with pytest.raises(EngineFolderError) as caught:
        Catalogue.load(built_in=tmp_path / "engines")
    assert str(caught.value).startswith(f"{folder}/engine.toml: ")
    assert message in str(caught.value)


CONVERTER = """
[converters.beta-file]
script = "adapter.py"
environment = "alpha-1"
reads = { format = "plain" }
"""


def test_an_engine_of_any_folder_may_take_what_a_converter_writes(write: Write, tmp_path: Path) -> None:
    write("alpha", ALPHA + CONVERTER)
    write("beta", BETA.replace('format = "onnx"', 'format = "beta-file"'))
    form = Catalogue.load(built_in=tmp_path / "engines").engines["gamma-2019"].model
    assert form.converter is not None
    assert form.converter.script == tmp_path / "engines" / "alpha" / "adapter.py"
    assert (form.converter.environment.name, form.converter.reads.format) == ("alpha-1", "plain")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("beta-file", "onnx", "converters.onnx: something else writes 'onnx'"),
        ("adapter.py", "gone.py", "converters.beta-file.script: there is no file gone.py in"),
        ("alpha-1", "alpha-2", "converters.beta-file.environment: no engine folder declares 'alpha-2'"),
        ("plain", "plan", "converters.beta-file.reads.format: nothing writes 'plan'"),
    ],
)
def test_what_is_wrong_with_a_converter_is_named(
    write: Write, tmp_path: Path, old: str, new: str, message: str
) -> None:
    write("alpha", ALPHA + CONVERTER.replace(old, new))
    with pytest.raises(EngineFolderError) as caught:
        Catalogue.load(built_in=tmp_path / "engines")
    assert message in str(caught.value)


def test_a_missing_lock_says_how_it_is_made_and_is_no_matter_to_who_makes_it(write: Write, tmp_path: Path) -> None:
    folder = write("alpha", ALPHA)
    (folder / "alpha.lock").unlink()
    with pytest.raises(EngineFolderError) as caught:
        Catalogue.load(built_in=tmp_path / "engines")
    assert caught.value.advice == "make it with: bakeoff engines lock alpha-1"
    environments = Catalogue.load(built_in=tmp_path / "engines", before_locking=True).environments
    assert environments["alpha-1"].lock == folder / "alpha.lock"


def test_an_unknown_environment_comes_with_the_nearest_name(write: Write, tmp_path: Path) -> None:
    write("alpha", ALPHA.replace('= "alpha-1"', '= "alpha-2"', 1))
    with pytest.raises(EngineFolderError) as caught:
        Catalogue.load(built_in=tmp_path / "engines")
    assert caught.value.advice == "did you mean alpha-1?"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (ALPHA.replace("environments.alpha-1", "environments.other"), "engines.alpha-fast"),
        (ALPHA.replace("engines.alpha", "engines.other"), "environments.alpha-1"),
    ],
)
def test_a_name_stands_for_one_thing(write: Write, tmp_path: Path, toml: str, message: str) -> None:
    first = write("alpha", ALPHA)
    write("beta", toml)
    with pytest.raises(EngineFolderError, match=f"beta/engine.toml: {message}: {first}/engine.toml has an e"):
        Catalogue.load(built_in=tmp_path / "engines")


def test_an_exact_name_wins_over_its_framework(catalogue: Catalogue) -> None:
    assert names(catalogue, "alpha") == ["alpha"]
    assert names(catalogue, "beta") == ["gamma-2019"]


def test_groups_globs_and_releases_select(catalogue: Catalogue) -> None:
    assert names(catalogue) == names(catalogue, "all") == ["alpha-fast", "alpha", "gamma-2019"]
    assert names(catalogue, "today") == names(catalogue, "study") == ["alpha-fast", "alpha"]
    assert names(catalogue, "2019") == names(catalogue, "*-2019") == ["gamma-2019"]
    assert names(catalogue, "all", release="2019") == ["gamma-2019"]


def test_the_order_is_as_written_and_nothing_comes_twice(catalogue: Catalogue) -> None:
    assert names(catalogue, "gamma-2019", "alpha", "all") == ["gamma-2019", "alpha", "alpha-fast"]


def test_what_is_excluded_stays_out(catalogue: Catalogue) -> None:
    assert names(catalogue, exclude=("alpha*",)) == ["gamma-2019"]
    with pytest.raises(UsageError, match="'alhpa'"):
        names(catalogue, exclude=("alhpa",))


def test_installed_is_what_the_predicate_says(catalogue: Catalogue) -> None:
    chosen = catalogue.select(["installed"], installed=lambda engine: engine.name == "alpha")
    assert [engine.name for engine in chosen] == ["alpha"]
    assert catalogue.select(["installed"], installed=lambda _: False) == []


@pytest.mark.parametrize("pattern", ["alhpa", "alhpa-*", ""])
def test_an_unknown_name_is_refused(catalogue: Catalogue, pattern: str) -> None:
    with pytest.raises(UsageError, match="no engine, group or framework is called"):
        names(catalogue, pattern)


def test_and_comes_with_close_matches(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError) as caught:
        names(catalogue, "alpha-fats")
    assert caught.value.advice == "did you mean alpha-fast or alpha? see `bakeoff engines list`"


def test_the_built_in_folders_are_sound() -> None:
    catalogue = Catalogue.load()
    for engine in catalogue.engines.values():
        assert engine.environment.lock.stat().st_size > 0


def test_importing_it_is_cheap() -> None:
    code = "import sys, bakeoff.engines.catalogue; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "onnx", "rich", "sqlalchemy", "click", "uv"} & set(loaded)


def test_an_importer_is_known_by_the_format_that_it_reads(write: Write, tmp_path: Path) -> None:
    importer = '[importers.abc]\nscript = "adapter.py"\nenvironment = "alpha-1"\n'
    write("alpha", ALPHA.replace("groups", 'takes = ["abc"]\ngroups', 1) + importer)
    catalogue = Catalogue.load(built_in=tmp_path / "engines")
    assert catalogue.importers["abc"].environment.name == "alpha-1"
    assert catalogue.importers["abc"].reads.format == "own-abc"
    assert [name for name, engine in catalogue.engines.items() if "abc" in engine.takes] == ["alpha-fast"]
    write("beta", 'title = "Beta"\n' + importer.replace("alpha-1", "alpha-2"))
    with pytest.raises(EngineFolderError, match=r"importers\.abc\.environment: no engine folder declares 'alpha-2'"):
        Catalogue.load(built_in=tmp_path / "engines")
