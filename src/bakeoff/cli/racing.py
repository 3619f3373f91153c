"""How a race ends on the command line: shared by the commands that race."""

import sys

import click

from bakeoff.errors import ExitCode
from bakeoff.race.race import Outcome
from bakeoff.records import Status

BAD = {Status.WRONG, Status.FAILED, Status.TIMED_OUT}


def report_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Print the table, or the JSON, to stdout, say where everything lies, and exit with the run's code."""
    run = outcome.results.run
    if as_json:
        from bakeoff.report.json_file import to_json

        click.echo(to_json(outcome.results), nl=False)
    else:
        from bakeoff.cli.screen import table_text

        click.echo(table_text(outcome.results))
        lost = outcome.unsaved or outcome.waiting or outcome.unwritten
        click.echo(f"run {run.name}, {run.state}" + ("" if lost else f": everything is in {outcome.folder}"))
    leave(outcome)


def leave(outcome: Outcome) -> None:
    """Say what stands in the way of a full table, and exit with the run's code."""
    if outcome.waiting:
        click.echo(f"{outcome.waiting} trials could not be stored yet: the next command here tries again", err=True)
    if outcome.unsaved:
        click.echo(f"{outcome.unsaved} trials could not be stored: what stands above is all there is of them", err=True)
    if outcome.unwritten:
        click.echo(outcome.unwritten, err=True)
    if outcome.results.run.state == "interrupted":
        why = outcome.stopped or "interrupted"
        click.echo(f"{why}; `bakeoff resume {outcome.results.run.name}` goes on from here", err=True)
        sys.exit(ExitCode.SOME_ROWS_BAD if outcome.stopped else ExitCode.INTERRUPTED)
    statuses = {row.status for row in outcome.results.rows}
    if Status.OK not in statuses:
        click.echo("nothing was measured", err=True)
    bad = outcome.unsaved or outcome.unwritten or Status.OK not in statuses or statuses & BAD
    sys.exit(ExitCode.SOME_ROWS_BAD if bad else ExitCode.OK)
