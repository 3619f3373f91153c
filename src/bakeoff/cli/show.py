"""`bakeoff show`: the results of a run, printed again."""

from collections.abc import Sequence
from pathlib import Path

import click

from bakeoff.cli.params import output_option, store_option
from bakeoff.records import CanaryFigure, RunRecord, Summary, Verdict

FORMATS = click.Choice(["table", "md", "csv", "json"])


@click.command
@click.argument("run", default="latest")
@click.option("--format", "format_", type=FORMATS, default="table", show_default=True, help="What to print.")
@output_option
@store_option
def show(run: str, format_: str, output: Path, store_url: str | None) -> None:
    """Print the results of RUN (default: the latest) from what is stored.

    RUN is a run's name, latest, latest~1 (the one before it), a tag, or a date (the last run of that day).

    \b
    Examples:
      bakeoff show
      bakeoff show 2026-11-23-1 --format md > table.md
      bakeoff show latest~1
      bakeoff show --output ~/races --format json | jq '.cases[] | {engine, fps}'
    """
    from bakeoff.cli.stores import opened
    from bakeoff.judge.case.summary import summarise
    from bakeoff.judge.figures.canary import figures
    from bakeoff.judge.table.verdict import judge

    with opened(output, store_url, create=False) as store:
        record = store.run(run)
        trials = store.trials(record.name)
    summaries = summarise(record, trials)
    text = _text(format_, record, summaries, judge(record, summaries, trials), figures(trials))
    click.echo(text.rstrip("\n"))


def _text(
    format_: str,
    run: RunRecord,
    rows: Sequence[Summary],
    verdicts: Sequence[Verdict],
    canary: Sequence[CanaryFigure],
) -> str:
    from bakeoff.judge.figures.canary import remarks

    if format_ == "md":
        from bakeoff.report.markdown import to_markdown

        return to_markdown(run, rows, verdicts, remarks(canary))
    if format_ == "csv":
        from bakeoff.report.csv_files import to_csv

        return to_csv(run, rows)
    if format_ == "json":
        from bakeoff.report.json_file import to_json

        return to_json(run, rows, canary)
    from bakeoff.cli.screen import table_text

    return table_text(run, rows, verdicts, remarks(canary))
