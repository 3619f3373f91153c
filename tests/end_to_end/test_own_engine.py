"""An engine of a user's own, from `bakeoff engines new` to the contract: docs/how-to/own-engine.md, as it stands."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import bakeoff.engines

pytestmark = pytest.mark.end_to_end

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "own-engine.md"
LOCK = Path(bakeoff.engines.__file__).parent / "onnxruntime" / "onnxruntime-1-32.lock"


@pytest.fixture
def mine(bakeoff: Any) -> Path:
    """The folder that `new` writes, filled in as the how-to says; its lock is that of the same requirements."""
    assert bakeoff("engines", "new", "mine").code == 0
    folder = Path(bakeoff.folder / "mine")
    for language, name in (("toml", "engine.toml"), ("python", "adapter.py")):
        (filled,) = re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
        (folder / name).write_text(filled, encoding="utf-8")
    shutil.copy(LOCK, folder / "mine.lock")
    return folder


def test_the_how_to_engine_keeps_every_promise(bakeoff: Any, mine: Path) -> None:
    result = bakeoff("engines", "check", str(mine))
    assert result.code == 0, result.out + result.err
    shown = [line.strip() for line in HOW_TO.read_text(encoding="utf-8").splitlines()]
    first = shown.index(result.out.splitlines()[0])
    said = result.out.splitlines()
    assert said == shown[first : first + len(said)]


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        ("return self.results\n", "return [1.01 * y for y in self.results]\n", "reference: batch 1, .* off by 0.0"),
        ('PRECISIONS = ("fp32",)', 'PRECISIONS = ("fp32", "fp4")', "refused with a reason: `load` takes"),
        ("self.network.get_session_options().intra_op_num_threads", "3", "threads asked"),
    ],
)
def test_a_broken_promise_is_named_and_the_exit_code_is_1(
    bakeoff: Any, mine: Path, before: str, after: str, broken: str
) -> None:
    adapter = mine / "adapter.py"
    text = adapter.read_text(encoding="utf-8")
    assert before in text
    adapter.write_text(text.replace(before, after), encoding="utf-8")
    result = bakeoff("engines", "check", str(mine))
    assert result.code == 1, result.err
    failed = [line for line in result.out.splitlines() if line.startswith("FAILED")]
    assert failed
    assert re.search(broken, failed[0])
    assert "Traceback" not in result.out
