"""A pack in an environment made for it, which here is the tests' own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.ship.conftest import seal

from bakeoff.cli.verify import verify as command
from bakeoff.environments import fresh
from bakeoff.errors import PackError, UsageError
from bakeoff.ship import packing
from bakeoff.ship.verifying import before_python, verify

pytestmark = pytest.mark.unit


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What environments were asked for; each is the one that runs this."""
    asked: list[Any] = []

    def fill(_folder: Path, *wanted: Any) -> tuple[str, ...]:
        asked.append(wanted[:3])
        return sys.executable, "-I"

    monkeypatch.setattr(fresh, "fill", fill)
    return asked


def test_a_pack_runs_by_its_own_files_and_its_exit_code_is_the_commands(
    a_pack: Callable[..., Path], filled: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    pack = a_pack(python="3.11")
    packing.put_scripts(pack)
    (pack / "wheels").mkdir()
    seal(pack)
    result = CliRunner().invoke(command, [str(pack), "--seconds", "0.01", "--min-speed", "1e12"])
    assert result.exit_code == 1
    said = capfd.readouterr().out
    assert "answers: error 0.0e+00, limit 1.0e-05, certified 0.0e+00: right" in said
    assert "TOO SLOW" in said
    assert filled == [("3.11", pack / "requirements.txt", pack / "wheels")]


def test_a_folder_that_is_no_pack_and_a_pack_that_was_changed_are_one_line(
    a_pack: Callable[..., Path], tmp_path: Path, filled: list[Any]
) -> None:
    with pytest.raises(UsageError, match=r"is no pack: it has no MANIFEST\.sha256"):
        verify(tmp_path, (), print)
    pack = a_pack()
    (pack / "settings.json").write_text("{}")
    with pytest.raises(PackError, match=r"^pack was changed: settings\.json is not what it was$"):
        verify(pack, (), print)
    assert filled == []


def test_what_the_loader_reads_is_set_before_python_starts() -> None:
    assert before_python({"LD_PRELOAD": "libx.so", "OMP_NUM_THREADS": "2"}) == {"LD_PRELOAD": "libx.so"}
