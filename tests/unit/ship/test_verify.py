from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.unit.ship.conftest import X, seal

from bakeoff.ship.pack import verify
from bakeoff.ship.tensors import encode

pytestmark = pytest.mark.unit

Pack = Callable[..., Path]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def main(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["verify.py", "--seconds", "0.01", *arguments])
        return verify.main(), capsys.readouterr().out

    return main


def test_a_pack_as_it_was_written_verifies_and_says_what_differs_here(
    a_pack: Pack, ask: Callable[..., tuple[int, str]]
) -> None:
    a_pack()
    code, said = ask()
    assert code == 0
    assert "manifest: every file is as it was packed" in said
    assert f"note: numpy is {np.__version__} here and was 0.1" in said
    assert "instruction sets: avx9000 not here" in said
    assert "threads: 3, certified with 2" in said
    assert "answers: error 0.0e+00, limit 1.0e-05, certified 0.0e+00: right" in said
    assert "certified 100 [90-110] on a processor" in said


def test_speed_changes_the_exit_code_only_with_a_limit(a_pack: Pack, ask: Callable[..., tuple[int, str]]) -> None:
    a_pack()
    assert ask("--min-speed", "1")[0] == 0
    code, said = ask("--min-speed", "1e12")
    assert code == 1
    assert said.endswith("below the 1e+12 samples/s of --min-speed: TOO SLOW\n")
    with pytest.raises(SystemExit) as ended:
        ask("--seconds", "0", "--min-speed", "1")
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [(2 * X + np.float32(0.01), "error 2.5e-03"), (2 * X[:, :2], "output y has shape"), (4 * X, "error 5.0e-01")],
)
def test_an_answer_beyond_the_certificates_limit_fails(
    a_pack: Pack,
    ask: Callable[..., tuple[int, str]],
    answer: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    said: str,
) -> None:
    pack = a_pack()
    (pack / "cases" / "test_data_set_0" / "output_0.pb").write_bytes(encode(answer, "y"))
    seal(pack)
    code, out = ask()
    assert code == 1
    assert said in out
    assert ": WRONG" in out


def test_every_file_is_held_against_the_manifest_before_anything_runs(
    a_pack: Pack, ask: Callable[..., tuple[int, str]]
) -> None:
    pack = a_pack()
    (pack / "__pycache__").mkdir()
    (pack / "__pycache__" / "run.cpython-311.pyc").write_bytes(b"never read")
    assert verify.changed(pack) == []
    (pack / "json.py").write_text("")
    (pack / "settings.json").unlink()
    with (pack / "engine" / "adapter.py").open("a") as file:
        file.write("raise SystemExit('it ran')\n")
    code, said = ask()
    assert code == 1
    assert said == (
        "manifest: settings.json is missing; json.py is not in the manifest; engine/adapter.py is not what it was: "
        "CHANGED\n"
    )
    (pack / verify.MANIFEST).unlink()
    assert "cannot be read" in ask()[1]


def test_an_integer_that_rounding_can_change_may_be_either(a_pack: Pack) -> None:
    case = a_pack() / "cases" / "test_data_set_0"
    (case / "output_0.pb").write_bytes(encode(np.array([1, 2]), "y"))
    (case / "other_output_0.pb").write_bytes(encode(np.array([1, 3]), "y"))
    found = verify.expected(case, 0)
    assert found["answer"].tolist() == [1, 2]
    assert found["other"].tolist() == [1, 3]
