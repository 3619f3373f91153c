"""`bakeoff export`: a run, for other programs."""

import sys
from pathlib import Path

import click

from bakeoff.cli.params import STDOUT, TARGET, output_option, store_option

FORMATS = ("csv", "json", "parquet")


@click.command
@click.argument("run", default="latest")
@click.option("--trials", "kind", flag_value="trials", help="A row per trial instead of a row per case.")
@click.option("--latencies", "kind", flag_value="latencies", help="A row per call: every latency there is.")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="What to write.  [default: what --to ends in, or csv]"
)
@click.option("--to", "target", type=TARGET, default=STDOUT, help="The file.  [default: stdout]")
@output_option
@store_option
def export(run: str, kind: str | None, format_: str | None, target: Path, output: Path, store_url: str | None) -> None:
    """Write RUN (default: the latest) as one flat table: a row per case, with the figures that `show` has.

    docs/reference/columns.md has every column with its unit. JSON is an array of objects, one per row; Parquet needs
    polars (pip install 'bakeoff[frames]') and a file to go to.

    \b
    Examples:
      bakeoff export --to cases.csv
      bakeoff export before --trials --to trials.parquet
      bakeoff export latest~1 --latencies --format json --to calls.json
    """
    from bakeoff.cli.stores import results_of
    from bakeoff.errors import UsageError
    from bakeoff.report import flat
    from bakeoff.report.export import write

    chosen = format_ or _format_of(target)
    if chosen == "parquet" and target == STDOUT:
        raise UsageError("Parquet is no text: say where it should go", "Give a file: --to FILE.parquet")
    kind = kind or "summary"
    results = results_of(output, store_url, run)
    table = flat.KINDS[kind](results)
    if target == STDOUT:
        flat.write_text(table, chosen, sys.stdout)
    else:
        write(table, chosen, target)
        click.echo(f"the {kind} of run {results.run.name}: {target}", err=True)


def _format_of(target: Path) -> str:
    """What a file's name says of its format; csv where there is none to ask."""
    from bakeoff.errors import UsageError

    ending = target.suffix.removeprefix(".").lower() if target != STDOUT else "csv"
    if ending not in FORMATS:
        raise UsageError(f"{target}: its name says no format", f"Give --format: {', '.join(FORMATS)}.")
    return ending
