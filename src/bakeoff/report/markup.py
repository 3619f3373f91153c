"""Tables, lists and code for a terminal and for Markdown, and JSON for programs."""

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bakeoff.report import wording


def as_text(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> str:
    """Columns, those of `right` (from 0) to the right; what does not fit into `width` is folded within its column, but
    for those of `whole`.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for index, name in enumerate(header):
        justify: Literal["left", "right"] = "right" if index in right else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", no_wrap=index in whole)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width, highlight=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def as_markdown(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """The same for Markdown; of text in the cells nothing can end one, and no HTML begins."""
    cells = ([wording.one_line(cell).replace("|", "\\|").replace("<", "\\<") for cell in row] for row in rows)
    return markdown_table(header, cells, right)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """The same of cells that are Markdown already."""
    dashes = ["---:" if index in right else "---" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, dashes, *rows))


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def indented(lines: Iterable[str]) -> str:
    """Code, in Markdown as in plain text: nothing in it can end it."""
    return "\n".join(f"    {line}".rstrip() for line in lines)


def escaped(text: str) -> str:
    """Text of an engine's or a user's own making, on one line, so that Markdown shows it as it is."""
    return re.sub(r"[\\`*_<\[|]", r"\\\g<0>", wording.one_line(text))


def as_json(value: Any) -> str:
    """Indented JSON of records, a line at its end. What is not a number (NaN, infinite) becomes null."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
