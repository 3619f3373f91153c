"""The folder that `bakeoff engines new` writes; tests/end_to_end has it filled in and checked for real."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bakeoff.cli.engines import engines
from bakeoff.engines import skeleton
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import EngineFolderError, UsageError

pytestmark = pytest.mark.unit

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "own-engine.md"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.fixture
def mine(tmp_path: Path, catalogue: Catalogue) -> Path:
    skeleton.write("mine", tmp_path / "mine", catalogue)
    return tmp_path / "mine"


def left_in(folder: Path) -> list[str]:
    return skeleton.unfilled(Catalogue.load([folder]).engines["mine"])


def test_a_new_folder_is_a_catalogue_and_names_every_line_that_is_left(mine: Path) -> None:
    left = left_in(mine)
    assert len(left) == 6
    assert all(re.match(r"(engine\.toml|adapter\.py), line \d+: YOURS: \w", line) for line in left)


def test_the_how_to_fills_in_the_marked_lines_and_changes_no_other(mine: Path) -> None:
    for language, name in (("toml", "engine.toml"), ("python", "adapter.py")):
        (filled,) = re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
        template = (mine / name).read_text(encoding="utf-8").splitlines()
        kept = [line for line in template if not re.search("# YOURS|^spins", line)]
        assert [line for line in kept if line not in filled.splitlines()] == []
        (mine / name).write_text(filled, encoding="utf-8")
    (only,) = left_in(mine)
    assert only.startswith("mine.lock lacks onnxruntime==1.32.0; make it anew: bakeoff engines lock mine")


@pytest.mark.parametrize(
    ("requirement", "lock", "is_there"),
    [
        ("Some_Package[extra]==1.0", "some-package==1.0 \\\n", True),
        ("some-package==1.0", "some-package==1.0.1 \\\n", False),
        ("some-package>=1.0", "", True),
    ],
)
def test_a_requirement_is_looked_for_as_a_lock_writes_it(
    mine: Path, requirement: str, lock: str, is_there: bool
) -> None:
    toml = mine / "engine.toml"
    text = re.sub(r"requirements = .*", f'requirements = ["{requirement}"]', toml.read_text(encoding="utf-8"))
    toml.write_text(text, encoding="utf-8")
    (mine / "mine.lock").write_text(lock, encoding="utf-8")
    assert any("mine.lock lacks" in line for line in left_in(mine)) is not is_there


@pytest.mark.parametrize(
    ("name", "said"), [("Mine!", "no name for an engine"), ("all", "no name"), ("opencv", "called opencv already")]
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, catalogue: Catalogue, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        skeleton.write(name, tmp_path / "new", catalogue)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_exists_is_left_alone(mine: Path, catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="is there already"):
        skeleton.write("other", mine, catalogue)


def test_check_fails_for_what_is_left_before_anything_is_built(mine: Path) -> None:
    result = CliRunner().invoke(engines, ["check", str(mine)])
    assert result.exit_code == 1
    assert result.stdout.count("FAILED   mine: nothing is left to fill in: ") == 6


def test_check_refuses_a_folder_that_is_no_engines(tmp_path: Path) -> None:
    result = CliRunner().invoke(engines, ["check", str(tmp_path)])
    assert isinstance(result.exception, EngineFolderError)
    assert "no engine folder here" in str(result.exception)
