"""Whether what was asked of an engine is what happened: one caution for each difference."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bakeoff.records import Measurement, Summary

CORES_ABOVE = 0.15
"""share by which a case may have more threads busy than it was given: helper threads and the clock's own error"""
CORES_BELOW = 0.5
"""share of its threads below which a case hardly used them"""
TWO_THREADS = 1.2
"""busy threads below which one did the work, and another at most a little beside it"""
HELPERS = 0.05
"""share of the CPU time that other processes may take without a word"""
IDLE = 0.15
"""share of the measured time in which nothing of a case ran, or wanted to, that passes without a word"""


def mismatches(row: Summary, measured: Sequence[Measurement], without_spinning: Sequence[float] = ()) -> list[str]:
    """Everything that was asked of `row` and turned out otherwise, as far as `measured` and the engine tell.

    `without_spinning` are the threads that were busy when idle ones slept, where that was tried.
    """
    contender = row.case.contender
    not_taken = settings_not_taken(row.requested, row.effective, [name for name, _ in contender.settings])
    if any(m.load and m.load.bound_s for m in measured):  # a server's queries leave it time to wait
        return not_taken
    found = [
        *not_taken,
        _cores(contender.threads, measured, without_spinning),
        _idle(measured),
        _helpers(measured),
    ]
    return [line for line in found if line]


def cores_used(measurement: Measurement) -> float | None:
    """CPU seconds of all threads and helper processes per second of burst; None where the platform counted none."""
    return _per_second(_cpu_s(measurement), measurement)


def busy_threads(measurement: Measurement) -> float | None:
    """How many threads ran, or could have run had a CPU been free, on average; None where nothing was counted.

    On a machine that others use as well this tells what the engine does, and `cores_used` what it got.
    """
    waited = sum(seconds or 0.0 for seconds in measurement.queued_s)
    cpu = _cpu_s(measurement)
    return _per_second(cpu + waited, measurement) if cpu > 0 else None


def _cpu_s(measurement: Measurement) -> float:
    return sum(seconds for burst in measurement.cpu_s for seconds in burst.values()) + sum(measurement.helper_cpu_s)


def _per_second(seconds: float, measurement: Measurement) -> float | None:
    wall = sum(measurement.burst_s)
    return seconds / wall if seconds > 0 and wall > 0 else None


def settings_not_taken(
    requested: Mapping[str, Any], effective: Mapping[str, Any], of_contender: Sequence[str] = ()
) -> list[str]:
    """What the engine itself says it does otherwise than asked: settings of other values, nodes on other providers.

    Of the settings `of_contender` it must say something; None where its framework does not tell.
    """
    others = [
        f"{key}: {asked} asked, {effective[key]} took effect"
        for key, asked in requested.items()
        if None not in (asked, effective.get(key)) and key != "provider" and str(effective[key]) != str(asked)
    ]
    silent = [
        f"{key}: {requested[key]} asked, and nothing tells what took effect"
        for key in of_contender
        if requested.get(key) is not None and key not in effective
    ]
    return [*others, *silent, *filter(None, [_provider(requested, effective)])]


def _provider(requested: Mapping[str, Any], effective: Mapping[str, Any]) -> str:
    """The provider asked for should have the whole network; by default frameworks fall back without a word."""
    asked, took, nodes = requested.get("provider"), effective.get("provider"), effective.get("nodes") or {}
    if asked is None:
        return ""
    elsewhere = {provider: count for provider, count in nodes.items() if provider != asked}
    if elsewhere:
        where = " and ".join(f"{count} on {provider}" for provider, count in elsewhere.items())
        return f"provider: {asked} asked, of {sum(nodes.values())} nodes {where}"
    if took is None and not nodes:
        return f"provider: {asked} asked, and nothing tells what took effect"
    return f"provider: {asked} asked, {took} took effect" if took not in (None, asked) else ""


def _cores(threads: int | None, measured: Sequence[Measurement], quiet: Sequence[float]) -> str:
    """Threads that worked against threads asked for, if any were."""
    busy = [count for m in measured if (count := busy_threads(m)) is not None]
    if threads is None or not busy:
        return ""
    said = f"cores: {threads} thread{'s' * (threads != 1)} asked, {median(busy):.1f} busy"
    few = max(CORES_BELOW * threads, TWO_THREADS) if threads > 1 else CORES_BELOW
    if quiet and median(quiet) < few <= median(busy):
        return f"{said}, {median(quiet):.1f} when idle threads do not spin"
    return "" if few <= median(busy) <= (1 + CORES_ABOVE) * threads else said


def _idle(measured: Sequence[Measurement]) -> str:
    """A case that sleeps. What its helper processes wait for is not known, so it must do without them."""
    alone = [m for m in measured if m.queued_s and None not in m.queued_s and _helper_share(m) <= HELPERS]
    busy = [count for m in alone if (count := busy_threads(m)) is not None]
    if not busy or 1 - median(busy) <= IDLE:
        return ""
    return f"idle: nothing of it ran, or wanted to, in {1 - median(busy):.0%} of the measured time"


def _helpers(measured: Sequence[Measurement]) -> str:
    share = median(map(_helper_share, measured)) if measured else 0.0
    return f"helpers: {share:.0%} of its CPU time goes to other processes that it started" if share > HELPERS else ""


def _helper_share(measurement: Measurement) -> float:
    cpu = _cpu_s(measurement)
    return sum(measurement.helper_cpu_s) / cpu if cpu > 0 else 0.0
