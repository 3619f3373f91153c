"""Every column of the exported tables: its name, its type, its unit, what it says, and what it is read from.

CSV, JSON, Parquet, data frames, results.json and the reference page all follow from these lists.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from statistics import fmean, median
from typing import Any, NamedTuple

from bakeoff.judge.case.summary import throughput
from bakeoff.records import Load, RunRecord, Standing, Status, Summary, Trial


class OfCase(NamedTuple):
    """What a case's row is read from."""

    run: RunRecord
    found: Summary
    release: str
    standing: Standing | None
    """in its verdict; None without a speed"""

    @property
    def load(self) -> Load | None:
        """What LoadGen found; None in the scenario latency."""
        return self.found.load


class OfTrial(NamedTuple):
    """What a trial's row is read from."""

    run: RunRecord
    found: Trial
    counts: bool
    """whether its round is one of those that the summary's figures rest on"""

    @property
    def load(self) -> Load | None:
        """What LoadGen found; None in the scenario latency."""
        return self.found.measurement.load if self.found.measurement else None

    @property
    def calls(self) -> list[float]:
        """Seconds of every timed call."""
        return list(chain.from_iterable(self.found.measurement.latencies)) if self.found.measurement else []


class OfCall(NamedTuple):
    """What a call's own columns are read from."""

    burst: int
    call: int
    seconds: float


@dataclass(frozen=True)
class Column:
    """One column. A field without a value (a figure that the measurements do not support) is null."""

    name: str
    type: str
    """"text", "integer", "number" or "boolean" """
    unit: str
    """empty where there is none"""
    meaning: str
    source: Callable[[Any], Any] | str = ""
    """an attribute, by default the one of the column's name, or a function, of what `within` leads to"""
    path: str | None = None
    """where results.json has it within a case, with dots between keys; None: under its name; empty: in another form"""
    within: tuple[str, ...] = ()
    """the attributes that lead there from what the row is read from"""

    def read(self, row: Any) -> Any:
        """The value in the row that is read from `row`; None where an attribute on the way to it is None."""
        for step in (*self.within, self.source or self.name):
            if row is None:
                return None
            row = step(row) if callable(step) else getattr(row, step)
        return row


def of(within: str, *columns: Column) -> tuple[Column, ...]:
    """The columns, read from what these attributes, with dots between them, lead to."""
    return tuple(replace(column, within=tuple(within.split("."))) for column in columns)


RUN = Column("run", "text", "", "the run's name in its store", lambda row: row.run.name, "")
CONTENDER = "the contender's name: its engine, and how that ran where contenders differ"

CASE = (
    *of(
        "found.case.contender",
        Column("contender", "text", "", CONTENDER, "name", ""),
        Column("engine", "text", "", "the engine's name in `bakeoff engines list`"),
    ),
    *of(
        "found.case",
        Column("model", "text", "", "the network's name within the run"),
        Column("batch_size", "integer", "samples", "samples in one call"),
    ),
    *of(
        "found.case.contender",
        Column("threads", "integer", "threads", "intra-op threads asked for"),
        Column("precision", "text", "", "the floating-point type asked for"),
        Column("device", "text", "", "what it ran on"),
    ),
)
STATUS = of(
    "found",
    Column("status", "text", "", "ok, wrong, unsupported, unavailable, failed, timed_out or not_run"),
    Column("reason", "text", "", "why the status is not ok; empty where it is"),
)
VERSION = of("found", Column("framework_version", "text", "", "of the framework, as it says itself"))
ERROR = "the largest max|y - y64| / max|y64| over all outputs, y64 in float64"
AGREEMENT = "samples whose largest class is the reference's"
PARITY = of(
    "found.parity",
    Column("max_rel_error", "number", "", ERROR, path="parity.max_rel_error"),
    Column("top1_agreement", "number", "share", AGREEMENT, path="parity.top1_agreement"),
)


def accuracy(when: str) -> tuple[Column, ...]:
    """The column; `when` says which rows have it."""
    meaning = f"labelled pictures whose class scores highest; {when}"
    return of("found.accuracy", Column("accuracy", "number", "share", meaning, "share", ""))


def under_load(name: str, type_: str, unit: str, meaning: str, source: Callable[[Any], Any] | str = "") -> Column:
    """A column of what LoadGen found."""
    return Column(name, type_, unit, meaning, source, f"load.{name}", ("load",))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


SCENARIO = "how queries come: latency; offline, fps in samples/s; or server, fps in queries/s"
BOUND = "server: what 99% of the latencies from arrival to answer stay within"
LOAD = (
    Column("scenario", "text", "", SCENARIO, lambda row: row.run.plan.scenario, "load.scenario"),
    under_load(
        "instances", "integer", "processes", "offline and server: of the engine, that answered at the same time"
    ),
    under_load("threads_each", "integer", "threads", "of each instance", "threads"),
    under_load(
        "queries", "integer", "queries", "offline and server: that the figure rests on; of a case, in its last trial"
    ),
    under_load("bound_ms", "number", "ms", BOUND, lambda load: _ms(load.bound_s)),
    under_load(
        "p99_ms",
        "number",
        "ms",
        "server: their 99th percentile; of a case, in its last trial",
        lambda load: _ms(load.p99_s),
    ),
)


def latency(name: str, meaning: str) -> Column:
    """The column of one figure of a row's latencies."""
    path = f"latency_ms.{name}"
    return Column(f"latency_{name}_ms", "number", "ms", meaning, lambda row: row.found.latency_ms.get(name), path)


LEAGUE = "the precision class in which the case is ranked: what its error is the size of"
FPS = "geometric mean over trials of images per second of timed calls; see `scenario`"
OUTCOME = "in its table (model, batch size, league): leader, slower, equivalent or undecided; null without a speed"
RATIO = "how many times the throughput of the fastest other in its table is this one's"
RATIO_LOW = "lower end of its interval; all intervals of a table hold at once, with 95% confidence"

SUMMARY = (
    RUN,
    *CASE,
    *STATUS,
    *VERSION,
    Column("release", "text", "", "today, or 2019: the study's own versions"),
    *of("found", Column("league", "text", "", LEAGUE), Column("fps", "number", "images/s", FPS)),
    *of(
        "found.fps_ci95",
        Column("fps_ci95_low", "number", "images/s", "lower end of its 95% confidence interval", itemgetter(0), ""),
        Column("fps_ci95_high", "number", "images/s", "upper end of its 95% confidence interval", itemgetter(1), ""),
    ),
    *of(
        "standing",
        Column("outcome", "text", "", OUTCOME, path=""),
        Column("ratio", "number", "times", RATIO, path=""),
    ),
    *of(
        "standing.interval",
        Column("ratio_low", "number", "times", RATIO_LOW, itemgetter(0), ""),
        Column("ratio_high", "number", "times", "upper end of its interval", itemgetter(1), ""),
    ),
    latency("mean", "of one call, over all trials"),
    latency("p50", "median of the profile trial"),
    latency("p90", "90th percentile of the profile trial"),
    latency("p95", "95th percentile of the profile trial"),
    latency("p99", "99th percentile of the profile trial"),
    latency("min", "shortest call of all trials"),
    *of(
        "found",
        Column("load_s", "number", "s", "median time to load the network in a fresh process"),
        Column("first_inference_s", "number", "s", "median time of the first call in a fresh process"),
        Column("peak_rss_mb", "number", "MB", "median peak of physical memory of a fresh process"),
        Column("cores_used", "number", "cores", "CPU time over wall time while it was timed"),
    ),
    *PARITY,
    *accuracy("at the smallest batch size"),
    *of(
        "found",
        Column("trials", "integer", "trials", "trials that count in the figures"),
        Column(
            "cautions", "text", "", "what to distrust, with semicolons between", lambda row: "; ".join(row.cautions), ""
        ),
    ),
    *LOAD,
)
"""one row per case; results.csv has all but the run"""

WHICH = (
    RUN,
    *CASE,
    *of(
        "found",
        Column("round", "integer", "", "the round it belongs to, from 1; 0 for a case that could not start"),
        Column("started_at", "number", "s", "when its worker began with it, in seconds since 1970-01-01 UTC"),
        Column("profile", "boolean", "", "a long trial for percentiles, whose speed counts nowhere"),
        Column("repeat", "boolean", "", "raced again in its round since others disturbed it the first time"),
    ),
)
"""what identifies a trial"""


def over_calls(figure: Callable[[Sequence[float]], float]) -> Callable[[OfTrial], float | None]:
    """The figure in milliseconds over the latencies of all timed calls of a trial; None without any."""
    return lambda row: figure(seconds) * 1e3 if (seconds := row.calls) else None


def _speed(row: OfTrial) -> float | None:
    measured = row.found.measurement if any(row.calls) else None
    return None if measured is None else throughput(row.found.case.batch_size, measured)


BURSTS = "turns in which they were made; offline and server: one of each instance"
COLD = "first case of its process: load, first call and peak memory are its own"
SHARE = "of the CPU time there was, what others and the hypervisor took"

TRIALS = (
    *WHICH,
    *STATUS,
    Column(
        "counted",
        "boolean",
        "",
        "whether it is one of the trials in the summary's figures",
        lambda row: row.counts and row.found.status is Status.OK and row.found.measurement is not None,
    ),
    *VERSION,
    *of("found", Column("environment_digest", "text", "", "digest of the environment's lock")),
    Column("fps", "number", "images/s", "images per second of timed calls; see `scenario`", _speed),
    *of(
        "found.measurement",
        Column("calls", "integer", "calls", "timed calls", lambda found: sum(map(len, found.latencies))),
        Column("bursts", "integer", "bursts", BURSTS, lambda found: len(found.latencies)),
    ),
    Column("latency_mean_ms", "number", "ms", "of one timed call", over_calls(fmean)),
    Column("latency_median_ms", "number", "ms", "of one timed call", over_calls(median)),
    Column("latency_min_ms", "number", "ms", "of one timed call", over_calls(min)),
    *of(
        "found.measurement",
        Column("warm_up_calls", "integer", "calls", "calls before the first burst", lambda found: len(found.warm_up)),
        Column("import_s", "number", "s", "importing the framework"),
        Column("load_s", "number", "s", "loading the network"),
        Column("prepare_s", "number", "s", "taking over the inputs"),
        Column("first_inference_s", "number", "s", "the first call"),
        Column("cold", "boolean", "", COLD),
        Column(
            "cpu_s",
            "number",
            "s",
            "CPU time of all its threads during the bursts",
            lambda found: sum(sum(burst.values()) for burst in found.cpu_s),
        ),
        Column("burst_s", "number", "s", "wall time of the bursts", lambda found: sum(found.burst_s)),
        Column("peak_rss_mb", "number", "MB", "peak of physical memory"),
        Column("voluntary_switches", "integer", "", "context switches while it waited"),
        Column("involuntary_switches", "integer", "", "context switches that others forced on it"),
    ),
    *of("found.disturbance", Column("others_cpu_share", "number", "share", SHARE, "share")),
    *PARITY,
    *accuracy("null where it was not asked"),
    *LOAD,
    *of("found", Column("log", "text", "", "where the worker's own output is, relative to where the race was started")),
)
"""one row per trial, the canary's (engine `canary`, no contender) included"""

OF_CALL = (
    Column("burst", "integer", "", "from 1; 0 for the calls that warmed up; offline and server: the instance"),
    Column("call", "integer", "", "from 1 within the burst"),
    Column("latency_ms", "number", "ms", "of this one call, host memory to host memory", lambda of: of.seconds * 1e3),
)
LATENCIES = (*WHICH, *OF_CALL)
"""one row per call: `run`, the case, `round` and `started_at` identify the trial"""


def calls(trial: Trial) -> Iterator[OfCall]:
    """Every call of a trial, those that warmed up first."""
    if trial.measurement:
        for number, burst in enumerate((trial.measurement.warm_up, *trial.measurement.latencies)):
            for call, seconds in enumerate(burst, 1):
                yield OfCall(number, call, seconds)
