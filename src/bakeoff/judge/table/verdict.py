"""Who is fastest, who is equivalent to it, and what is undecided: from trials to one verdict per table.

Ignorance is not equality. An engine is *slower* when its simultaneous interval behind the best lies beyond the
indifference; *equivalent* when that interval lies inside it on both sides (two one-sided tests: Schuirmann 1987);
otherwise it is *undecided*. All three hold over every engine and every look at once, with 95% confidence: see
`bakeoff.judge.table.best` and `bakeoff.judge.table.looks`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from bakeoff.errors import UsageError
from bakeoff.judge.case.disturbance import disturbed_rounds, last_tries
from bakeoff.judge.case.summary import throughput
from bakeoff.judge.table.best import FEWEST_ROUNDS, Comparison, Noise, Spoilt, Table, compare
from bakeoff.judge.table.effort import expected_variance
from bakeoff.judge.table.looks import Critical, sequential
from bakeoff.judge.table.verdict_sentence import TOO_FEW, Share, sentence
from bakeoff.records import INDIFFERENCE, Case, Outcome, Plan, RunRecord, Standing, Status, Summary, Trial, Verdict

T = TypeVar("T")
Key = TypeVar("Key", bound=tuple[Any, ...])


def precision(case: Case) -> str:
    """The league of a case of which nothing else is known."""
    return case.contender.precision


def verdicts(
    trials: Iterable[Trial],
    *,
    league: Callable[[Case], str] = precision,
    seconds_per_round: Callable[[Case], float | None] = lambda case: None,  # noqa: ARG005 - told nothing, it knows nothing
    critical: Critical = sequential,
    indifference: float = INDIFFERENCE,
) -> list[Verdict]:
    """The verdict of every table that has a measured trial, in the order in which tables first appear.

    `league` tells in which league a case is ranked. `seconds_per_round` tells how long one more round of the
    contenders takes for a table, given its leader's case. A pair leaves out rounds in which others disturbed either,
    where enough others are (`bakeoff.judge.case.disturbance`). Give only trials of cases whose speed may be published:
    cases with a wrong answer are left out here, but how much failing is too much is the summary's affair.
    """
    trials = list(trials)
    cases = {(trial.case.contender.name, trial.case.model, trial.case.batch_size): trial.case for trial in trials}
    found = []
    for key, comparison in comparisons(trials, league=league, critical=critical).items():
        model, batch_size, name, device = key
        leader = comparison.contenders[comparison.leader]
        pace = seconds_per_round(cases[leader, model, batch_size])
        standings_ = standings(comparison, indifference)
        found.append(
            Verdict(
                model=model,
                batch_size=batch_size,
                league=name,
                device=device,
                leader=leader,
                standings=standings_,
                sentence=sentence([_share(standing, pace) for standing in standings_]),
            )
        )
    return found


def comparisons(
    trials: Iterable[Trial], *, league: Callable[[Case], str] = precision, critical: Critical = sequential
) -> dict[tuple[str, int, str, str], Comparison]:
    """Every pair of each table that has a measured trial, by its model, batch size, league and device, in the order in
    which tables first appear; `trials` and `league` are as for `verdicts`.
    """
    tables: dict[tuple[str, int, str, str], list[Trial]] = defaultdict(list)
    tries = last_tries(trials)
    spoilt = disturbed_rounds(tries)
    for trial in tries:
        case = trial.case
        tables[case.model, case.batch_size, league(case), case.contender.device].append(trial)
    measured = measured_tables(tables, spoilt)
    return {
        key: compare(table, critical, spoilt_here, noise, other_batch_sizes(measured, key))
        for key, (table, spoilt_here, noise) in measured.items()
        if table
    }


def judge(run: RunRecord, rows: Iterable[Summary], trials: Iterable[Trial], indifference: float) -> list[Verdict]:
    """The verdicts of a run: of its rows that are ok, within their leagues, with what deciding the rest would take."""
    leagues = {row.case: row.league for row in rows if row.status is Status.OK}
    measured = [trial for trial in trials if trial.case in leagues]
    pace = seconds_per_round(run, measured)
    return verdicts(
        measured,
        league=lambda case: leagues[case],
        seconds_per_round=lambda _: pace,
        indifference=indifference,
    )


def seconds_per_round(run: RunRecord, trials: Iterable[Trial]) -> float | None:
    """How long a round of the whole race took; None before the first."""
    rounds = max((trial.round for trial in trials), default=0)
    return run.elapsed_s / rounds if rounds else None


def zone(asked: float | None, *plans: Plan) -> float:
    """The indifference at which what these plans raced is judged: `asked`, or the widest of theirs.

    Raises `UsageError` where a race was sized for a wider one: whom it dropped as decided, and where it stopped, came
    of that, and tells nothing of a narrower one.
    """
    widest = max(plan.indifference for plan in plans)
    if asked is None:
        return widest
    if not 0 < asked < 1:
        raise UsageError(f"indifference: {asked!r} is no share above 0 and below 1: 0.02 is 2%")
    if asked < widest:
        raise UsageError(
            f"this was raced for an indifference of {widest * 100:g}%, and stopped where that was decided: at "
            f"{asked * 100:g}% it cannot be judged",
            f"Race anew with --indifference {asked * 100:g}%; a wider one can always be asked for.",
        )
    return asked


def log_throughputs(trials: Iterable[Trial]) -> dict[str, dict[int, float]]:
    """Engine -> round -> log(images/s), from one table's trials; the last trial of a case in a round counts.

    Left out are trials without a measurement, round 0 (it tells who was not ready), profile trials, and engines with
    a wrong answer.
    """
    wrong: set[str] = set()
    table: dict[str, dict[int, float]] = defaultdict(dict)
    for trial in trials:
        if trial.status is Status.WRONG:
            wrong.add(trial.case.contender.name)
        raced = trial.round and not trial.profile
        measured = trial.measurement
        if raced and trial.status is Status.OK and measured and any(map(any, measured.latencies)):
            table[trial.case.contender.name][trial.round] = math.log(throughput(trial.case.batch_size, measured))
    return {engine: rounds for engine, rounds in table.items() if engine not in wrong}


Measured = tuple[Table, Spoilt, Noise]


def measured_tables(
    tables: Mapping[Key, Collection[Trial]], spoilt: Mapping[Case, Collection[int]]
) -> dict[Key, Measured]:
    """Of each table, by a key that starts with the model: log throughputs, and of its engines the rounds in which
    others disturbed them and the variance to expect.
    """
    of_model: dict[Any, list[Trial]] = defaultdict(list)
    for key, trials in tables.items():
        of_model[key[0]] += [trial for trial in trials if trial.measurement and not trial.profile]
    noise = {case: found for trials in of_model.values() for case, found in expected_variance(trials).items()}

    def by_name(found: Mapping[Case, T], trials: Collection[Trial]) -> dict[str, T]:
        return {case.contender.name: found[case] for case in {trial.case for trial in trials} if case in found}

    return {
        key: (log_throughputs(trials), by_name(spoilt, trials), by_name(noise, trials))
        for key, trials in tables.items()
    }


def other_batch_sizes(tables: Mapping[Key, Measured], key: Key) -> list[Measured]:
    """Of `tables`, by model, batch size and the rest: those that differ from `key` in the batch size alone."""
    return [table for other, table in tables.items() if other != key and (other[0], *other[2:]) == (key[0], *key[2:])]


def standings(comparison: Comparison, indifference: float = INDIFFERENCE) -> tuple[Standing, ...]:
    """Everybody's outcome: the leader first, then by distance from it, then those that cannot be compared."""
    leader, field = comparison.leader, comparison.field
    ranked = sorted((i for i in field if i != leader), key=lambda i: float(comparison.mean[leader, i]))
    outside = [
        Standing(
            contender=comparison.contenders[i],
            outcome=Outcome.UNDECIDED,
            ratio=None,
            interval=None,
            rounds=int(comparison.rounds[leader, i]),
        )
        for i in range(len(comparison.contenders))
        if i not in field
    ]
    return (_leading(comparison), *(_standing(comparison, i, math.log1p(indifference)) for i in ranked), *outside)


def _leading(comparison: Comparison) -> Standing:
    leader = comparison.leader
    others = [i for i in comparison.field if i != leader]
    return Standing(
        contender=comparison.contenders[leader],
        outcome=Outcome.LEADER,
        ratio=max((math.exp(comparison.mean[i, leader]) for i in others), default=None),
        interval=_bounds(*comparison.behind(leader)) if others else None,
        rounds=int(comparison.rounds[leader, leader]),
    )


def _standing(comparison: Comparison, engine: int, effect: float) -> Standing:
    low, high = comparison.behind(engine)
    more_rounds = None
    if low > effect:
        outcome = Outcome.SLOWER
    elif -effect <= low and high <= effect:
        outcome = Outcome.EQUIVALENT
    else:
        outcome = Outcome.UNDECIDED
        more_rounds = comparison.rounds_to_decide(engine, effect)
    return Standing(
        contender=comparison.contenders[engine],
        outcome=outcome,
        ratio=math.exp(comparison.mean[comparison.leader, engine]),
        interval=_bounds(low, high),
        rounds=int(comparison.rounds[comparison.leader, engine]),
        more_rounds=more_rounds,
    )


def _bounds(low: float, high: float) -> tuple[float, float] | None:
    """As ratios; two rounds can be so wide that floats cannot hold it, which is as good as unbounded."""
    try:
        bounds = math.exp(low), math.exp(high)
    except OverflowError:
        return None
    return bounds if math.isfinite(bounds[1]) else None


def _share(standing: Standing, seconds_per_round: float | None) -> Share:
    """What the sentence says of one engine."""
    return Share(
        contender=standing.contender,
        outcome=standing.outcome,
        ratio=standing.ratio,
        interval=standing.interval,
        wait=_wait(standing, seconds_per_round),
    )


def _wait(standing: Standing, seconds_per_round: float | None) -> str:
    if standing.outcome is not Outcome.UNDECIDED:
        return ""
    if standing.rounds < FEWEST_ROUNDS:
        return TOO_FEW
    if standing.more_rounds is None:
        return "more rounds than worth waiting for"
    if seconds_per_round is None:
        return f"about {standing.more_rounds} more rounds"
    return f"about {duration(standing.more_rounds * seconds_per_round)}"


def duration(seconds: float) -> str:
    """In the unit people would use: "40 more seconds", "9 more minutes", "3 more hours", "2 more days"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size:
            count = round(seconds / size)
            return f"{count} more {unit}s"
    count = max(1, round(seconds))
    return f"{count} more second{'s' * (count != 1)}"
