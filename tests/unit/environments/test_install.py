import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakeoff import environments
from bakeoff.environments import folders, interpreters, kinds, programs
from bakeoff.errors import EngineFolderError, EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec, Installed

pytestmark = pytest.mark.unit

MakeSpec = Callable[..., EnvironmentSpec]


def ask(installed: Installed, code: str) -> str:
    answer = subprocess.run([*installed.command, "-c", code], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_an_environment_imports_its_packages_after_the_rename(installed: tuple[EnvironmentSpec, Installed]) -> None:
    _, environment = installed
    where = ask(environment, "import numpy; print(numpy.__version__, numpy.__file__)")
    assert where.startswith("1.0 ")
    assert str(environment.path) in where


def test_its_bytecode_is_compiled_at_installation(installed: tuple[EnvironmentSpec, Installed]) -> None:
    _, environment = installed
    assert list(environment.path.rglob("numpy/__pycache__/__init__.*.pyc"))


def test_it_is_keyed_by_the_lock(installed: tuple[EnvironmentSpec, Installed]) -> None:
    spec, environment = installed
    assert environments.find(spec) == environment
    assert environment.path.name == f"tiny-{environment.digest[:12]}"
    spec.lock.write_text("numpy==1.0\n", encoding="utf-8")
    assert environments.find(spec) is None


def test_what_stands_is_not_built_again(installed: tuple[EnvironmentSpec, Installed], report: Any) -> None:
    spec, environment = installed
    assert environments.install([spec], report) == {"tiny": environment}
    assert report.started_names == []


def test_the_callers_python_settings_do_not_leak_in(
    installed: tuple[EnvironmentSpec, Installed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sneaky").mkdir()
    (tmp_path / "sneaky" / "numpy.py").write_text("__version__ = 'sneaky'", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "sneaky"))
    assert ask(installed[1], "import numpy; print(numpy.__version__)") == "1.0"


def test_two_installs_at_once_build_it_once(offline: Path, make_spec: MakeSpec, wheels: Path) -> None:
    spec = make_spec()
    script = f"""
import sys
from pathlib import Path
from bakeoff import environments
from bakeoff.environments import pip_settings
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.records import EnvironmentSpec
pip_settings.read_pip_settings = lambda: PackageSettings(find_links=({str(wheels)!r},), no_index=True)
class Report:
    def started(self, spec): print("built")
    def note(self, text): pass
    def finished(self, installed, seconds): pass
    def failed(self, name, reason): sys.exit(reason)
spec = EnvironmentSpec(name="tiny", kind="uv", lock=Path({str(spec.lock)!r}), python={spec.python!r})
print(environments.install([spec], Report())["tiny"].path)
"""
    both = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(len(output) for output in outputs) == [1, 2]
    standing = environments.find(spec)
    assert standing is not None
    assert {output[-1] for output in outputs} == {str(standing.path)}
    assert not list((offline / "environments").glob(".building-*"))


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a shell script")
def test_a_build_killed_half_way_leaves_nothing_in_the_way(
    offline: Path, make_spec: MakeSpec, tmp_path: Path, report: Any
) -> None:
    spec = make_spec()
    slow = tmp_path / "slow-uv"
    slow.write_text("#!/bin/sh\ntouch half-made\nexec sleep 30\n", encoding="utf-8")
    slow.chmod(0o755)
    script = f"""
from pathlib import Path
from bakeoff import environments
from bakeoff.environments import uv_program, pip_settings
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.records import EnvironmentSpec
uv_program.path = lambda: {str(slow)!r}
pip_settings.read_pip_settings = PackageSettings
class Report:
    def started(self, spec): pass
spec = EnvironmentSpec(name="tiny", kind="uv", lock=Path({str(spec.lock)!r}), python={spec.python!r})
environments.install([spec], Report())
"""
    child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    deadline = time.monotonic() + 20
    while not list((offline / "environments").glob(".building-*/half-made")):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.02)
    os.killpg(child.pid, 9)
    child.wait()
    assert environments.find(spec) is None
    assert isinstance(environments.install([spec], report)["tiny"], Installed)
    assert not list((offline / "environments").glob(".building-*"))


def test_a_wrong_hash_is_refused_in_one_clear_line(offline: Path, make_spec: MakeSpec, report: Any) -> None:
    spec = make_spec(lock=f"numpy==1.0 --hash=sha256:{'0' * 64}\n")
    error = environments.install([spec], report)["tiny"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert "numpy" in str(error)
    assert "hash" in str(error).lower()
    assert "\n" not in str(error)
    assert environments.find(spec) is None
    assert error.advice is not None
    log = Path(error.advice.removeprefix("the full log is "))
    assert "sha256" in log.read_text(encoding="utf-8")
    assert "full log" in report.failures["tiny"]
    assert not list((offline / "environments").glob(".building-*"))


@pytest.mark.usefixtures("offline")
def test_a_package_that_cannot_be_reached_says_which(make_spec: MakeSpec, report: Any) -> None:
    error = environments.install([make_spec(lock="nosuchpackage==3.1\n")], report)["tiny"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert "nosuchpackage" in str(error)


@pytest.mark.usefixtures("offline")
def test_one_failure_does_not_stop_the_others(make_spec: MakeSpec, report: Any) -> None:
    results = environments.install([make_spec("bad", lock="nosuchpackage==3.1\n"), make_spec("good")], report)
    assert list(results) == ["bad", "good"]
    assert isinstance(results["bad"], EnvironmentUnavailableError)
    assert isinstance(results["good"], Installed)


@pytest.mark.usefixtures("offline")
def test_an_environment_without_numpy_is_not_put_in_place(make_spec: MakeSpec, report: Any) -> None:
    spec = make_spec(lock="tinyframework==2.0\n")
    error = environments.install([spec], report)["tiny"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert "No module named 'numpy'" in str(error)
    assert environments.find(spec) is None


@pytest.mark.usefixtures("offline")
def test_a_missing_interpreter_says_which_and_how_to_get_it(
    make_spec: MakeSpec, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "_candidates", lambda _: iter(()))
    interpreters.locate.cache_clear()
    error = environments.install([make_spec(python="3.6")], report)["tiny"]
    interpreters.locate.cache_clear()
    assert isinstance(error, EnvironmentUnavailableError)
    assert "needs Python 3.6" in str(error)
    assert error.advice is not None
    assert "3.6" in error.advice


def test_an_environment_whose_python_is_gone_is_built_anew(
    installed: tuple[EnvironmentSpec, Installed], report: Any
) -> None:
    spec, environment = installed
    python = Path(environment.command[0])
    python.unlink()
    assert environments.find(spec) is None
    assert isinstance(environments.install([spec], report)["tiny"], Installed)
    assert python.exists()


@pytest.mark.usefixtures("offline")
def test_too_little_disk_is_said_before_anything_is_fetched(
    make_spec: MakeSpec, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10_000_000})())
    spec = make_spec()
    large = EnvironmentSpec(name=spec.name, kind="uv", lock=spec.lock, python=spec.python, disk_mb=400)
    error = environments.install([large], report)["tiny"]
    assert "needs 400 MB" in str(error)
    assert "has 10 MB left" in str(error)


@pytest.mark.usefixtures("offline")
def test_a_lock_that_is_missing_is_named(make_spec: MakeSpec) -> None:
    spec = make_spec()
    spec.lock.unlink()
    with pytest.raises(EngineFolderError, match=r"tiny.*tiny\.lock"):
        environments.find(spec)


def test_an_interrupt_ends_the_builds_and_cleans_up(
    offline: Path, make_spec: MakeSpec, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(programs, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environments.install([make_spec()], report)
    assert not list((offline / "environments").glob(".building-*"))


def test_removing_frees_the_disk_and_unused_means_no_present_lock_needs_it(
    installed: tuple[EnvironmentSpec, Installed], make_spec: MakeSpec, report: Any
) -> None:
    spec, old = installed
    assert environments.unused([spec]) == []
    spec.lock.write_text("numpy==1.0\n", encoding="utf-8")
    assert isinstance(environments.install([spec], report)["tiny"], Installed)
    assert len(environments.disk_use()) == 2
    idle = environments.unused([spec, make_spec("another")])
    assert [entry.path for entry in idle] == [old.path]
    assert environments.remove(idle) == old.size_mb > 0
    assert [entry.digest for entry in environments.disk_use()] == [folders.digest_of(spec)]
    assert not old.path.exists()


def test_a_damaged_record_counts_as_not_installed_but_takes_disk(
    installed: tuple[EnvironmentSpec, Installed],
) -> None:
    spec, environment = installed
    (environment.path / folders.RECORD).write_text("{half", encoding="utf-8")
    assert environments.find(spec) is None
    assert [entry.path for entry in environments.disk_use()] == [environment.path]
    assert environments.remove(environments.unused([spec])) > 0
    assert not environment.path.exists()


@pytest.mark.parametrize("gone", ["numpy", "pyvenv.cfg"])
def test_an_environment_that_lost_files_is_built_anew(
    installed: tuple[EnvironmentSpec, Installed], report: Any, gone: str
) -> None:
    spec, environment = installed
    kind = kinds.of(spec)
    assert kind.damage(spec) == ""
    (lost,) = environment.path.glob(f"**/{gone}")
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    assert environments.find(spec) == environment  # the cheap look
    assert re.fullmatch(r"\d+ of its \d+ files are gone", kind.damage(spec))
    assert environments.install([spec], report) == {"tiny": environments.find(spec)}
    assert report.started_names == ["tiny"]
    (note,) = report.notes
    assert re.fullmatch(r"tiny: \d+ of its \d+ files are gone, so it is built anew", note)
    assert ask(environment, "import numpy; print(numpy.__version__)") == "1.0"


def test_bytecode_that_comes_and_goes_is_no_damage(installed: tuple[EnvironmentSpec, Installed]) -> None:
    spec, environment = installed
    for compiled in environment.path.rglob("*.pyc"):
        compiled.unlink()
    assert kinds.of(spec).damage(spec) == ""


def test_a_record_of_before_files_were_counted_is_read(installed: tuple[EnvironmentSpec, Installed]) -> None:
    spec, environment = installed
    record = environment.path / folders.RECORD
    fields = json.loads(record.read_bytes())
    assert fields.pop("files") > 0
    record.write_text(json.dumps(fields), encoding="utf-8")
    assert environments.find(spec) == environment
    assert kinds.of(spec).damage(spec) == ""


@pytest.mark.parametrize(("damaged", "content"), [("WHEEL", b""), ("METADATA", b""), ("RECORD", b"no table\n")])
def test_a_package_that_uvs_cache_holds_damaged_is_fetched_anew(
    offline: Path, make_spec: MakeSpec, report: Any, damaged: str, content: bytes
) -> None:
    spec = make_spec("first")
    assert isinstance(environments.install([spec], report)["first"], Installed)
    (kept,) = (offline / "uv" / "archive-v0").glob(f"*/numpy-1.0.dist-info/{damaged}")
    kept.unlink()
    kept.write_bytes(content)
    spec = make_spec("second")
    installed = environments.install([spec], report)["second"]
    assert isinstance(installed, Installed), installed
    assert ask(installed, "import numpy; print(numpy.__version__)") == "1.0"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", None])
def test_a_wheel_that_is_no_archive_is_one_clear_line(
    make_spec: MakeSpec, wheels: Path, report: Any, content: bytes | None
) -> None:
    wheel = next(wheels.glob("numpy-*.whl"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[: len(whole) // 2] if content is None else content)
    error = environments.install([make_spec(lock="numpy==1.0\n")], report)["tiny"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert "numpy" in str(error)
    assert "\n" not in str(error)


@pytest.mark.usefixtures("offline")
def test_a_lock_that_is_no_text_is_one_clear_line(make_spec: MakeSpec, report: Any) -> None:
    spec = make_spec()
    spec.lock.write_bytes(b"numpy==1.0\n\xff\xfe\n")
    with pytest.raises(EngineFolderError, match="environment tiny: its lock cannot be read: "):
        environments.install([spec], report)
