"""Numbers and states as people read them, the same in every report."""

import datetime as dt
import math
from collections.abc import Iterable

from bakeoff.records import PRECISIONS, Finding, Plan, RunRecord, Scenario, Status, Summary, Tolerances

NONE = "-"
"""where there is no figure"""

STATUS_WORDS = {
    Status.OK: "ok",
    Status.WRONG: "wrong",
    Status.UNSUPPORTED: "unsupp.",
    Status.UNAVAILABLE: "unavail.",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timeout",
    Status.NOT_RUN: "not run",
}
"""short enough for a cell; the notes beneath a table say it in full"""


FIGURE = {
    Scenario.LATENCY: "images/s",
    Scenario.OFFLINE: "samples/s",
    Scenario.SERVER: "queries/s",
}
"""what a cell of the table counts"""
TITLE = {
    Scenario.LATENCY: "Images per second",
    Scenario.OFFLINE: "Samples per second, offline",
    Scenario.SERVER: "Queries per second that a server holds",
}


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits, never in scientific notation: 2.36, 45.1, 123, 1234."""
    if value is None:
        return NONE
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0  # noqa: PLR2004 - where digits change
    return f"{value:.{digits}f}{unit}"


def plus_minus(interval: tuple[float, float] | None) -> str:
    """The 95% half-width: "±2%"; "" where there is no interval. The interval is symmetric in the logarithm."""
    if interval is None:
        return ""
    low, high = interval
    percent = 100 * (math.sqrt(high / low) - 1)
    if percent > 100:  # noqa: PLR2004 - how much more says nothing to anybody
        return "±>100%"
    return f"±{percent:.1f}%" if percent < 0.95 else f"±{percent:.0f}%"  # noqa: PLR2004 - else it would say ±0%


def percent(share: float) -> str:
    """``2%``, ``2.5%``."""
    return f"{share * 100:g}%"


def error(value: float | None) -> str:
    """A relative error: 3.1e-07; "0" for none at all."""
    if value is None:
        return NONE
    return f"{value:.1e}" if value else "0"


def tolerances(value: Tolerances) -> str:
    """What the size of a parity error means: "fp32-sized up to 7.7e-05, fp16-sized up to ..., wrong beyond that"."""
    if not value.rounding:
        return f"wrong beyond {error(value.bf16)}, a fixed number"
    sized = [f"{precision}-sized up to {error(getattr(value, precision))}" for precision in PRECISIONS]
    return f"{', '.join(sized)}, wrong beyond that"


def seconds(value: float | None) -> str:
    """Seconds, or milliseconds below one."""
    if value is None:
        return NONE
    return number(value, " s") if value >= 1 else number(value * 1e3, " ms")


def status(value: Status) -> str:
    """The status in plain words."""
    return value.replace("_", " ")


def one_line(text: str) -> str:
    """Text of an engine's own making on one line."""
    return " ".join(text.split())


def finding(value: Finding) -> str:
    """What the audit found, and what to do: "battery: the machine runs from its battery; plug it in"."""
    return f"{value.topic}: {value.found}; {value.advice}"


def date(run: RunRecord) -> str:
    """When the run began, in UTC, to the minute."""
    return dt.datetime.fromtimestamp(run.started_at, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def setting(plan: Plan) -> str:
    """What all of a run's cases share: "2 threads, fp32, cpu"; under load, the scenario as well."""
    load = "" if plan.scenario is Scenario.LATENCY else f", {plan.scenario} scenario"
    return f"{plan.threads} thread{'s' * (plan.threads != 1)}, {plan.precision}, {plan.device}{load}"


def progress(run: RunRecord, rows: Iterable[Summary]) -> str:
    """How much was measured: "5 rounds in 14.8 min, finished"."""
    rounds = max((row.trials for row in rows), default=0)
    spent = f"{run.elapsed_s / 60:.1f} min" if run.elapsed_s >= 60 else f"{run.elapsed_s:.0f} s"  # noqa: PLR2004
    return f"{rounds} round{'s' * (rounds != 1)} in {spent}, {run.state}"
