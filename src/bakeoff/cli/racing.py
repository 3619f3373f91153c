"""How a race begins and ends on the command line: shared by the commands that race."""

import sys
from pathlib import Path

import click

from bakeoff.errors import ExitCode
from bakeoff.race.race import Outcome
from bakeoff.records import Request, Status

BAD = {Status.WRONG, Status.FAILED, Status.TIMED_OUT}


def raced(request: Request, output: Path, store_url: str | None) -> Outcome:
    """What came of the race that is asked for, shown as it goes and stored."""
    from bakeoff.cli.stores import opened
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.race.asking.machine import this_machine
    from bakeoff.race.asking.plan import make_plan
    from bakeoff.race.race import start
    from bakeoff.views.racing import watching

    catalogue = Catalogue.load(map(Path, request.engines_dirs))
    plan = make_plan(request, catalogue, this_machine())
    with opened(output, store_url) as store, watching() as observer:
        return start(plan, catalogue, store, output, observer)


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
