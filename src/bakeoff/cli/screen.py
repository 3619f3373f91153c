"""What fits wherever stdout goes: shared by all commands that print a table."""

import sys
from collections.abc import Sequence

from rich.console import Console

from bakeoff.records import RunRecord, Summary, Verdict
from bakeoff.report.terminal import to_text

PIPE_WIDTH = 120
"""columns where nobody says how many there are"""


def table_text(run: RunRecord, rows: Sequence[Summary], verdicts: Sequence[Verdict], remarks: Sequence[str]) -> str:
    """In colour, and as wide as the terminal, if it is one."""
    console = Console(file=sys.stdout)
    color = console.is_terminal and not console.no_color
    return to_text(run, rows, verdicts, remarks, width=columns(), color=color)


def columns() -> int:
    """How wide stdout is."""
    console = Console(file=sys.stdout)
    return console.width if console.is_terminal else PIPE_WIDTH
