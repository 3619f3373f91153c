"""From trials to one row per case."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import msgspec

from bakeoff.judge.case.cautions import cautions
from bakeoff.judge.case.disturbance import counted
from bakeoff.judge.case.leagues import leagues
from bakeoff.judge.case.parity import worst
from bakeoff.judge.case.profile import profile_cautions
from bakeoff.judge.case.settings_check import cores_used
from bakeoff.judge.figures.statistics import degrees_of_freedom, geometric_mean_interval, percentile
from bakeoff.records import Case, Contender, Measurement, RunRecord, Status, Summary, Trial

PERCENTILES = (50, 90, 95, 99)
LATENCY_KEYS = ("mean", *(f"p{percent}" for percent in PERCENTILES), "min")

_WHY_NOT_RUN = {
    "finished": "budget",
    "interrupted": "interrupted before it",
    "running": "not measured yet",
}

UNJUDGED = "judged by nobody: one engine alone answered, so whether it is right is not known"


def summarise(run: RunRecord, trials: Sequence[Trial]) -> list[Summary]:
    """A row for every case of the run's plan, in the plan's order, whether it has trials or not."""
    by_case: dict[Case, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_case[trial.case].append(trial)
    league = leagues(run, trials)
    good: dict[Case, list[Trial]] = defaultdict(list)
    for trial in counted(trials):
        if trial.status is Status.OK and _is_measured(trial):
            good[trial.case].append(trial)
    speeds: dict[tuple[Contender, str], dict[Case, list[float]]] = defaultdict(dict)
    for case, its in good.items():
        found = [throughput(case.batch_size, trial.measurement) for trial in its if trial.measurement]
        speeds[case.contender, case.model][case] = found
    return [
        _summary(run, case, by_case, good[case], league[case], speeds[case.contender, case.model])
        for case in run.plan.cases()
    ]


def _summary(
    run: RunRecord,
    case: Case,
    by_case: Mapping[Case, Sequence[Trial]],
    good: Sequence[Trial],
    league: str,
    speeds: Mapping[Case, Sequence[float]],
) -> Summary:
    trials = by_case.get(case, ())
    status, reason = _outcome(trials) if trials else _why_no_trial(run, case, by_case)
    if status is Status.OK and not good:
        status, reason = Status.FAILED, "its trials hold no measurement"
    described = _describing_trial(trials, status)
    unjudged = case.model in {model.name for model in run.models if model.unjudged}
    parity = worst(() if unjudged and status is Status.OK else (trial.parity for trial in trials))
    row = Summary(
        case=case,
        status=status,
        reason=reason,
        framework_version=described.framework_version if described else "",
        requested=described.requested if described else {},
        effective=described.effective if described else {},
        fps=None,
        fps_ci95=None,
        latency_ms=dict.fromkeys(LATENCY_KEYS),
        load_s=None,
        first_inference_s=None,
        peak_rss_mb=None,
        cores_used=None,
        parity=parity,
        trials=0,
        log=described.log if described else "",
        league=league,
        accuracy=next((trial.accuracy for trial in reversed(trials) if trial.accuracy), None),
    )
    # No speed is published of a case that is wrong, or that fails as often as not.
    if status is not Status.OK:
        return row
    denormals = next((model.denormals for model in run.models if model.name == case.model), None)
    row = _with_speed(row, trials, good, speeds, denormals or {})
    return msgspec.structs.replace(row, cautions=(UNJUDGED, *row.cautions)) if unjudged else row


def _outcome(trials: Sequence[Trial]) -> tuple[Status, str]:
    """What became of a case with trials.

    One wrong answer is enough to be wrong: an engine that is right now and then cannot be trusted. For the
    rest, each round counts once, by its last trial, so that a case retried alone after it died beside others
    gets the benefit. A failure in fewer than half of the rounds leaves a fair measurement, and a caution that
    says so; an engine that fails in half of them or more is one that its user could not run.
    """
    wrong = [trial for trial in trials if trial.status is Status.WRONG]
    if wrong:
        return Status.WRONG, wrong[-1].reason
    # Round 0 tells who was not ready to race, a profile trial how it went on afterwards.
    raced = [trial for trial in trials if trial.round and not trial.profile] or trials
    last_of_round = {trial.round: trial for trial in raced if trial.status is not Status.NOT_RUN}
    if not last_of_round:
        return Status.NOT_RUN, raced[-1].reason
    bad = [trial for trial in last_of_round.values() if trial.status is not Status.OK]
    if 2 * len(bad) < len(last_of_round):
        return Status.OK, ""
    return bad[-1].status, bad[-1].reason


def _why_no_trial(run: RunRecord, case: Case, by_case: Mapping[Case, Sequence[Trial]]) -> tuple[Status, str]:
    """A case without trials: its environment's absence, its worker's failure before its turn, or the budget."""
    same_engine = [t for other, trials in by_case.items() if other.contender == case.contender for t in trials]
    if same_engine and all(trial.status is Status.UNAVAILABLE for trial in same_engine):
        return Status.UNAVAILABLE, same_engine[-1].reason
    same_worker = [trial for trial in same_engine if trial.case.model == case.model]
    if same_worker and all(trial.status in (Status.FAILED, Status.TIMED_OUT) for trial in same_worker):
        last = same_worker[-1]
        return Status.NOT_RUN, f"its worker {last.status.replace('_', ' ')} before it: {last.reason}"
    return Status.NOT_RUN, _WHY_NOT_RUN.get(run.state, run.state)


def _describing_trial(trials: Sequence[Trial], status: Status) -> Trial | None:
    """The latest trial of the case's own status, whose versions and settings the row shows."""
    same = [trial for trial in trials if trial.status is status]
    return same[-1] if same else (trials[-1] if trials else None)


def _with_speed(
    row: Summary,
    trials: Sequence[Trial],
    good: Sequence[Trial],
    speeds: Mapping[Case, Sequence[float]],
    denormals: Mapping[str, int],
) -> Summary:
    """`row` with what `good` of its `trials` tell.

    `speeds` are images/s by trial, at the engine's other batch sizes too; `denormals` are those of the model.
    """
    measured = [trial.measurement for trial in good if trial.measurement]
    # What a fresh process shows comes before the bursts: no matter whether others disturbed these.
    cold = [t.measurement for t in trials if t.status is Status.OK and t.measurement and t.measurement.cold]
    profile = next((trial for trial in reversed(trials) if trial.profile), None)
    own, beside = speeds[row.case], [each for case, each in speeds.items() if case != row.case]
    fps, interval = geometric_mean_interval(own, beside=beside)
    peaks = [m.peak_rss_mb for m in cold if m.peak_rss_mb is not None]
    used = [cores for m in measured if (cores := cores_used(m)) is not None]
    changes: dict[str, Any] = {
        "fps": fps,
        "fps_ci95": interval,
        "fps_df": degrees_of_freedom(own, beside) if interval else None,
        "latency_ms": _latency_ms(_latencies(*measured), profile),
        "load_s": median(m.load_s for m in cold) if cold else None,
        "first_inference_s": median(m.first_inference_s for m in cold) if cold else None,
        "peak_rss_mb": median(peaks) if peaks else None,
        "cores_used": median(used) if used else None,
        "trials": len(measured),
        "load": measured[-1].load and msgspec.structs.replace(measured[-1].load, probes=()),
    }
    row = msgspec.structs.replace(row, **changes)
    raced = [trial for trial in trials if not trial.profile]
    found = (*cautions(row, raced, good, denormals), *profile_cautions(profile))
    return msgspec.structs.replace(row, cautions=found)


def _is_measured(trial: Trial) -> bool:
    return trial.measurement is not None and sum(map(sum, trial.measurement.latencies)) > 0


def throughput(batch_size: int, measurement: Measurement) -> float:
    """Images per second of one trial: images over total measured time; under load, what LoadGen found."""
    if measurement.load:
        return batch_size * measurement.load.rate
    latencies = _latencies(measurement)
    return batch_size * len(latencies) / sum(latencies)


def _latencies(*measured: Measurement) -> list[float]:
    return [latency for measurement in measured for burst in measurement.latencies for latency in burst]


def _latency_ms(latencies: Sequence[float], profile: Trial | None) -> dict[str, float | None]:
    """Mean and least of the race's latencies; of the profile trial's those percentiles that so many support.

    The few latencies of a race's trials come in short bursts right after a rest; a percentile is for who runs on.
    """
    long = _latencies(profile.measurement) if profile and profile.measurement else []
    percentiles = {f"p{percent}": percentile(long, percent) for percent in PERCENTILES}
    seconds = {"mean": fmean(latencies), **percentiles, "min": min(latencies)}
    return {name: None if value is None else value * 1e3 for name, value in seconds.items()}
