"""Write docs/cli.md, the reference of every command, from the code. `make docs` runs this; a test checks the result."""

from collections.abc import Iterator
from pathlib import Path

import click

from bakeoff.cli import bakeoff

TARGET = Path(__file__).with_name("cli.md")
WIDTH = 100


def commands(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Every command under `command` with its help text, in the order of use."""
    settings = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None:
                yield from commands(below, each, context)


def reference() -> str:
    """The whole page."""
    parts = ["# The commands", "", "Made from the code by `make docs`.", ""]
    for path, text in commands(bakeoff, "bakeoff"):
        parts += [f"## {path}", "", "```", text.strip(), "```", ""]
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
