"""From a run's trials to what a comparison needs of them."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean, stdev

import msgspec

from bakeoff.judge.case.disturbance import counted, disturbed
from bakeoff.judge.figures.canary import version
from bakeoff.judge.figures.statistics import t_quantile
from bakeoff.judge.table.best import FEWEST_ROUNDS
from bakeoff.judge.table.verdict import log_throughputs
from bakeoff.records import CANARY, Case, RunRecord, Status, Summary, Trial
from bakeoff.scorecards import CanaryRounds, Moments, Score, Scorecard

DIGITS = 6
"""of a stored logarithm: a millionth, where the noise is a hundredth"""


def scorecard(run: RunRecord, rows: Iterable[Summary], trials: Sequence[Trial]) -> Scorecard:
    """The run, reduced: per case its log throughput round by round, or why it has none; and the canary's."""
    by_case: dict[Case, list[Trial]] = defaultdict(list)
    for trial in counted(trials):
        by_case[trial.case].append(trial)
    return Scorecard(
        name=run.name,
        started_at=run.started_at,
        bakeoff_version=run.bakeoff_version,
        machine=run.machine,
        plan=run.plan,
        models=run.models,
        engines=run.engines,
        scores=tuple(_score(row, by_case[row.case]) for row in rows),
        canary=tuple(
            CanaryRounds(
                model=case.model,
                batch_size=case.batch_size,
                threads=case.contender.threads or 0,
                rounds=undisturbed(_rounds(of_case, CANARY), _disturbed(of_case)),
                version=version(case.contender),
            )
            for case, of_case in by_case.items()
            if case.contender.name == CANARY
        ),
        state=run.state,
        elapsed_s=run.elapsed_s,
    )


def _score(row: Summary, trials: Sequence[Trial]) -> Score:
    digests = [trial.environment_digest for trial in trials if trial.environment_digest]
    return Score(
        case=row.case,
        league=row.league,
        status=row.status,
        reason=row.reason,
        framework_version=row.framework_version,
        environment_digest=digests[-1] if digests else "",
        rounds=_rounds(trials, row.case.contender.name) if row.status is Status.OK else {},
        disturbed=_disturbed(trials),
        cautions=row.cautions,
    )


def _rounds(trials: Sequence[Trial], engine: str) -> dict[int, float]:
    return {number: round(value, DIGITS) for number, value in log_throughputs(trials).get(engine, {}).items()}


def _disturbed(trials: Sequence[Trial]) -> tuple[int, ...]:
    return tuple(sorted({trial.round for trial in trials if disturbed(trial)}))


def undisturbed(rounds: Mapping[int, float], spoilt: Collection[int]) -> Mapping[int, float]:
    """Those of `rounds` that others left alone if these are two, the fewest that have an interval; else all."""
    quiet = {number: value for number, value in rounds.items() if number not in spoilt}
    return quiet if len(quiet) >= FEWEST_ROUNDS else rounds


def moments(score: Score) -> Moments | None:
    """Of a case's log throughput, in the rounds that others left alone if these are enough; None without any."""
    if not score.rounds:
        return score.moments
    rounds = undisturbed(score.rounds, score.disturbed)
    found = of_values([*rounds.values()])
    return msgspec.structs.replace(found, disturbed=bool(rounds.keys() & set(score.disturbed)))


def of_values(logs: Sequence[float]) -> Moments:
    """Mean and standard deviation (0 of a single value)."""
    return Moments(mean=fmean(logs), sd=stdev(logs) if len(logs) >= FEWEST_ROUNDS else 0.0, count=len(logs))


def from_interval(fps: float, interval: tuple[float, float] | None, trials: int, df: int | None = None) -> Moments:
    """What `geometric_mean_interval` was made from, found back from its 95% interval and its degrees of freedom."""
    if interval is None or trials < FEWEST_ROUNDS:
        return Moments(mean=math.log(fps), sd=0.0, count=1)
    half_width = math.log(interval[1] / interval[0]) / 2
    sd = half_width * math.sqrt(trials) / t_quantile(0.975, df or trials - 1)
    return Moments(mean=math.log(fps), sd=sd, count=trials)
