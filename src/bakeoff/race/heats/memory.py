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
    """Split `runnables` into heats that fit into memory, each of them in one.

    None is raced in every part to tie the parts together: a case has one trial in a round, and ratios that chain
    through two launches of an engine carry the noise of both. Parts pair by round, so what the machine does between
    them widens the intervals. A worker that does not fit by itself is raced all the same: if it is killed for that,
    this is its row's reason.
    """
    heats: list[list[Runnable]] = []
    left = 0.0
    for runnable in runnables:
        need = peaks.get(runnable.name, UNKNOWN_PEAK_MB)
        if not heats or need > left:
            heats.append([])
            left = available_mb * ROOM_TO_SPARE
        heats[-1].append(runnable)
        left -= need
    return heats
