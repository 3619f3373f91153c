"""Exit codes: what the documents say of each, and that it is so."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.made import a_case, a_plan, a_row, the_results

from bakeoff import __main__, errors
from bakeoff.cli import bakeoff
from bakeoff.cli.racing import leave
from bakeoff.errors import BakeoffError, ExitCode, NotFitError
from bakeoff.race.race import Outcome
from bakeoff.records import RunRecord, Status

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
CASE = a_case(engine="a", model="m", batch_size=1)
ENDS: dict[str, tuple[int, Sequence[str], dict[str, Any]]] = {
    "every row is fine": (0, ["ok", "unsupported"], {}),
    "some row is wrong": (1, ["ok", "wrong"], {}),
    "failed": (1, ["ok", "failed"], {}),
    "timed out": (1, ["ok", "timed_out"], {}),
    "nothing was measured": (1, ["unavailable", "unsupported", "not_run"], {}),
    "something could not be stored": (1, ["ok"], {"unsaved": 3}),
    "interrupted": (130, ["ok"], {"state": "interrupted"}),
}
"""What the README says of a race's end -> its code, the statuses of its rows, and what else holds of it."""


def codes_in(text: str) -> dict[int, str]:
    """What a sentence like the README's says of each code."""
    words = " ".join(text.partition("Exit codes: ")[2].partition("\n\n")[0].split()).replace("`", "")
    return {int(code): said for code, said in re.findall(r"(\d+) (.*?)(?:, (?=\d)|\.|$)", words)}


def outcome(statuses: Sequence[str], *, state: str = "finished", unsaved: int = 0, **fields: Any) -> Outcome:
    plan = a_plan(models=("m",), engines=("a",), batch_sizes=(1,))
    run = RunRecord(name="r", started_at=0.0, plan=plan, machine={}, bakeoff_version="0", state=state)
    rows = [msgspec.structs.replace(a_row(CASE), status=Status(status)) for status in statuses]
    return Outcome(the_results(run, rows), Path(), unsaved, **fields)


def code_of(ending: Outcome) -> int:
    with pytest.raises(SystemExit) as left:
        leave(ending)
    assert isinstance(left.value.code, int)
    return left.value.code


README = codes_in((ROOT / "README.md").read_text(encoding="utf-8"))


def test_all_documents_name_all_codes() -> None:
    known = {code for name, code in vars(ExitCode).items() if name.isupper()}
    assert README.keys() == known
    assert codes_in(CliRunner().invoke(bakeoff, ["--help"]).output).keys() == known
    assert {int(code) for code in re.findall(r"^(\d+) ", errors.__doc__ or "", re.MULTILINE)} == known
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8").partition("退出码")[2].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"(\d+) \S", chinese)} == known


@pytest.mark.parametrize("said", ENDS)
def test_a_race_ends_with_the_code_that_the_readme_promises(said: str) -> None:
    code, statuses, fields = ENDS[said]
    assert said in README[code]
    assert code_of(outcome(statuses, **fields)) == code


@pytest.mark.parametrize("fields", [{"unwritten": "no space"}, {"stopped": "x is gone", "state": "interrupted"}])
def test_what_keeps_a_race_from_being_whole_is_said_and_no_success(
    fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(outcome(["ok"], **fields)) == 1
    assert next(iter(fields.values())) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (BakeoffError("no such thing", "try that"), 2, "bad usage or input"),
        (NotFitError("the machine is busy"), 4, "the machine is not fit to measure"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_command_ends_in_words_and_with_its_code(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(bakeoff, "invoke", command)
    monkeypatch.setattr(sys, "argv", ["bakeoff", "history"])
    assert __main__.code_of_the_command() == code
    assert said in README[code]
    err = capsys.readouterr().err
    assert err.strip().startswith("bakeoff: ")
    assert "Traceback" not in err


def test_an_unknown_option_is_bad_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bakeoff", "history", "--no-such"])
    assert __main__.code_of_the_command() == 2
    assert "--no-such" in capsys.readouterr().err


WAITS = "import sys; sys.argv[0] = 'bakeoff'; from bakeoff.__main__ import main; main()"
HOLDS = """
import time
from bakeoff.race import machine_lock
with machine_lock.held("x", print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_race_begins_ends_the_command_as_ctrl_c_does(number: int, tmp_path: Path) -> None:
    """While it waits for the machine."""
    command = [sys.executable, "-c", WAITS, "run", "resnet-tiny", "--output", str(tmp_path / "r")]
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert b"held\n" in iter(holder.stdout.readline, b"")  # somebody else's race may have to end first
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr
            lines = iter(waiting.stderr.readline, "")
            assert any("waiting" in line for line in lines)  # a caution about a busy machine comes before
            waiting.send_signal(number)
            _, err = waiting.communicate(timeout=20)
        holder.kill()
    assert waiting.returncode == 130
    assert err.splitlines()[-1].startswith("bakeoff: interrupted; what was installed")
    assert "Traceback" not in err
