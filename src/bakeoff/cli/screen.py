"""What fits wherever stdout goes: shared by all commands that print a table."""

import sys

from rich.console import Console

from bakeoff.judge.results import Results
from bakeoff.report.terminal import to_text

PIPE_WIDTH = 120
"""columns where stdout is no terminal"""


def table_text(results: Results) -> str:
    """In colour, and as wide as the terminal, if it is one."""
    console = Console(file=sys.stdout)
    color = console.is_terminal and not console.no_color
    return to_text(results, width=columns(), color=color)


def columns() -> int:
    """How wide stdout is."""
    console = Console(file=sys.stdout)
    return console.width if console.is_terminal else PIPE_WIDTH
