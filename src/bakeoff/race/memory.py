"""How many workers may be alive at once: as many as memory allows, with room to spare."""

from collections.abc import Iterable, Mapping, Sequence

from bakeoff.race.course import Entry
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
            name = trial.case.engine
            peaks[name] = max(peaks.get(name, 0.0), trial.measurement.peak_rss_mb)
    return peaks


def groups(entries: Sequence[Entry], peaks: Mapping[str, float], available_mb: float) -> list[list[Entry]]:
    """Split `entries` into heats that fit into memory, each with one entry in common, so that ratios chain.

    The common one is the lightest, since it is raced again in every part. A pair that does not fit is raced all the
    same: the case that is killed for it becomes a row with that reason.
    """
    if not entries:
        return []
    first = min(entries, key=lambda entry: weight(entry, peaks))
    rest = [entry for entry in entries if entry is not first]
    room = available_mb * ROOM_TO_SPARE - peaks.get(first.engine.name, UNKNOWN_PEAK_MB)
    heats: list[list[Entry]] = [[first]]
    left = room
    for entry in rest:
        need = peaks.get(entry.engine.name, UNKNOWN_PEAK_MB)
        if need > left and len(heats[-1]) > 1:
            heats.append([first])
            left = room
        heats[-1].append(entry)
        left -= need
    return heats


def weight(entry: Entry, peaks: Mapping[str, float]) -> tuple[float, int]:
    """Orders entries from light to heavy: by the memory seen, else an unknown's, then by the size of the framework."""
    return peaks.get(entry.engine.name, UNKNOWN_PEAK_MB), entry.engine.environment.disk_mb
