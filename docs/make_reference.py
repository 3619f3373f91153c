"""Write the reference pages that are made from the code. `make docs` runs this; a test checks the result."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from bakeoff.cli import bakeoff
from bakeoff.report import columns, json_file

FOLDER = Path(__file__).parent
SCHEMA = Path(json_file.__file__).with_name("results.schema.json")
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


def command_page() -> str:
    """Every command's help."""
    parts = ["# The commands", "", "Made from the code by `make docs`.", ""]
    for path, text in commands(bakeoff, "bakeoff"):
        parts += [f"## {path}", "", "```", text.strip(), "```", ""]
    return "\n".join(parts)


def column_page() -> str:
    """Every column of the exported tables."""
    parts = [
        "# The columns of exported tables",
        "",
        "Made from the code by `make docs`. `bakeoff export` writes them, `bakeoff.load` and `Run.frame` give them as",
        "data frames. A figure that the measurements do not support is null: an empty field in CSV.",
        "",
    ]
    kinds = {
        "Cases": columns.SUMMARY,
        "Trials (`--trials`)": columns.TRIALS,
        "Calls (`--latencies`)": columns.LATENCIES,
    }
    for title, found in kinds.items():
        rows = [(f"`{column.name}`", column.type, column.unit, column.meaning) for column in found]
        parts += [f"## {title}", "", *table(("column", "type", "unit", "what it says"), rows), ""]
    return "\n".join(parts)


def results_page() -> str:
    """results.json, field by field, from its JSON Schema."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [
        "# results.json",
        "",
        "Made by `make docs` from the [JSON Schema](../../src/bakeoff/report/results.schema.json), which the tests",
        f"hold every file to. `show --format json` and `run --json` print the same. {schema['description']}",
        "",
        *table(("field", "type", "what it says"), list(fields(schema, schema["$defs"]))),
        "",
    ]
    return "\n".join(parts)


def fields(schema: dict[str, Any], defs: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, type and description of everything below an object or array."""
    for name, given in schema.get("properties", {}).items():
        field = resolved(given, defs)
        here = f"{path}.{name}".lstrip(".")
        yield f"`{here}`", type_of(field), field.get("description", "")
        for each in (field, *field.get("anyOf", ())):
            yield from fields(resolved(each, defs), defs, here)
        if "items" in field:
            yield from fields(resolved(field["items"], defs), defs, f"{here}[]")


def resolved(field: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """The field with what it refers to filled in."""
    return {**defs[field["$ref"].rpartition("/")[2]], **field} if "$ref" in field else field


def type_of(field: dict[str, Any]) -> str:
    """In a word or a few."""
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(type_of(each) for each in field["anyOf"])
    types = field.get("type", "anything")
    return types if isinstance(types, str) else " or ".join(types)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *cells)]


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": command_page,
    "reference/columns.md": column_page,
    "reference/results-json.md": results_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8", newline="\n")
