"""`bakeoff baseline`: what a later gate needs of a run, as a file small enough to commit."""

from pathlib import Path

import click

from bakeoff.cli.params import STDOUT, TARGET, output_option, store_option


@click.command
@click.argument("run", default="latest")
@click.option("--to", "target", type=TARGET, default=STDOUT, help="Write here.  [default: stdout]")
@output_option
@store_option
def baseline(run: str, target: Path, output: Path, store_url: str | None) -> None:
    """Write RUN (default: the latest) as a baseline for `bakeoff gate`.

    It holds every round's throughput, the canary's, the digests of networks and environments, the machine, and what
    the engines were made of, adapters and locks, so that --rerace can race them again as they were. That is code, and
    a gate runs it: take baselines only from where you would take code.

    \b
    Examples:
      bakeoff baseline --to baseline.json
      bakeoff baseline release-1.4 --to benchmarks/baseline.json
    """
    from bakeoff.cli.stores import opened
    from bakeoff.errors import StoreError
    from bakeoff.race.stored import scorecards
    from bakeoff.report.files import write_texts

    with opened(output, store_url, create=False) as store:
        found = scorecards.baseline(store, run)
    if not any(score.rounds for score in found.run.scores):
        raise StoreError(f"run {found.run.name} has no case with a speed: it can be no baseline")
    text = scorecards.to_json(found)
    if target == STDOUT:
        click.echo(text, nl=False)
        return
    write_texts(target.parent, {target.name: text})
    click.echo(f"the baseline of run {found.run.name} is in {target} ({len(text.encode()) / 1e3:.0f} kB)", err=True)
