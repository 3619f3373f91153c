"""How a race begins and ends on the command line: shared by the commands that race."""

import sys
from pathlib import Path

import click

from bakeoff.errors import ExitCode
from bakeoff.race.race import Outcome
from bakeoff.race.tuning.tuning import Tuning
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


def report_tuning(found: Tuning, *, as_json: bool) -> None:
    """Print what tuning says, and exit with its code; where nothing is confirmed, which settings were best so far."""
    from bakeoff.cli.screen import columns
    from bakeoff.report.tuning import to_json, to_text

    run, stopped = found.outcome.results.run, found.outcome.stopped
    interrupted = run.state == "interrupted"
    goes_on = f"`bakeoff resume {run.name}` goes on from here"
    if found.said is None:
        why = stopped or ("interrupted" if interrupted else "nothing was measured")
        click.echo(f"{why}: nothing is confirmed, so there is no figure to tell", err=True)
        if found.best:
            click.echo(f"best so far, by the search alone: {', '.join(found.best)}", err=True)
        if interrupted:
            click.echo(goes_on, err=True)
        sys.exit(ExitCode.INTERRUPTED if interrupted and not stopped else ExitCode.SOME_ROWS_BAD)
    click.echo(to_json(found.said) if as_json else to_text(found.said, width=columns()), nl=False)
    if interrupted:
        click.echo(f"interrupted: this is what was confirmed until then; {goes_on}", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.OK if found.said.answer else ExitCode.SOME_ROWS_BAD)


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
