"""Where a command writes what it was told to write: to files, links to files and stdout, and to nothing else."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.stored_runs import keep

from bakeoff.cli import bakeoff
from bakeoff.errors import BakeoffError

pytestmark = pytest.mark.unit

COMMANDS = {
    "baseline": (["baseline", "--to"], '"name"'),
    "export": (["export", "--format", "json", "--to"], '"fps"'),
    "gate": (["gate", "--baseline", "before", "--to"], "slow"),
    "report": (["report", "--format", "md", "--results", "{output}", "--output"], "# "),
}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    keep(tmp_path / "results", "2026-11-23-1", 50.0, "before")
    keep(tmp_path / "results", "2026-11-23-2", 50.0, "after")
    return tmp_path / "results"


def typed(command: str, output: Path, target: str) -> Result:
    arguments = [word.format(output=output) for word in COMMANDS[command][0]]
    folder = [] if command == "report" else ["--output", str(output)]
    return CliRunner().invoke(bakeoff, [*arguments, target, *folder])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dash_is_stdout(output: Path, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = typed(command, output, "-")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert COMMANDS[command][1] in result.stdout
    assert not (tmp_path / "-").exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX")
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_plain_file_is_refused_and_stays(output: Path, command: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    device = tmp_path / "device"
    device.symlink_to("/dev/full")
    for target in (pipe, device):
        result = typed(command, output, str(target))
        assert isinstance(result.exception, BakeoffError)
        assert f"{target} could not be written: it is no plain file" in str(result.exception)
        assert result.exception.exit_code == 2
    assert pipe.is_fifo()
    assert Path("/dev/full").is_char_device()
