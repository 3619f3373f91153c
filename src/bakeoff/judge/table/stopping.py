"""Which cases deserve another round; a race has enough when none does.

Time goes where it changes the verdict (racing: Maron & Moore, "Hoeffding Races", 1994; Birattari et al., "A Racing
Algorithm for Configuring Metaheuristics", 2002). It is judged with the verdict's own intervals at the fixed
looks of `bakeoff.judge.table.looks`, so that dropping an engine costs no error beyond the verdict's 5%: between looks
their answer does not change.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bakeoff.judge.case.disturbance import disturbed_rounds, last_tries, quiet
from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.judge.table.best import Comparison, compare
from bakeoff.judge.table.looks import last_look
from bakeoff.judge.table.verdict import Measured, measured_tables, other_batch_sizes, precision, standings
from bakeoff.records import INDIFFERENCE, Case, Outcome, Plan, Status, Trial

TARGET_CI = INDIFFERENCE
"""how far a contender's interval may reach to each side, relative"""
TARGET_CI_REST = 0.25
"""the same for engines that are certainly beaten"""


def wanted(
    plan: Plan,
    trials: Iterable[Trial],
    round_: int,
    *,
    target_ci: float = TARGET_CI,
    target_ci_rest: float = TARGET_CI_REST,
    league: Callable[[Case], str] = precision,
) -> set[Case]:
    """The cases of the plan that deserve round `round_` (from 1), given the trials of the rounds before it.

    Up to the floor, all. After it, for each model, batch size and league by itself:

    - whoever is undecided, and whoever may be the best: they decide the verdict between them;
    - whoever's ratio to the leader is known less well than its target (half-width of the plain 95% interval, paired
      by round: `target_ci` for contenders, `target_ci_rest` for the certainly beaten), and the leader to pair with;
    - whoever has fewer than two rounds, as after a heat that time cut short.

    An engine that is certainly beaten at every batch size, within its target, thereby leaves the model's heats. A
    case that failed in a round, or was ever wrong, gets no more of them; a profile trial that failed tells nothing of
    rounds. An engine alone in its table is held against the target by its own throughput.
    """
    trials = list(trials)
    failed = {trial.case for trial in trials if _is_the_end(trial)}
    live = [case for case in plan.cases() if case not in failed]
    look = last_look(round_ - 1)
    if look is None:
        return set(live)
    by_then = last_tries(trial for trial in trials if trial.round <= look)
    spoilt = disturbed_rounds(by_then)
    by_table: dict[tuple[str, int, str], list[Case]] = {}
    for case in live:
        by_table.setdefault((case.model, case.batch_size, league(case)), []).append(case)
    by_case: dict[Case, list[Trial]] = {case: [] for case in live}
    for trial in by_then:
        if trial.case in by_case:
            by_case[trial.case].append(trial)
    measured = measured_tables(
        {key: [trial for case in cases for trial in by_case[case]] for key, cases in by_table.items()}, spoilt
    )
    found: set[Case] = set()
    for key, cases in by_table.items():
        siblings = other_batch_sizes(measured, key)
        engines = [case.contender.name for case in cases]
        names = wanted_engines(
            measured[key], engines, target_ci, target_ci_rest, siblings, indifference=plan.indifference
        )
        found |= {case for case in cases if case.contender.name in names}
    return found


def _is_the_end(trial: Trial) -> bool:
    """Whether its case gets no more rounds: it failed in one, or was wrong in any trial."""
    failed = trial.status not in (Status.OK, Status.NOT_RUN)
    return trial.status is Status.WRONG or (failed and not trial.profile)


def wanted_engines(
    measured: Measured,
    engines: Sequence[str],
    target_ci: float = TARGET_CI,
    target_ci_rest: float = TARGET_CI_REST,
    siblings: Iterable[Measured] = (),
    *,
    indifference: float = INDIFFERENCE,
) -> set[str]:
    """Which of the live `engines` of one table deserve more; it lacks those that have no trial yet.

    `siblings` are the tables of the other batch sizes.
    """
    table, spoilt, noise = measured
    found = {engine for engine in engines if engine not in table}
    if not table:
        return found
    if len(engines) == 1:
        half_widths = {engine: _own_half_width(rounds, spoilt.get(engine, ())) for engine, rounds in table.items()}
        return found | {engine for engine, half_width in half_widths.items() if half_width > target_ci}
    comparison = compare(table, spoilt=spoilt, noise=noise, siblings=siblings)
    return found | _undecided(comparison, target_ci, target_ci_rest, indifference)


def _undecided(comparison: Comparison, target_ci: float, target_ci_rest: float, indifference: float) -> set[str]:
    leader, *others = standings(comparison, indifference)
    found = set()
    if any(standing.outcome is Outcome.UNDECIDED for standing in others):
        found = {comparison.contenders[i] for i in comparison.candidates}
    for standing in others:
        target = target_ci_rest if standing.outcome is Outcome.SLOWER else target_ci
        half_width = comparison.precision(comparison.leader, comparison.contenders.index(standing.contender))
        if standing.outcome is Outcome.UNDECIDED or half_width > math.log1p(target):
            found |= {standing.contender, leader.contender}
    return found


def _own_half_width(rounds: Mapping[int, float], spoilt: Collection[int]) -> float:
    """Relative half-width of an engine's own interval; infinite below two rounds."""
    _, interval = geometric_mean_interval([math.exp(rounds[number]) for number in quiet(rounds, spoilt)])
    return math.sqrt(interval[1] / interval[0]) - 1 if interval else math.inf
