import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bakeoff.cli.models import models
from bakeoff.errors import ModelError
from bakeoff.models.download import CHECKPOINTS

pytestmark = pytest.mark.unit


@pytest.mark.usefixtures("in_process")
def test_the_list_says_what_each_network_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / CHECKPOINTS["resnet18"]).touch()
    shown = CliRunner().invoke(models, ["list"], catch_exceptions=False)
    [resnet18] = [line.split(maxsplit=4) for line in shown.output.splitlines() if line.startswith("resnet18")]
    assert resnet18 == ["resnet18", "11,689,512", "3.63", "3x224x224", "seeded, trained"]
    rows = json.loads(CliRunner().invoke(models, ["list", "--json"], catch_exceptions=False).output)
    assert rows[-1]["name"] == "resnet-tiny"
    assert rows[-1]["weights"] == ["seeded"]


def test_path_prints_the_path_alone_on_stdout() -> None:
    shown = CliRunner().invoke(models, ["path", "resnet-tiny"], catch_exceptions=False)
    assert Path(shown.stdout.strip()).is_file()
    assert "writing resnet-tiny" in shown.stderr


@pytest.mark.parametrize("command", ["list", "get", "show", "path"])
def test_every_command_shows_examples(command: str) -> None:
    assert f"bakeoff models {command}" in CliRunner().invoke(models, [command, "--help"]).output


def test_show_refuses_a_pickle_without_opening_it(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"never opened")
    result = CliRunner().invoke(models, ["show", str(tmp_path / "net.pth")])
    assert isinstance(result.exception, ModelError)
    assert "a pickle runs whatever code it holds" in str(result.exception)
