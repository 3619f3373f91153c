"""`bakeoff history`: the runs that are stored."""

from pathlib import Path

import click

from bakeoff.cli.params import output_option, store_option


@click.command
@click.option("--engine", metavar="NAME", help="Only runs that raced this engine.")
@click.option("--model", metavar="NAME", help="Only runs that raced this network.")
@click.option("--machine", metavar="DIGEST", help="Only runs on this machine: how its fingerprint's digest begins.")
@click.option("--tag", metavar="NAME", help="Only runs of this tag.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the latest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@output_option
@store_option
def history(
    engine: str | None,
    model: str | None,
    machine: str | None,
    tag: str | None,
    limit: int,
    as_json: bool,
    output: Path,
    store_url: str | None,
) -> None:
    """List the runs that are stored, the latest first.

    \b
    Examples:
      bakeoff history
      bakeoff history --engine onnxruntime --model resnet50 --limit 100
      bakeoff history --tag nightly --store postgresql://bench@db.example.com/bench
    """
    from bakeoff.cli.screen import columns
    from bakeoff.cli.stores import opened
    from bakeoff.report.history import to_json, to_text

    with opened(output, store_url, create=False) as store:
        runs = store.history(engine=engine, model=model, machine=machine, tag=tag, limit=limit)
    if as_json:
        click.echo(to_json(runs), nl=False)
    elif runs:
        click.echo(to_text(runs, width=columns()), nl=False)
    else:
        click.echo("no run is like that", err=True)
