"""Everything that a report says of a run: gathered from the store first, rendered afterwards."""

from dataclasses import dataclass

from bakeoff.judge.results import Results
from bakeoff.records import BreakEven, Heat, Latencies, Peak, PeakShare, Recipe


@dataclass(frozen=True)
class RunReport:
    """A run's results, and what only a report tells."""

    results: Results
    latencies: tuple[Latencies, ...]
    heats: tuple[Heat, ...]
    break_even: tuple[BreakEven, ...]
    peak: Peak | None
    why_no_peak: str
    peak_shares: tuple[PeakShare, ...]
    recipes: tuple[Recipe, ...]
    """of each model's fastest engine at each batch size that it leads, the same engine once per model"""
