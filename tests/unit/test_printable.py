"""Text that is not ours, wherever it goes: to a terminal, a pipe or a file."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from bakeoff.errors import ModelError
from bakeoff.printable import MOST_OF_A_LINE, Visible, cut, visible
from bakeoff.report.files import write_texts

pytestmark = pytest.mark.unit

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[1Aall engines are \x9b31m\u202eenif\r"
HIDDEN = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029", "\u202e", "\u2066"} - {"\n", "\t"}


@given(st.text())
def test_nothing_but_letters_and_lines_is_left(text: str) -> None:
    assert not HIDDEN & set(visible(text))
    assert visible(visible(text)) == visible(text)
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


@given(st.text(), st.integers(10, 100))
def test_a_cut_text_is_one_line_no_longer_than_it_may_be(text: str, most: int) -> None:
    line = cut(text, most)
    assert "\n" not in line
    assert len(line) <= most


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("raw", [io.BytesIO, Terminal])
def test_a_stream_lets_through_colours_on_a_terminal_and_no_other_control(raw: type[io.BytesIO]) -> None:
    below = raw()
    stream = Visible(io.TextIOWrapper(below, encoding="utf-8"))
    stream.write("\x1b[1mbold\x1b[0m " + HOSTILE)
    stream.flush()
    written = below.getvalue().decode()
    assert written.count("\x1b") == (2 if raw is Terminal else 0)
    assert not (HIDDEN - {"\x1b"}) & set(written)
    assert "\\u001b]0;owned\\u0007" in written


def test_text_files_get_it_escaped(tmp_path: Path) -> None:
    write_texts(tmp_path, {"table.md": HOSTILE, "results.json": json.dumps({"name": HOSTILE}, ensure_ascii=False)})
    assert not HIDDEN & set((tmp_path / "table.md").read_text(encoding="utf-8"))
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["name"] == HOSTILE


def test_an_error_s_lines_are_cut() -> None:
    assert len(str(ModelError("x" * 10**6))) == MOST_OF_A_LINE
    assert str(ModelError("one\ntwo")) == "one\ntwo"


@pytest.mark.parametrize("name", [HOSTILE, "x" * 100_000, "two\nlines"])
@pytest.mark.parametrize("known", [True, False])
def test_a_hostile_model_s_names_reach_nobody_raw(name: str, known: bool, tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(side + name, 1, ["N", 4]) for side in ("x", "y"))
    node = helper.make_node("Relu" if known else "Nope" + name, ["x" + name], ["y" + name], name=name)
    graph = helper.make_graph([node], name, [x], [y])
    model = helper.make_model(graph, producer_name=name, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    done = subprocess.run(
        [sys.executable, "-m", "bakeoff", "models", "show", str(tmp_path / "model.onnx")],
        capture_output=True,
        env={**os.environ, "BAKEOFF_CACHE": str(tmp_path / "cache")},
        check=False,
    )
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == (0 if known else 2), text[:500]
    assert not HIDDEN & set(text)
    assert len(text) < 3 * MOST_OF_A_LINE
    assert len(text.splitlines()) <= 6
