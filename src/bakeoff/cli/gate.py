"""`bakeoff gate`: did anything become slower than it may?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.params import (
    STDOUT,
    TARGET,
    Duration,
    Percent,
    engines_dir_option,
    given,
    output_option,
    store_option,
)

if TYPE_CHECKING:
    from bakeoff.scorecards import Baseline, Gate
    from bakeoff.store import Store

FORMATS = click.Choice(["text", "json", "junit", "markdown"])
BUDGET_S = 15 * 60.0


@click.command
@click.argument("run", default="latest")
@click.option("--baseline", required=True, metavar="RUN|FILE", help="What to hold it against.")
@click.option("--max-slowdown", type=Percent(), default="5%", show_default=True, help="So much slower it may be.")
@click.option("--rerace", is_flag=True, help="Race the baseline's engines as they were against what they are now.")
@click.option("--budget", type=Duration(), default=BUDGET_S, help="Time for the rerace.  [default: 15m]")
@click.option("--rounds", type=click.IntRange(min=5), help="At most so many in the rerace.")
@click.option("--format", "format_", type=FORMATS, default="text", show_default=True, help="What to print.")
@click.option("--to", "target", type=TARGET, default=STDOUT, help="Write it here as well as say it.")
@output_option
@store_option
@engines_dir_option
@click.pass_context
def gate(
    context: click.Context,
    run: str,
    baseline: str,
    max_slowdown: float,
    rerace: bool,
    budget: float,
    rounds: int | None,
    format_: str,
    target: Path,
    output: Path,
    store_url: str | None,
    engines_dirs: tuple[Path, ...],
) -> None:
    """Fail (exit code 1) if any case of RUN (default: the latest) is slower than in the baseline by more than it may.

    It fails only on what the statistics support, and passes (0) only on what they support; where noise hides the
    answer it is undecided (3), and says what it would take. Two runs measured at different times are compared
    through the canary that every run carries, and cases are undecided if others used the CPUs meanwhile; --rerace
    needs no RUN and no canary: it races the baseline's engines, as they were, against what they are now, in the same
    rounds, until the answer is certain or the budget is spent.
    --max-slowdown is to a gate what --indifference is to a race: a rerace is sized for it.

    \b
    Examples:
      bakeoff gate --baseline latest~1
      bakeoff gate --baseline baseline.json --max-slowdown 5% --rerace
      bakeoff gate --baseline baseline.json --rerace --budget 10m --format junit --to gate.xml
    """
    from bakeoff.cli.screen import columns
    from bakeoff.cli.stores import opened
    from bakeoff.errors import ExitCode, UsageError
    from bakeoff.report import gate as report
    from bakeoff.report.files import write_texts
    from bakeoff.report.markup import as_json
    from bakeoff.scorecards import GateOutcome

    asked = given(context, "run", "budget", "rounds", "engines_dirs")
    if rerace and "run" in asked:
        raise UsageError(f"--rerace races anew: it has no use for run {run!r}", "Leave the run out.")
    of_a_race = [name for name in asked if name != "run"]
    if not rerace and of_a_race:
        flags = ", ".join(f"--{name.removesuffix('s').replace('_', '-')}" for name in of_a_race)
        raise UsageError(f"{flags}: nothing is raced without --rerace, so this has no meaning")
    with opened(output, store_url, create=rerace) as store:
        found = _baseline(baseline, store)
        if rerace:
            said = _rerace(found, max_slowdown, budget, rounds, store, output, engines_dirs)
        else:
            said = _compare(found, run, max_slowdown, store)
    texts = {"json": as_json, "junit": report.to_junit, "markdown": report.to_markdown}
    text = texts[format_](said) if format_ in texts else report.to_text(said, width=columns())
    if target != STDOUT:
        write_texts(target.parent, {target.name: text})
        text = report.to_text(said, width=columns())
    click.echo(text, nl=False)
    codes = {GateOutcome.FAIL: ExitCode.SOME_ROWS_BAD, GateOutcome.UNDECIDED: ExitCode.UNDECIDED}
    sys.exit(codes.get(said.outcome, ExitCode.OK))


def _baseline(reference: str, store: "Store") -> "Baseline":
    from bakeoff.race.stored import scorecards

    return scorecards.from_file(Path(reference)) if Path(reference).is_file() else scorecards.baseline(store, reference)


def _compare(found: "Baseline", run: str, max_slowdown: float, store: "Store") -> "Gate":
    from bakeoff.errors import UsageError
    from bakeoff.judge.between_runs.gate import gate_across
    from bakeoff.judge.between_runs.pairing import pair
    from bakeoff.race.stored import scorecards

    card = scorecards.of_run(store, run)
    if card.name == found.run.name and card.started_at == found.run.started_at:
        raise UsageError(f"run {card.name} is the baseline itself", "Race again, then gate.")
    pairs = pair(found.run, card)
    if not pairs.cases and not pairs.lost:
        why = "; ".join(pairs.refused or pairs.notes) or "they have no case in common"
        raise UsageError(f"{card.name} cannot be held against {found.run.name}: {why}")
    return gate_across(found.run, card, pairs, max_slowdown)


def _rerace(
    found: "Baseline",
    max_slowdown: float,
    budget: float,
    rounds: int | None,
    store: "Store",
    output: Path,
    engines_dirs: tuple[Path, ...],
) -> "Gate":
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.errors import ExitCode
    from bakeoff.race.rerace import Rerace
    from bakeoff.race.stored import scorecards
    from bakeoff.views.racing import watching

    job = Rerace(found.run, scorecards.snapshots_of(found), max_slowdown, budget, rounds)
    with watching() as observer:
        outcome, said = job.run(Catalogue.load(engines_dirs), store, output, observer)
    if outcome.results.run.state == "interrupted":
        click.echo("interrupted: a gate is not resumed, but started again", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    return said
