"""The time line of a race: what the machine did in each heat, by the canary and the CPU time of others."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from statistics import geometric_mean, median

from bakeoff.judge.case.disturbance import counted, disturbed
from bakeoff.judge.figures.canary import figures
from bakeoff.records import CANARY, Case, Heat, RunRecord, Trial

MOST = 400
"""heats that are listed one by one: in a longer race, each model's heats of a round become one"""


def timeline(run: RunRecord, trials: Iterable[Trial]) -> list[Heat]:
    """Every heat of the race in the order of time, those raced again because of a disturbance by themselves."""
    raced = [trial for trial in trials if trial.round and not trial.profile and trial.measurement]
    counts = {_key(trial) for trial in counted(raced) if trial.case.contender.name == CANARY}
    heats = _grouped(raced, by_batch=True)
    if len(heats) > MOST:
        heats = _grouped(raced, by_batch=False)
    speeds = [_canary(heat) for heat in heats]
    known = [speed for speed in speeds if speed is not None]
    usual = median(known) if known else 1.0
    listed = [_heat(run, heat, speed and speed / usual, counts) for heat, speed in zip(heats, speeds, strict=True)]
    return sorted(listed, key=lambda heat: heat.minute)


def _grouped(trials: Iterable[Trial], *, by_batch: bool) -> list[list[Trial]]:
    groups: dict[tuple[int, str, int, bool], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.round, trial.case.model, by_batch * trial.case.batch_size, by_batch and trial.repeat].append(trial)
    return [*groups.values()]


def _canary(heat: Sequence[Trial]) -> float | None:
    """Its calls per second; a heat that memory split has several."""
    speeds = [figure.calls_per_s for figure in figures(heat)]
    return geometric_mean(speeds) if speeds else None


def _key(trial: Trial) -> tuple[Case, int, bool]:
    return trial.case, trial.round, trial.repeat


def _heat(
    run: RunRecord, heat: Sequence[Trial], canary: float | None, counts: Collection[tuple[Case, int, bool]]
) -> Heat:
    first = min(heat, key=lambda trial: trial.started_at)
    taken = [trial.disturbance.share for trial in heat if trial.disturbance]
    return Heat(
        minute=max(0.0, first.started_at - run.started_at) / 60,
        round=first.round,
        model=first.case.model,
        batch_size=first.case.batch_size,
        canary=canary,
        taken=max(taken) if taken else None,
        disturbed=any(map(disturbed, heat)),
        counts=any(_key(trial) in counts for trial in heat),
    )
