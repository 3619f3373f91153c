import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from bakeoff.cli.engines import engines
from bakeoff.engines import catalogue
from bakeoff.environments import pip_settings
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.errors import UsageError
from bakeoff.records import EnvironmentSpec, Installed
from bakeoff.views.installing import LineReport, LiveReport, download_size

pytestmark = pytest.mark.unit

TOML = """
title = "Tiny"
[environments.tiny]
kind = "uv"
python = "{python}"
requirements = ["numpy==1.0"]
lock = "tiny.lock"
download_mb = 700
[environments.bad]
kind = "uv"
python = "{python}"
requirements = ["nosuchpackage==1.0"]
lock = "bad.lock"
[engines.tiny-engine]
title = "Tiny"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "tiny"
model = {{ format = "onnx" }}
groups = ["study"]
[engines.bad-engine]
title = "Bad"
release = "today"
league = "fp32"
adapter = "adapter.py"
environment = "bad"
model = {{ format = "onnx" }}
"""

Run = Callable[..., Result]


@pytest.fixture
def run(
    tmp_path: Path, make_spec: Callable[..., EnvironmentSpec], offline: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run `bakeoff engines ...` on a catalogue with one sound and one bad engine."""
    assert str(offline)
    folder = tmp_path / "mine"
    folder.mkdir()
    spec = make_spec()
    spec.lock.rename(folder / "tiny.lock")
    (folder / "bad.lock").write_text("nosuchpackage==1.0\n", encoding="utf-8")
    (folder / "adapter.py").touch()
    (folder / "engine.toml").write_text(TOML.format(python=spec.python), encoding="utf-8")
    load = catalogue.Catalogue.load
    nothing = tmp_path / "nothing"
    monkeypatch.setattr(catalogue.Catalogue, "load", lambda extra, **how: load(extra, built_in=nothing, **how))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(engines, [*arguments, "--engines-dir", str(folder)])

    return invoke


def test_install_builds_and_list_and_path_show_it(run: Run, offline: Path) -> None:
    before = json.loads(run("list", "--json").stdout)
    assert [(row["engine"], row["installed"]) for row in before] == [("tiny-engine", False), ("bad-engine", False)]
    installed = run("install")
    assert installed.exit_code == 0, installed.output
    assert "installing tiny, a download of 700 MB" in installed.stderr
    assert "installed tiny in" in installed.stderr
    assert installed.stdout == "ready: tiny-engine\n"
    row = json.loads(run("list", "installed", "--json").stdout)[0]
    assert row["engine"] == "tiny-engine"
    assert Path(row["path"]).is_relative_to(offline)
    assert run("path", "tiny-engine").stdout == run("path", "tiny").stdout == f"{row['path']}\n"
    table = run("list").stdout
    assert "tiny-engine" in table
    assert "not installed" in table


def test_list_tells_of_an_environment_that_lost_files(run: Run) -> None:
    run("install")
    where = Path(json.loads(run("list", "installed", "--json").stdout)[0]["path"])
    next(where.rglob("numpy/__init__.py")).unlink()
    row = json.loads(run("list", "tiny-engine", "--json").stdout)[0]
    assert not row["installed"]
    assert "files are gone" in row["missing"]
    assert "files are gone" in run("list").stdout
    again = run("install")
    assert "files are gone, so it is built anew" in again.stderr
    assert json.loads(run("list", "tiny-engine", "--json").stdout)[0]["installed"]


def test_a_failed_install_ends_with_exit_code_1_and_the_reason(run: Run) -> None:
    result = run("install", "all", "--jobs", "1")
    assert result.exit_code == 1
    assert "not available: bad: " in result.stderr
    assert "nosuchpackage" in result.stderr
    assert "full log" in result.stderr
    assert result.stdout == "ready: tiny-engine\n"


def test_remove_by_name_unused_and_all(run: Run, tmp_path: Path) -> None:
    run("install", "tiny-engine")
    assert run("remove", "--unused").stdout == "nothing to remove\n"
    lock = tmp_path / "mine" / "tiny.lock"
    lock.write_text("numpy==1.0\n", encoding="utf-8")
    assert "removed 1 environments" in run("remove", "--unused").stdout
    for arguments in (("tiny-engine",), ("tiny",), ("--all",)):
        assert run("install", "tiny-engine").exit_code == 0
        assert "removed 1 environments" in run("remove", *arguments).stdout


@pytest.mark.parametrize("arguments", [("remove",), ("remove", "--all", "--unused"), ("remove", "x", "--all")])
def test_remove_wants_to_know_what(run: Run, arguments: tuple[str, ...]) -> None:
    assert isinstance(run(*arguments).exception, UsageError)


@pytest.mark.parametrize("arguments", [("path", "tiny"), ("path", "nonsense"), ("install", "nonsense")])
def test_what_is_not_there_is_a_usage_error(run: Run, arguments: tuple[str, ...]) -> None:
    error = run(*arguments).exception
    assert isinstance(error, UsageError)
    assert error.advice


def test_lock_writes_the_lock_beside_its_engine_toml(
    run: Run, tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip_settings, "read_pip_settings", lambda: PackageSettings(index_url=wheels.as_uri()))
    (wheels / "numpy").mkdir()
    wheel = next(wheels.glob("numpy-*.whl")).rename(wheels / "numpy" / "numpy-1.0-py3-none-any.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = f'<!DOCTYPE html><a href="{wheel.name}#sha256={digest}">{wheel.name}</a>'
    (wheels / "numpy" / "index.html").write_text(page, encoding="utf-8")
    file = tmp_path / "mine" / "tiny.lock"
    file.unlink()  # as in a new engine folder
    assert run("lock", "tiny").stdout == f"{file}\n"
    assert file.read_text(encoding="utf-8") == f"numpy==1.0 \\\n    --hash=sha256:{digest}\n"
    (tmp_path / "pins.txt").write_text("numpy==1.0\n", encoding="utf-8")
    assert run("lock", "bad", "--pins", str(tmp_path / "pins.txt")).exit_code == 0
    assert isinstance(run("lock", "tiny", "bad", "--pins", str(tmp_path / "pins.txt")).exception, UsageError)
    assert "'tyni'" in str(run("lock", "tyni").exception)


@pytest.mark.parametrize("command", ["list", "install", "remove", "path", "lock"])
def test_every_help_has_examples(command: str) -> None:
    text = CliRunner().invoke(engines, [command, "--help"]).stdout
    assert "Example" in text
    assert f"bakeoff engines {command}" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_both_displays_say_the_same(terminal: bool, tmp_path: Path, make_spec: Callable[..., EnvironmentSpec]) -> None:
    lines: list[str] = []
    console = Console(record=True, force_terminal=True, width=100, file=(tmp_path / "out").open("w", encoding="utf-8"))
    report = LiveReport(console) if terminal else LineReport(lines.append)
    spec = make_spec()
    done = Installed(name="tiny", digest="d", path=tmp_path, command=("p",), size_mb=1234.5)
    if isinstance(report, LiveReport):
        report.__enter__()
    report.started(spec)
    report.note("[brackets] stay")
    report.finished(done, 12.3)
    report.failed("other", "no Python 3.6")
    if isinstance(report, LiveReport):
        report.__exit__()
    console.file.close()
    said = console.export_text() if terminal else "\n".join(lines)
    assert "note: [brackets] stay" in said
    assert "installed tiny in 12 s, 1,234 MB" in said
    assert "not available: other: no Python 3.6" in said


def test_only_large_downloads_are_announced(make_spec: Callable[..., EnvironmentSpec]) -> None:
    assert download_size(make_spec()) == ""
