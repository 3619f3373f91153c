"""`bakeoff show`: the results of a run, printed again."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.params import indifference_option, output_option, store_option

if TYPE_CHECKING:
    from bakeoff.judge.results import Results

FORMATS = click.Choice(["table", "md", "csv", "json"])


@click.command
@click.argument("run", default="latest")
@click.option("--format", "format_", type=FORMATS, default="table", show_default=True, help="What to print.")
@indifference_option
@output_option
@store_option
def show(run: str, format_: str, indifference: float | None, output: Path, store_url: str | None) -> None:
    """Print the results of RUN (default: the latest) from what is stored.

    RUN is a run's name, latest, latest~1 (the one before it), a tag, or a date (the last run of that day).

    \b
    Examples:
      bakeoff show
      bakeoff show 2026-11-23-1 --format md > table.md
      bakeoff show latest~1
      bakeoff show --indifference 5%
      bakeoff show --output ~/races --format json | jq '.cases[] | {engine, fps}'
    """
    from bakeoff.cli.stores import results_of

    click.echo(_text(format_, results_of(output, store_url, run, indifference)).rstrip("\n"))


def _text(format_: str, results: "Results") -> str:
    if format_ == "md":
        from bakeoff.report.markdown import to_markdown

        return to_markdown(results)
    if format_ == "csv":
        from bakeoff.report.csv_files import to_csv

        return to_csv(results)
    if format_ == "json":
        from bakeoff.report.json_file import to_json

        return to_json(results)
    from bakeoff.cli.screen import table_text

    return table_text(results)
