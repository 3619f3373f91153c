"""Every column of the exported tables: its name, its type, its unit and what it says."""

from typing import NamedTuple


class Column(NamedTuple):
    """One column. A field without a value (a figure that the measurements do not support) is null."""

    name: str
    type: str
    """"text", "integer", "number" or "boolean" """
    unit: str
    """empty where there is none"""
    meaning: str


RUN = Column("run", "text", "", "the run's name in its store")

CASE = (
    Column("contender", "text", "", "the contender's name: its engine, and how that ran where contenders differ"),
    Column("engine", "text", "", "the engine's name in `bakeoff engines list`"),
    Column("model", "text", "", "the network's name within the run"),
    Column("batch_size", "integer", "samples", "samples in one call"),
    Column("threads", "integer", "threads", "intra-op threads asked for"),
    Column("precision", "text", "", "the floating-point type asked for"),
    Column("device", "text", "", "what it ran on"),
)

STATUS = (
    Column("status", "text", "", "ok, wrong, unsupported, unavailable, failed, timed_out or not_run"),
    Column("reason", "text", "", "why the status is not ok; empty where it is"),
)

PARITY = (
    Column("max_rel_error", "number", "", "the largest max|y - y64| / max|y64| over all outputs, y64 in float64"),
    Column("top1_agreement", "number", "share", "samples whose largest class is the reference's"),
)

LOAD = (
    Column("scenario", "text", "", "how queries come: latency; offline, fps in samples/s; or server, fps in queries/s"),
    Column("instances", "integer", "processes", "offline and server: of the engine, that answered at the same time"),
    Column("threads_each", "integer", "threads", "of each instance"),
    Column("bound_ms", "number", "ms", "server: what 99% of the latencies from arrival to answer stay within"),
    Column("p99_ms", "number", "ms", "server: their 99th percentile; of a case, in its last trial"),
)

SUMMARY = (
    RUN,
    *CASE,
    *STATUS,
    Column("framework_version", "text", "", "of the framework, as it tells itself"),
    Column("release", "text", "", "today, or 2019: the study's own versions"),
    Column("league", "text", "", "the precision class in which the case is ranked: what its error is the size of"),
    Column(
        "fps", "number", "images/s", "geometric mean over trials of images per second of timed calls; see `scenario`"
    ),
    Column("fps_ci95_low", "number", "images/s", "lower end of its 95% confidence interval"),
    Column("fps_ci95_high", "number", "images/s", "upper end of its 95% confidence interval"),
    Column("latency_mean_ms", "number", "ms", "of one call, over all trials"),
    Column("latency_p50_ms", "number", "ms", "median of the profile trial"),
    Column("latency_p90_ms", "number", "ms", "90th percentile of the profile trial"),
    Column("latency_p95_ms", "number", "ms", "95th percentile of the profile trial"),
    Column("latency_p99_ms", "number", "ms", "99th percentile of the profile trial"),
    Column("latency_min_ms", "number", "ms", "shortest call of all trials"),
    Column("load_s", "number", "s", "median time to load the network in a fresh process"),
    Column("first_inference_s", "number", "s", "median time of the first call in a fresh process"),
    Column("peak_rss_mb", "number", "MB", "median peak of physical memory of a fresh process"),
    Column("cores_used", "number", "cores", "CPU time over wall time while it was timed"),
    *PARITY,
    Column("accuracy", "number", "share", "labelled pictures whose class scores highest; at the smallest batch size"),
    Column("trials", "integer", "trials", "trials that count in the figures"),
    Column("cautions", "text", "", "what to distrust, with semicolons between"),
    *LOAD,
)
"""one row per case, as results.csv has it"""

OF_TRIAL = (
    Column("round", "integer", "", "the round it belongs to, from 1; 0 for a case that could not start"),
    Column("started_at", "number", "s", "when its worker began with it, in seconds since 1970-01-01 UTC"),
    Column("profile", "boolean", "", "a long trial for percentiles, whose speed counts nowhere"),
    Column("repeat", "boolean", "", "raced again in its round since others disturbed it the first time"),
)

TRIALS = (
    RUN,
    *CASE,
    *OF_TRIAL,
    *STATUS,
    Column("counted", "boolean", "", "whether it is one of the trials in the summary's figures"),
    Column("framework_version", "text", "", "of the framework, as it tells itself"),
    Column("environment_digest", "text", "", "digest of the environment's lock"),
    Column("fps", "number", "images/s", "images per second of timed calls; see `scenario`"),
    Column("calls", "integer", "calls", "timed calls"),
    Column("bursts", "integer", "bursts", "turns in which they were made; offline and server: one of each instance"),
    Column("latency_mean_ms", "number", "ms", "of one timed call"),
    Column("latency_median_ms", "number", "ms", "of one timed call"),
    Column("latency_min_ms", "number", "ms", "of one timed call"),
    Column("warm_up_calls", "integer", "calls", "calls before the first burst"),
    Column("import_s", "number", "s", "importing the framework"),
    Column("load_s", "number", "s", "loading the network"),
    Column("prepare_s", "number", "s", "taking over the inputs"),
    Column("first_inference_s", "number", "s", "the first call"),
    Column("cold", "boolean", "", "first case of its process: load, first call and peak memory are its own"),
    Column("cpu_s", "number", "s", "CPU time of all its threads during the bursts"),
    Column("burst_s", "number", "s", "wall time of the bursts"),
    Column("peak_rss_mb", "number", "MB", "peak of physical memory"),
    Column("voluntary_switches", "integer", "", "context switches while it waited"),
    Column("involuntary_switches", "integer", "", "context switches that others forced on it"),
    Column("others_cpu_share", "number", "share", "of the CPU time there was, what others and the hypervisor took"),
    *PARITY,
    Column("accuracy", "number", "share", "labelled pictures whose class scores highest; null where it was not asked"),
    *LOAD,
    Column("log", "text", "", "where the worker's own output is, relative to where the race was started"),
)
"""one row per trial, the canary's (engine `canary`, no contender) included"""

LATENCIES = (
    RUN,
    *CASE,
    *OF_TRIAL,
    Column("burst", "integer", "", "from 1; 0 for the calls that warmed up; offline and server: the instance"),
    Column("call", "integer", "", "from 1 within the burst"),
    Column("latency_ms", "number", "ms", "of this one call, host memory to host memory"),
)
"""one row per call: `run`, the case, `round` and `started_at` tell the trial"""
