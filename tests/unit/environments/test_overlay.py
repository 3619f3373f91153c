"""LoadGen beside an environment, with uv and the environment's Python played by us."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bakeoff.environments import overlay, pip_settings, programs
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.environments.programs import ProgramFailedError
from bakeoff.errors import EnvironmentUnavailableError, UnsupportedError
from bakeoff.records import Installed

pytestmark = pytest.mark.unit


class World:
    """What `programs.run` is asked for, and what it answers: a Python's version, and uv's way to end."""

    def __init__(self, python: str, uv_says: str = "") -> None:
        self.python = python
        self.uv_says = uv_says
        self.installs: list[Sequence[Any]] = []

    def run(self, command: Sequence[Any], *, cwd: Path, **_: Any) -> str:
        if "pip" not in command:
            return f"{self.python}\n"
        self.installs.append(command)
        if self.uv_says:
            raise ProgramFailedError(self.uv_says)
        (cwd / "mlperf_loadgen.so").touch()
        return ""


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(name="own", digest="d", path=tmp_path, command=("python", "-I"))


def in_a_world(monkeypatch: pytest.MonkeyPatch, python: str, uv_says: str = "") -> World:
    world = World(python, uv_says)
    monkeypatch.setattr(programs, "run", world.run)
    monkeypatch.setattr(pip_settings, "read_pip_settings", PackageSettings)
    return world


def test_loadgen_is_installed_once_for_a_python_in_a_folder_of_its_own(
    monkeypatch: pytest.MonkeyPatch, installed: Installed, own_cache: Path
) -> None:
    world = in_a_world(monkeypatch, "3.11")
    folder = overlay.loadgen(installed)
    assert [path.name for path in folder.iterdir()] == ["mlperf_loadgen.so"]
    assert folder.parent == own_cache / "overlays"
    assert overlay.loadgen(installed) == folder
    (command,) = world.installs
    assert "--require-hashes" in command
    assert command[command.index("--python-version") + 1] == "3.11"


@pytest.mark.usefixtures("own_cache")
def test_a_folder_that_lost_loadgen_is_filled_anew(monkeypatch: pytest.MonkeyPatch, installed: Installed) -> None:
    world = in_a_world(monkeypatch, "3.11")
    folder = overlay.loadgen(installed)
    (folder / "mlperf_loadgen.so").rename(folder / "left over")
    assert [path.name for path in overlay.loadgen(installed).iterdir()] == ["mlperf_loadgen.so"]
    assert len(world.installs) == 2


@pytest.mark.parametrize("python", ["3.6", "3.8", "3.14"])
def test_a_python_without_a_wheel_is_unsupported_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, installed: Installed, python: str
) -> None:
    world = in_a_world(monkeypatch, python)
    with pytest.raises(UnsupportedError, match=f"MLPerf LoadGen has no wheel for Python {python}"):
        overlay.loadgen(installed)
    assert not world.installs


def test_a_platform_without_a_wheel_is_unsupported_too(monkeypatch: pytest.MonkeyPatch, installed: Installed) -> None:
    in_a_world(monkeypatch, "3.11", "mlcommons-loadgen==6.0.17 has no wheels with a matching platform tag")
    with pytest.raises(UnsupportedError, match="no wheel for this platform"):
        overlay.loadgen(installed)


def test_a_failed_download_is_unavailable_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, installed: Installed, own_cache: Path
) -> None:
    in_a_world(monkeypatch, "3.11", "Request failed after 5 retries")
    with pytest.raises(EnvironmentUnavailableError, match="cannot be installed: Request failed"):
        overlay.loadgen(installed)
    assert not list((own_cache / "overlays").iterdir())


def test_every_line_of_the_lock_is_hashed() -> None:
    lines = [line for line in overlay.LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines[0].startswith("mlcommons-loadgen==")
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert len(lines) > 1
