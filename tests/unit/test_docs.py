"""The documents hold what the code says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bakeoff.cli import COMMANDS, bakeoff

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]


def test_the_pages_made_from_the_code_are_up_to_date() -> None:
    # In a fresh process, as `make docs` has it: click remembers a help option from whoever asked for it first.
    code = "import json, make_reference as m; print(json.dumps({name: page() for name, page in m.PAGES.items()}))"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "docs", capture_output=True, check=True)
    for name, page in json.loads(made.stdout).items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page, "run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_in_its_help(name: str) -> None:
    command = bakeoff.get_command(click.Context(bakeoff), name)
    assert command is not None
    subcommands = list(command.commands.values()) if isinstance(command, click.Group) else []
    for each in [command, *subcommands]:
        text = CliRunner().invoke(each, ["--help"]).output
        assert re.search(rf"Examples?:\n(.*\n)*?.*bakeoff {name}", text), each.name


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_in_the_readmes_exists(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    used = set(re.findall(r"bakeoff (\w+)", "\n".join(code_in(text))))
    assert used
    assert used <= {*COMMANDS}


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_link_to_a_file_leads_somewhere(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_both_readmes_show_the_same_commands_and_the_same_table() -> None:
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    assert [without_comment(line) for line in code_in(english)] == [without_comment(line) for line in code_in(chinese)]
    assert table_in(english) == table_in(chinese)


def code_in(markdown: str) -> list[str]:
    """The indented code lines."""
    return [line.strip() for line in markdown.splitlines() if line.startswith("    ") and line.strip()]


def without_comment(line: str) -> str:
    return re.sub(r"\s+#.*", "", line)


def table_in(markdown: str) -> list[str]:
    rows = [line for line in markdown.splitlines() if line.startswith("|") and not line.startswith("|-")]
    assert len(rows) > 8, "the README shows the table that the tool produced"
    return [row for row in rows if any(character.isdigit() for character in row)]
