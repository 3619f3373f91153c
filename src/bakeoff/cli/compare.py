"""`bakeoff compare`: what became faster or slower."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.params import indifference_option, output_option, store_option

if TYPE_CHECKING:
    from bakeoff.scorecards import ComparisonReport

FORMATS = click.Choice(["table", "md", "json"])


@click.command
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--run", "within", metavar="RUN", help="Compare two engines, or two releases, of this run.")
@click.option("--format", "format_", type=FORMATS, default="table", show_default=True, help="What to print.")
@indifference_option
@output_option
@store_option
def compare(
    before: str,
    after: str,
    within: str | None,
    format_: str,
    indifference: float | None,
    output: Path,
    store_url: str | None,
) -> None:
    """Say for every case how B's throughput compares with A's: faster, slower, equivalent or undecided.

    A and B are runs, by name, tag or date, latest, latest~1, or a file (results.json, or what `bakeoff baseline`
    wrote); or machines, by the digest that `bakeoff history` shows, each with its last run; or else two engines, or
    the releases 2019 and today, of one run (--run, by default the latest).

    Only like is compared with like: the same network by its content, in the same league. Threads, machines and load
    that differ are said first, other differences below. Runs are compared through the canary that every run carries,
    as far as it explains a case, and a case that others disturbed is undecided; engines of one run are compared
    round by round.

    \b
    Examples:
      bakeoff compare latest~1 latest
      bakeoff compare release-1.4 results/2026-11-23-1/results.json
      bakeoff compare onnxruntime openvino
      bakeoff compare 2019 today --run 2026-11-23-2 --format md
    """
    from bakeoff.cli.screen import columns
    from bakeoff.report import comparison, markup

    report = _compare(before, after, within, indifference, output, store_url)
    if format_ == "json":
        click.echo(markup.as_json(report), nl=False)
    elif format_ == "md":
        click.echo(comparison.to_markdown(report), nl=False)
    else:
        click.echo(comparison.to_text(report, width=columns()), nl=False)


def _compare(
    before: str, after: str, within: str | None, indifference: float | None, output: Path, store_url: str | None
) -> "ComparisonReport":
    from bakeoff.cli.stores import opened
    from bakeoff.errors import StoreError
    from bakeoff.judge.between_runs.comparing import compare_engines, compare_runs, knows
    from bakeoff.race.stored import scorecards

    if Path(before).is_file() and Path(after).is_file():
        first, second = (scorecards.from_file(Path(each)).run for each in (before, after))
        return compare_runs(first, second, indifference)
    with opened(output, store_url, create=False) as store:
        if within is not None:
            return compare_engines(scorecards.of_run(store, within), before, after, indifference)
        try:
            first, second = (scorecards.of_anything(store, reference) for reference in (before, after))
        except StoreError:
            latest = scorecards.of_run(store, "latest")
            if not (knows(latest, before) and knows(latest, after)):
                raise
            return compare_engines(latest, before, after, indifference)
    return compare_runs(first, second, indifference)
