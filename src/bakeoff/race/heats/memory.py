"""How many workers may be alive at once: as many as memory allows, with room to spare."""

from collections.abc import Iterable, Mapping, Sequence

from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Trial

UNKNOWN_PEAK_MB = 1500.0
"""what a worker is taken to need before it has run; the largest seen on ResNet-50 at batch 8 need about this"""
ROOM_TO_SPARE = 0.8
"""the share of available memory that a heat may use"""


def peaks_mb(trials: Iterable[Trial]) -> dict[str, float]:
    """The most memory each engine was seen to hold."""
    peaks: dict[str, float] = {}
    for trial in trials:
        if trial.measurement and trial.measurement.peak_rss_mb:
            name = trial.case.contender.name
            peaks[name] = max(peaks.get(name, 0.0), trial.measurement.peak_rss_mb)
    return peaks


def groups(runnables: Sequence[Runnable], peaks: Mapping[str, float], available_mb: float) -> list[list[Runnable]]:
    """Split `runnables` into heats that fit into memory, each with one runnable in common, so that ratios chain.

    The common one is the lightest, since it is raced again in every part. A pair that does not fit is raced all the
    same: the case that is killed for it becomes a row with that reason.
    """
    if not runnables:
        return []
    first = min(runnables, key=lambda runnable: weight(runnable, peaks))
    rest = [runnable for runnable in runnables if runnable is not first]
    room = available_mb * ROOM_TO_SPARE - peaks.get(first.contender.name, UNKNOWN_PEAK_MB)
    heats: list[list[Runnable]] = [[first]]
    left = room
    for runnable in rest:
        need = peaks.get(runnable.name, UNKNOWN_PEAK_MB)
        if need > left and len(heats[-1]) > 1:
            heats.append([first])
            left = room
        heats[-1].append(runnable)
        left -= need
    return heats


def weight(runnable: Runnable, peaks: Mapping[str, float]) -> tuple[float, int]:
    """Orders runnables from light to heavy: by the memory seen, else an unknown's, then by the framework's size."""
    return peaks.get(runnable.name, UNKNOWN_PEAK_MB), runnable.engine.environment.disk_mb
