"""A stored run as the tables that `bakeoff export` and `bakeoff.load` give."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from statistics import fmean, median
from typing import Any

from bakeoff.judge.case.disturbance import counted
from bakeoff.judge.case.summary import summarise, throughput
from bakeoff.records import Measurement, RunRecord, Status, Trial
from bakeoff.report import columns, export
from bakeoff.report.csv_files import under_load
from bakeoff.report.export import Table
from bakeoff.report.wording import one_line


def summary(run: RunRecord, trials: Sequence[Trial]) -> Table:
    """One row per case."""
    return export.summary(run, summarise(run, trials))


def trials_of(run: RunRecord, trials: Sequence[Trial]) -> Table:
    """One row per trial, in the order in which they were stored."""
    counting = {id(trial) for trial in counted(trials)}
    records = [_trial(run, trial, counts=id(trial) in counting) for trial in trials]
    return Table(columns.TRIALS, [[record.get(column.name) for column in columns.TRIALS] for record in records])


def latencies(run: RunRecord, trials: Sequence[Trial]) -> Table:
    """One row per call, made as they are read: a long race has millions."""
    return Table(columns.LATENCIES, _calls(run, trials))


KINDS: Mapping[str, Callable[[RunRecord, Sequence[Trial]], Table]] = {
    "summary": summary,
    "trials": trials_of,
    "latencies": latencies,
}
"""the tables by name"""


def _trial(run: RunRecord, trial: Trial, *, counts: bool) -> dict[str, Any]:
    parity, measured = trial.parity, trial.measurement
    return {
        **_name(run, trial),
        "status": trial.status.value,
        "reason": one_line(trial.reason),
        "counted": counts and trial.status is Status.OK and measured is not None,
        "framework_version": trial.framework_version,
        "environment_digest": trial.environment_digest,
        **(_measured(trial.case.batch_size, measured) if measured else {}),
        "others_cpu_share": trial.disturbance.share if trial.disturbance else None,
        "max_rel_error": parity.max_rel_error if parity else None,
        "top1_agreement": parity.top1_agreement if parity else None,
        "accuracy": trial.accuracy and trial.accuracy.share,
        **under_load(run, measured.load if measured else None),
        "log": trial.log,
    }


def _measured(batch_size: int, measured: Measurement) -> dict[str, Any]:
    calls = list(chain.from_iterable(measured.latencies))
    return {
        "fps": throughput(batch_size, measured) if sum(calls) > 0 else None,
        "calls": len(calls),
        "bursts": len(measured.latencies),
        "latency_mean_ms": fmean(calls) * 1e3 if calls else None,
        "latency_median_ms": median(calls) * 1e3 if calls else None,
        "latency_min_ms": min(calls) * 1e3 if calls else None,
        "warm_up_calls": len(measured.warm_up),
        "import_s": measured.import_s,
        "load_s": measured.load_s,
        "prepare_s": measured.prepare_s,
        "first_inference_s": measured.first_inference_s,
        "cold": measured.cold,
        "cpu_s": sum(sum(burst.values()) for burst in measured.cpu_s),
        "burst_s": sum(measured.burst_s),
        "peak_rss_mb": measured.peak_rss_mb,
        "voluntary_switches": measured.voluntary_switches,
        "involuntary_switches": measured.involuntary_switches,
    }


def _calls(run: RunRecord, trials: Sequence[Trial]) -> Iterator[tuple[Any, ...]]:
    for trial in trials:
        if trial.measurement:
            name = tuple(_name(run, trial).values())
            for number, burst in enumerate((trial.measurement.warm_up, *trial.measurement.latencies)):
                for call, seconds in enumerate(burst, 1):
                    yield (*name, number, call, seconds * 1e3)


def _name(run: RunRecord, trial: Trial) -> dict[str, Any]:
    contender = trial.case.contender
    return {
        "run": run.name,
        "contender": contender.name,
        "engine": contender.engine,
        "model": trial.case.model,
        "batch_size": trial.case.batch_size,
        "threads": contender.threads,
        "precision": contender.precision,
        "device": contender.device,
        "round": trial.round,
        "started_at": trial.started_at,
        "profile": trial.profile,
        "repeat": trial.repeat,
    }
