"""A case's one long trial: how long it must be, and what its latencies and its memory did meanwhile."""

from statistics import fmean, median

from bakeoff.judge.case.disturbance import disturbed
from bakeoff.judge.case.modes import Modes
from bakeoff.judge.case.steady_state import Kind, Shape, shape
from bakeoff.judge.figures.statistics import minimum_sample
from bakeoff.records import Measurement, Trial

LATENCIES = minimum_sample(95)
"""130: enough for the 95th percentile, and for a shape"""
LEAST_S, MOST_S = 2.0, 20.0
"""A fast network goes on for so long, for the 99th percentile's sake; a slow one stops at so much."""
CHANGE = 0.05
"""relative change of level, over a profile, below which there is no warning: a machine's own drift makes as much"""
LEAK_SHARE, LEAK_MB = 0.02, 4.0
"""growth of memory that counts as a leak, between the middle and the last third of a trial: allocators settle early"""
FEWEST_READINGS = 6
"""of memory, before its growth is judged"""


def long_enough(latencies: int, seconds: float) -> bool:
    """Whether a profile trial may end: with at least 130 latencies after two seconds, else after 20 seconds."""
    return seconds >= MOST_S or (latencies >= LATENCIES and seconds >= LEAST_S)


def expected_s(latency_s: float) -> float:
    """How long the latencies of a profile will take, given their mean."""
    return min(MOST_S, max(LEAST_S, LATENCIES * latency_s))


def profile_cautions(trial: Trial | None) -> tuple[str, ...]:
    """What a profile trial warns of: its failure, latencies that are not steady, two kinds of latencies, a leak.

    A profile is not raced again when others disturb it, so what its latencies did then may be theirs.
    """
    if trial is None:
        return ()
    measured = trial.measurement
    if measured is None:
        return (f"profile: its long trial {trial.status.replace('_', ' ')}: {trial.reason}",)
    latencies = [latency for burst in measured.latencies for latency in burst]
    found = shape(latencies)
    shapes = (found and _unsteady(found, len(latencies)), found and found.modes and _bimodal(found.modes))
    whose = " (while others used the CPUs)" if disturbed(trial) else ""
    return tuple(line + whose for line in shapes if line) + tuple(filter(None, [_leak(measured)]))


def _unsteady(found: Shape, calls: int) -> str:
    """A change of level that a mean must not hide. Slower first and steady then is what every program does."""
    size = f"{abs(found.change):.0%} {'slower' if found.change > 0 else 'faster'}"
    if found.kind is Kind.OSCILLATION and found.modes is None:
        return f"unsettled: over {calls} calls its latencies go to and fro between levels"
    if found.kind not in (Kind.SLOWDOWN, Kind.STEP, Kind.UNSETTLED) or abs(found.change) < CHANGE:
        return ""
    if found.steady_after is None:
        return f"unsettled: over {calls} calls it became {size} and did not settle"
    return f"{found.kind}: after {found.steady_after} of {calls} calls it was {size}, and stayed so"


def _bimodal(modes: Modes) -> str:
    ways = "mixed" if modes.interleaved else "one kind after the other"
    return (
        f"bimodal: {modes.slow_share:.0%} of its latencies are {modes.slow / modes.fast:.2f}x the others "
        f"({modes.fast * 1e3:.3g} and {modes.slow * 1e3:.3g} ms, {ways})"
    )


def _leak(measured: Measurement) -> str:
    """Memory that still grows after the first third of a trial, third by third."""
    third = len(measured.rss_mb) // 3
    if 3 * third < FEWEST_READINGS:
        return ""
    middle, last = measured.rss_mb[-2 * third : -third], measured.rss_mb[-third:]
    growth = fmean(last) - fmean(middle)
    grows_on = median(last) > max(middle) and last[-1] > last[0]
    if not grows_on or growth < max(LEAK_MB, LEAK_SHARE * fmean(middle)):
        return ""
    calls = fmean(map(len, measured.latencies)) * third
    return f"leak: memory grew by {growth / calls:.2g} MB a call, to {last[-1]:.0f} MB"
