"""`bakeoff resume`: go on where a run stopped."""

from pathlib import Path

import click

from bakeoff.cli.params import Duration, engines_dir_option, output_option, store_option, strict_option


@click.command
@click.argument("run", required=False)
@click.option(
    "--more",
    "more_s",
    type=Duration(),
    default=0.0,
    help="Time on top of what is left of the run's budget; a finished run goes on too.",
)
@strict_option
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
@output_option
@store_option
@engines_dir_option
def resume(
    run: str | None,
    more_s: float,
    strict: bool,
    as_json: bool,
    output: Path,
    store_url: str | None,
    engines_dirs: tuple[Path, ...],
) -> None:
    """Go on with RUN, repeating no finished trial, within what is left of its budget.

    By default that is this machine's latest. A run of another machine, or one that is still being raced, is refused.
    `--more 30m` is for verdicts that are still undecided when the budget is spent. A run of `bakeoff tune` goes on as
    that: with its search, and then to its confirmation.

    \b
    Examples:
      bakeoff resume
      bakeoff resume --more 30m
      bakeoff resume 2026-11-23-1 --output ~/races
    """
    from bakeoff.cli.racing import report_outcome, report_tuning
    from bakeoff.cli.stores import opened
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.race.asking.machine import this_machine
    from bakeoff.race.race import resumable
    from bakeoff.race.race import resume as resume_race
    from bakeoff.race.tuning.tuning import resume as resume_search
    from bakeoff.views.racing import watching

    with opened(output, store_url) as store, watching() as observer:
        found = resumable(store, run)
        catalogue = Catalogue.load(engines_dirs or [Path(folder) for folder in found.plan.engines_dirs])
        search = found.plan.request.search if found.plan.request else None
        if search:
            tuned = resume_search(
                found, search, catalogue, this_machine(), store, output, observer, strict=strict, more_s=more_s
            )
        else:
            outcome = resume_race(found.name, catalogue, store, output, observer, strict=strict, more_s=more_s)
    if search:
        report_tuning(tuned, as_json=as_json)
    report_outcome(outcome, as_json=as_json)
