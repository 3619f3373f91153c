"""`bakeoff selftest`: whether this machine, right now, lets a race tell equal from unequal."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.params import Duration, engines_dir_option
from bakeoff.errors import ExitCode
from bakeoff.records import Status

if TYPE_CHECKING:
    from bakeoff.judge.results import Results
    from bakeoff.judge.table.selftest import Check, Finding

DELAY = 0.05
"""known, and to be found"""
BUDGET_S = 3 * 60.0
AIMS = (0.10, 0.05, 0.03)
"""differences that people ask about: the next smaller one is what the advice is for"""
QUIET_SD = 0.02
"""standard deviation of the ratio below which a machine is quiet enough that only more rounds help"""


@click.command
@click.option("--engine", default="onnxruntime", show_default=True, help="Which engine races against itself.")
@click.option("--model", default="resnet18", show_default=True, help="On which network, at batch 1.")
@click.option("--threads", type=click.IntRange(min=1), help="Intra-op threads.  [default: the CPUs we may use]")
@click.option("--budget", type=Duration(), default=BUDGET_S, help="Time for it once installed.  [default: 3m]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs and of every random order.")
@engines_dir_option
def selftest(
    engine: str, model: str, threads: int | None, budget: float, seed: int, engines_dirs: tuple[Path, ...]
) -> None:
    """Race an engine against itself, and against itself made 5% slower: does the verdict know which is which?

    Tells how small a difference between two engines this machine can resolve right now, and what would improve it.
    Exit code 0 if equal was not called different and 5% slower was found to be 5% slower, else 1.

    \b
    Examples:
      bakeoff selftest
      bakeoff selftest --engine openvino --model resnet50 --budget 10m
    """
    from bakeoff import paths
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.judge.table.selftest import examine
    from bakeoff.race.asking.machine import this_machine
    from bakeoff.race.asking.plan import make_plan
    from bakeoff.race.race import start
    from bakeoff.race.selftest import request, three_of
    from bakeoff.store import Store
    from bakeoff.views.racing import watching

    catalogue, names = three_of(Catalogue.load(engines_dirs), engine, DELAY)
    plan = make_plan(
        request(names, model=model, threads=threads, budget_s=budget, seed=seed), catalogue, this_machine()
    )
    output = paths.cache_dir() / "selftest"
    with Store.open(output) as store, watching() as observer:
        outcome = start(plan, catalogue, store, output, observer)
    finding = examine(outcome.results.trials, names, DELAY)
    click.echo("\n".join(report(outcome.results, finding)))
    if outcome.results.run.state == "interrupted":
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.OK if finding and finding.passed else ExitCode.SOME_ROWS_BAD)


def report(results: "Results", finding: "Finding | None") -> Iterator[str]:
    """The self-test's result, line by line."""
    plan, minutes = results.run.plan, results.run.elapsed_s / 60
    where = f"{plan.names[0]} on {plan.models[0]}, batch 1, {plan.threads} thread{'s' * (plan.threads != 1)}"
    for row in results.rows:
        if row.status is not Status.OK:
            yield f"{row.case.contender.name}: {row.status.replace('_', ' ')}: {row.reason}"
    if finding is None:
        yield f"{where}: fewer than 5 rounds in {minutes:.1f} min tell nothing; give it a longer --budget"
        return
    yield f"{where}: {finding.rounds} rounds in {minutes:.1f} min"
    yield _line("the same engine twice", finding.equal)
    yield _line(f"the same, {DELAY:.0%} slower", finding.delayed)
    yield from results.remarks
    yield from resolution(finding, results.run.elapsed_s / finding.rounds)
    yield "passed" if finding.passed else "failed: do not trust a verdict from this machine as it is now"


def _line(what: str, check: "Check") -> str:
    low, high = check.interval
    mark = "as it should be" if check.passed else "NOT as it should be"
    said = check.outcome.value
    return f"  {what:<24} {said:<10} {check.ratio:.3f}x [{low:.3f}–{high:.3f}]  {mark}"  # noqa: RUF001 - as in verdicts


def resolution(finding: "Finding", seconds_per_round: float) -> Iterator[str]:
    """How small a difference shows now, and what would show a smaller one."""
    from bakeoff.judge.table.selftest import resolvable, rounds_to_resolve

    smallest = resolvable(finding.sd, finding.rounds)
    yield (
        f"Two processes of one engine differ by {finding.sd:.1%} (standard deviation). With {finding.rounds} rounds, a "
        f"difference of {smallest:.1%} is the smallest that shows in 9 of 10 races."
    )
    aim = next((aim for aim in AIMS if aim < smallest), None)
    rounds = rounds_to_resolve(aim, finding.sd) if aim else None
    if aim and rounds:
        minutes = max(1, round(rounds * seconds_per_round / 60))
        yield f"To see {aim:.0%}: {rounds} rounds, about --budget {minutes}m on this engine and network."
    if finding.sd > QUIET_SD:
        yield (
            "To need fewer: end other programs, plug the machine in, fix its clock (governor `performance`, no turbo), "
            "leave a core free (--threads), and on a shared machine come back at a quieter hour."
        )
