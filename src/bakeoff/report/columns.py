"""Every column of the exported tables: its name, its type, its unit, what it says, and what it is read from.

CSV, JSON, Parquet, data frames, results.json and the reference page all follow from these lists.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import fmean, median
from typing import Any, Generic, NamedTuple, TypeVar

from bakeoff.judge.case.summary import throughput
from bakeoff.records import Load, Measurement, RunRecord, Standing, Status, Summary, Trial


class OfCase(NamedTuple):
    """What a case's row is read from."""

    run: RunRecord
    found: Summary
    release: str
    standing: Standing | None
    """in its verdict; None without a speed"""


class OfTrial(NamedTuple):
    """What a trial's row is read from."""

    run: RunRecord
    found: Trial
    counts: bool
    """whether its round is one of those that the summary's figures rest on"""


class OfCall(NamedTuple):
    """What a call's own columns are read from."""

    burst: int
    call: int
    seconds: float


OfEither = OfCase | OfTrial


Source_contra = TypeVar("Source_contra", contravariant=True)


@dataclass(frozen=True)
class Column(Generic[Source_contra]):
    """One column. A field without a value (a figure that the measurements do not support) is null."""

    name: str
    type: str
    """"text", "integer", "number" or "boolean" """
    unit: str
    """empty where there is none"""
    meaning: str
    read: Callable[[Source_contra], Any]
    path: str | None = None
    """where results.json has it within a case, with dots between keys; None: under its name; empty: in another form"""


RUN: Column[OfEither] = Column("run", "text", "", "the run's name in its store", lambda of: of.run.name, "")

CASE: tuple[Column[OfEither], ...] = (
    Column(
        "contender",
        "text",
        "",
        "the contender's name: its engine, and how that ran where contenders differ",
        lambda of: of.found.case.contender.name,
        "",
    ),
    Column(
        "engine", "text", "", "the engine's name in `bakeoff engines list`", lambda of: of.found.case.contender.engine
    ),
    Column("model", "text", "", "the network's name within the run", lambda of: of.found.case.model),
    Column("batch_size", "integer", "samples", "samples in one call", lambda of: of.found.case.batch_size),
    Column("threads", "integer", "threads", "intra-op threads asked for", lambda of: of.found.case.contender.threads),
    Column("precision", "text", "", "the floating-point type asked for", lambda of: of.found.case.contender.precision),
    Column("device", "text", "", "what it ran on", lambda of: of.found.case.contender.device),
)

STATUS: tuple[Column[OfEither], ...] = (
    Column(
        "status",
        "text",
        "",
        "ok, wrong, unsupported, unavailable, failed, timed_out or not_run",
        lambda of: of.found.status.value,
    ),
    Column("reason", "text", "", "why the status is not ok; empty where it is", lambda of: of.found.reason),
)

PARITY: tuple[Column[OfEither], ...] = (
    Column(
        "max_rel_error",
        "number",
        "",
        "the largest max|y - y64| / max|y64| over all outputs, y64 in float64",
        lambda of: of.found.parity and of.found.parity.max_rel_error,
        "parity.max_rel_error",
    ),
    Column(
        "top1_agreement",
        "number",
        "share",
        "samples whose largest class is the reference's",
        lambda of: of.found.parity and of.found.parity.top1_agreement,
        "parity.top1_agreement",
    ),
)


def accuracy(when: str) -> Column[OfEither]:
    """The column; `when` tells which rows have it."""
    meaning = f"labelled pictures whose class scores highest; {when}"
    return Column("accuracy", "number", "share", meaning, lambda of: of.found.accuracy and of.found.accuracy.share, "")


LOAD: tuple[Column[OfEither], ...] = (
    Column(
        "scenario",
        "text",
        "",
        "how queries come: latency; offline, fps in samples/s; or server, fps in queries/s",
        lambda of: of.run.plan.scenario.value,
        "load.scenario",
    ),
    Column(
        "instances",
        "integer",
        "processes",
        "offline and server: of the engine, that answered at the same time",
        lambda of: (load := load_of(of)) and load.instances,
        "load.instances",
    ),
    Column(
        "threads_each",
        "integer",
        "threads",
        "of each instance",
        lambda of: (load := load_of(of)) and load.threads,
        "load.threads_each",
    ),
    Column(
        "queries",
        "integer",
        "queries",
        "offline and server: that the figure rests on; of a case, in its last trial",
        lambda of: (load := load_of(of)) and load.queries,
        "load.queries",
    ),
    Column(
        "bound_ms",
        "number",
        "ms",
        "server: what 99% of the latencies from arrival to answer stay within",
        lambda of: (load := load_of(of)) and _ms(load.bound_s),
        "load.bound_ms",
    ),
    Column(
        "p99_ms",
        "number",
        "ms",
        "server: their 99th percentile; of a case, in its last trial",
        lambda of: (load := load_of(of)) and _ms(load.p99_s),
        "load.p99_ms",
    ),
)


def load_of(of: OfEither) -> Load | None:
    """What LoadGen found; None in the scenario latency."""
    if isinstance(of, OfCase):
        return of.found.load
    return of.found.measurement.load if of.found.measurement else None


def calls_of(of: OfTrial) -> list[float]:
    """Seconds of every timed call."""
    return list(chain.from_iterable(of.found.measurement.latencies)) if of.found.measurement else []


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def latency(name: str, meaning: str) -> Column[OfCase]:
    """The column of one figure of a row's latencies."""
    return Column(
        f"latency_{name}_ms", "number", "ms", meaning, lambda of: of.found.latency_ms.get(name), f"latency_ms.{name}"
    )


SUMMARY: tuple[Column[OfCase], ...] = (
    RUN,
    *CASE,
    *STATUS,
    Column(
        "framework_version", "text", "", "of the framework, as it tells itself", lambda of: of.found.framework_version
    ),
    Column("release", "text", "", "today, or 2019: the study's own versions", lambda of: of.release),
    Column(
        "league",
        "text",
        "",
        "the precision class in which the case is ranked: what its error is the size of",
        lambda of: of.found.league,
    ),
    Column(
        "fps",
        "number",
        "images/s",
        "geometric mean over trials of images per second of timed calls; see `scenario`",
        lambda of: of.found.fps,
    ),
    Column(
        "fps_ci95_low",
        "number",
        "images/s",
        "lower end of its 95% confidence interval",
        lambda of: of.found.fps_ci95 and of.found.fps_ci95[0],
        "",
    ),
    Column(
        "fps_ci95_high",
        "number",
        "images/s",
        "upper end of its 95% confidence interval",
        lambda of: of.found.fps_ci95 and of.found.fps_ci95[1],
        "",
    ),
    Column(
        "outcome",
        "text",
        "",
        "in its table (model, batch size, league): leader, slower, equivalent or undecided; null without a speed",
        lambda of: of.standing and of.standing.outcome.value,
        "",
    ),
    Column(
        "ratio",
        "number",
        "times",
        "how many times the throughput of the fastest other in its table is this one's",
        lambda of: of.standing and of.standing.ratio,
        "",
    ),
    Column(
        "ratio_low",
        "number",
        "times",
        "lower end of its interval; all intervals of a table hold at once, with 95% confidence",
        lambda of: of.standing and of.standing.interval and of.standing.interval[0],
        "",
    ),
    Column(
        "ratio_high",
        "number",
        "times",
        "upper end of its interval",
        lambda of: of.standing and of.standing.interval and of.standing.interval[1],
        "",
    ),
    latency("mean", "of one call, over all trials"),
    latency("p50", "median of the profile trial"),
    latency("p90", "90th percentile of the profile trial"),
    latency("p95", "95th percentile of the profile trial"),
    latency("p99", "99th percentile of the profile trial"),
    latency("min", "shortest call of all trials"),
    Column("load_s", "number", "s", "median time to load the network in a fresh process", lambda of: of.found.load_s),
    Column(
        "first_inference_s",
        "number",
        "s",
        "median time of the first call in a fresh process",
        lambda of: of.found.first_inference_s,
    ),
    Column(
        "peak_rss_mb",
        "number",
        "MB",
        "median peak of physical memory of a fresh process",
        lambda of: of.found.peak_rss_mb,
    ),
    Column(
        "cores_used", "number", "cores", "CPU time over wall time while it was timed", lambda of: of.found.cores_used
    ),
    *PARITY,
    accuracy("at the smallest batch size"),
    Column("trials", "integer", "trials", "trials that count in the figures", lambda of: of.found.trials),
    Column(
        "cautions", "text", "", "what to distrust, with semicolons between", lambda of: "; ".join(of.found.cautions), ""
    ),
    *LOAD,
)
"""one row per case; results.csv has all but the run"""

OF_TRIAL: tuple[Column[OfTrial], ...] = (
    Column(
        "round",
        "integer",
        "",
        "the round it belongs to, from 1; 0 for a case that could not start",
        lambda of: of.found.round,
    ),
    Column(
        "started_at",
        "number",
        "s",
        "when its worker began with it, in seconds since 1970-01-01 UTC",
        lambda of: of.found.started_at,
    ),
    Column(
        "profile",
        "boolean",
        "",
        "a long trial for percentiles, whose speed counts nowhere",
        lambda of: of.found.profile,
    ),
    Column(
        "repeat",
        "boolean",
        "",
        "raced again in its round since others disturbed it the first time",
        lambda of: of.found.repeat,
    ),
)
WHICH: tuple[Column[OfTrial], ...] = (RUN, *CASE, *OF_TRIAL)
"""what tells a trial from every other"""


def measured(name: str, type_: str, unit: str, meaning: str, read: Callable[[Measurement], Any]) -> Column[OfTrial]:
    """A column that only a trial with a measurement has."""
    return Column(
        name, type_, unit, meaning, lambda of: None if of.found.measurement is None else read(of.found.measurement)
    )


def of_calls(name: str, meaning: str, read: Callable[[list[float]], float]) -> Column[OfTrial]:
    """A column of a figure, in milliseconds, over the latencies of all timed calls."""
    return Column(name, "number", "ms", meaning, lambda of: read(found) * 1e3 if (found := calls_of(of)) else None)


TRIALS: tuple[Column[OfTrial], ...] = (
    *WHICH,
    *STATUS,
    Column(
        "counted",
        "boolean",
        "",
        "whether it is one of the trials in the summary's figures",
        lambda of: of.counts and of.found.status is Status.OK and of.found.measurement is not None,
    ),
    Column(
        "framework_version", "text", "", "of the framework, as it tells itself", lambda of: of.found.framework_version
    ),
    Column(
        "environment_digest", "text", "", "digest of the environment's lock", lambda of: of.found.environment_digest
    ),
    Column(
        "fps",
        "number",
        "images/s",
        "images per second of timed calls; see `scenario`",
        lambda of: (
            throughput(of.found.case.batch_size, of.found.measurement)
            if of.found.measurement and any(calls_of(of))
            else None
        ),
    ),
    measured("calls", "integer", "calls", "timed calls", lambda found: sum(map(len, found.latencies))),
    measured(
        "bursts",
        "integer",
        "bursts",
        "turns in which they were made; offline and server: one of each instance",
        lambda found: len(found.latencies),
    ),
    of_calls("latency_mean_ms", "of one timed call", fmean),
    of_calls("latency_median_ms", "of one timed call", median),
    of_calls("latency_min_ms", "of one timed call", min),
    measured("warm_up_calls", "integer", "calls", "calls before the first burst", lambda found: len(found.warm_up)),
    measured("import_s", "number", "s", "importing the framework", lambda found: found.import_s),
    measured("load_s", "number", "s", "loading the network", lambda found: found.load_s),
    measured("prepare_s", "number", "s", "taking over the inputs", lambda found: found.prepare_s),
    measured("first_inference_s", "number", "s", "the first call", lambda found: found.first_inference_s),
    measured(
        "cold",
        "boolean",
        "",
        "first case of its process: load, first call and peak memory are its own",
        lambda found: found.cold,
    ),
    measured(
        "cpu_s",
        "number",
        "s",
        "CPU time of all its threads during the bursts",
        lambda found: sum(sum(burst.values()) for burst in found.cpu_s),
    ),
    measured("burst_s", "number", "s", "wall time of the bursts", lambda found: sum(found.burst_s)),
    measured("peak_rss_mb", "number", "MB", "peak of physical memory", lambda found: found.peak_rss_mb),
    measured(
        "voluntary_switches",
        "integer",
        "",
        "context switches while it waited",
        lambda found: found.voluntary_switches,
    ),
    measured(
        "involuntary_switches",
        "integer",
        "",
        "context switches that others forced on it",
        lambda found: found.involuntary_switches,
    ),
    Column(
        "others_cpu_share",
        "number",
        "share",
        "of the CPU time there was, what others and the hypervisor took",
        lambda of: of.found.disturbance.share if of.found.disturbance else None,
    ),
    *PARITY,
    accuracy("null where it was not asked"),
    *LOAD,
    Column(
        "log",
        "text",
        "",
        "where the worker's own output is, relative to where the race was started",
        lambda of: of.found.log,
    ),
)
"""one row per trial, the canary's (engine `canary`, no contender) included"""

OF_CALL: tuple[Column[OfCall], ...] = (
    Column(
        "burst",
        "integer",
        "",
        "from 1; 0 for the calls that warmed up; offline and server: the instance",
        lambda of: of.burst,
    ),
    Column("call", "integer", "", "from 1 within the burst", lambda of: of.call),
    Column("latency_ms", "number", "ms", "of this one call, host memory to host memory", lambda of: of.seconds * 1e3),
)
LATENCIES: tuple[Column[Any], ...] = (*WHICH, *OF_CALL)
"""one row per call: `run`, the case, `round` and `started_at` tell the trial"""


def calls(trial: Trial) -> Iterator[OfCall]:
    """Every call of a trial, those that warmed up first."""
    if trial.measurement:
        for number, burst in enumerate((trial.measurement.warm_up, *trial.measurement.latencies)):
            for call, seconds in enumerate(burst, 1):
                yield OfCall(number, call, seconds)
