"""What an environment's kind answers for the rest of bakeoff, by a kind that only this file knows."""

# ruff: noqa: ARG002 - a kind need not use all that it is told

import ast
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import bakeoff
from bakeoff import environments
from bakeoff.cli.engines import engines
from bakeoff.engines import skeleton
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import kinds
from bakeoff.environments.kind import Build, Kind, Report
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.environments.wheels import Wheels
from bakeoff.errors import EngineFolderError, EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec, Installed

pytestmark = pytest.mark.unit

SOURCE = Path(bakeoff.__file__).parent


class Found(Kind):
    """A Python that is there already, as issue 20 will have it: nothing is built."""

    name = "found"

    def check(self, spec: EnvironmentSpec) -> None:
        if not spec.python:
            raise EngineFolderError(f"environments.{spec.name}.python: the path of the interpreter")

    def python(self, spec: EnvironmentSpec) -> str:
        return f"as found at {spec.python}"

    def find(self, spec: EnvironmentSpec) -> Installed | None:
        if self.missing(spec):
            return None
        prefix = Path(spec.python or "").parent
        return Installed(name=spec.name, digest="as found", path=prefix, command=(spec.python or "", "-I"))

    def damage(self, spec: EnvironmentSpec) -> str:
        return ""

    def missing(self, spec: EnvironmentSpec) -> str:
        return "" if Path(spec.python or "").is_file() else f"there is no {spec.python}"

    def command(self, folder: Path) -> tuple[str, ...]:
        raise NotImplementedError

    def build(self, spec: EnvironmentSpec, build: Build) -> None:
        raise NotImplementedError

    def install(self, spec: EnvironmentSpec, settings: PackageSettings, report: Report) -> Installed:
        raise EnvironmentUnavailableError(self.missing(spec))

    def wheels(self, spec: EnvironmentSpec, installed: Installed) -> Wheels:
        raise NotImplementedError

    def freeze(self, spec: EnvironmentSpec, pins: str | None = None) -> str:
        return "numpy==1.0\n"

    def pins(self, spec: EnvironmentSpec) -> list[str]:
        return ["numpy==1.0"]

    def installation(self, spec: EnvironmentSpec) -> list[str]:
        return ["# as found"]


@pytest.fixture
def folder(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine folder whose environment is of the kind `found`, on this test's own Python."""
    assert not list(own_cache.glob("environments"))
    monkeypatch.setitem(kinds.KINDS, Found.name, Found())
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "adapter.py").touch()
    (mine / "mine.lock").touch()
    (mine / "engine.toml").write_text(
        f"""title = "Mine"
[environments.mine]
kind = "found"
python = '{sys.executable}'
requirements = ["numpy==1.0"]
lock = "mine.lock"
[engines.mine]
title = "Mine"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "mine"
model = {{ format = "onnx" }}
""",
        encoding="utf-8",
    )
    return mine


def test_another_kind_is_found_installed_listed_and_described_without_being_known_elsewhere(
    folder: Path, tmp_path: Path, report: Report
) -> None:
    engine = Catalogue.load([folder], built_in=tmp_path / "nothing").engines["mine"]
    installed = environments.find(engine.environment)
    assert installed is not None
    assert environments.install(engine.environments, report) == {"mine": installed}
    assert environments.disk_use() == environments.unused(engine.environments) == []
    assert skeleton.unfilled(engine) == []
    listed = CliRunner().invoke(engines, ["list", "mine", "--json", "--engines-dir", str(folder)])
    (row,) = json.loads(listed.stdout)
    assert (row["installed"], row["python"]) == (True, f"as found at {sys.executable}")
    locked = CliRunner().invoke(engines, ["lock", "mine", "--engines-dir", str(folder)])
    assert locked.exit_code == 0, locked.output
    assert (folder / "mine.lock").read_text(encoding="utf-8") == "numpy==1.0\n"


@pytest.mark.usefixtures("offline")
def test_what_a_kind_lacks_is_said_by_the_kind(folder: Path, tmp_path: Path, report: Report) -> None:
    toml = folder / "engine.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace(f"python = '{sys.executable}'", "python = '/no/python'"), encoding="utf-8")
    spec = Catalogue.load([folder], built_in=tmp_path / "nothing").environments["mine"]
    assert environments.find(spec) is None
    assert str(environments.install([spec], report)["mine"]) == "there is no /no/python"
    toml.write_text(text.replace(f"python = '{sys.executable}'", ""), encoding="utf-8")
    with pytest.raises(EngineFolderError, match=r"engine\.toml: environments\.mine\.python: the path"):
        Catalogue.load([folder], built_in=tmp_path / "nothing")


def test_a_kept_environment_of_a_kind_that_is_no_more_is_one_clear_line(tmp_path: Path) -> None:
    spec = EnvironmentSpec(name="old", kind="conda", lock=tmp_path / "old.lock")
    with pytest.raises(EngineFolderError, match=r"^environments\.old\.kind: there is none called 'conda'$"):
        environments.find(spec)


def test_nobody_asks_which_kind_it_is() -> None:
    """A question after the kind would be one place more that a new kind has to know of."""
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py") if path.stem not in kinds.KINDS}
    asking = [
        f"{path.relative_to(SOURCE)}, line {node.lineno}"
        for path, text in texts.items()
        if any(f'"{kind}"' in text for kind in kinds.KINDS)  # the formatter's quotes; most files need no parsing
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Compare | ast.Match | ast.Subscript)
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and part.value in kinds.KINDS
    ]
    assert asking == []


def test_a_locks_pins_are_its_packages_without_hashes(tmp_path: Path) -> None:
    lock = tmp_path / "e.lock"
    lock.write_text(
        "# by hand\n--index-url https://mirror.example\na==1 \\\n    --hash=sha256:00\n"
        'b==2 ; python_version < "3.12" \\\n'
        "    --hash=sha256:11\nc==3\n",
        encoding="utf-8",
    )
    spec = EnvironmentSpec(name="e", kind="uv", lock=lock, python="3.11")
    assert kinds.of(spec).pins(spec) == ["a==1", 'b==2 ; python_version < "3.12"', "c==3"]
    assert kinds.of(spec).installation(spec)[0] == "python3.11 -m venv winner"
