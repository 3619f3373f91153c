"""What only a report has: gathered from the store first, then said in words, the same in HTML and in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.judge.results import Results
from bakeoff.records import BreakEven, Heat, Latencies, Lead, Peak, PeakShare, Recipe
from bakeoff.report import wording


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


FEW = 4
"""so many engines are named; more are counted"""


def break_evens(report: RunReport) -> list[tuple[str, str]]:
    """Each model, batch size and, where there are several, league; and who is through the soonest there."""
    several = len({found.league for found in report.break_even}) > 1
    return [
        (f"{found.model}, batch {found.batch_size}{f', {found.league}' * several}", break_even(found))
        for found in report.break_even
    ]


def break_even(found: BreakEven) -> str:
    """Who is through the soonest with how many inferences, start-up included."""
    if not found.leads:
        return "no start of a fresh process was measured."
    *sooner, last = [_lead(lead, found.start_s[lead.contender]) for lead in found.leads]
    said = last if not sooner else f"{'; '.join(sooner)}; {last}"
    if not found.unknown:
        return f"{said}."
    names = ", ".join(found.unknown) if len(found.unknown) <= FEW else f"{len(found.unknown)} engines"
    return f"{said}. Left out: {names}, whose start was not measured."


def _lead(lead: Lead, start_s: float) -> str:
    who = f"{lead.contender} (first answer after {wording.seconds(start_s)})"
    if lead.first == 1:
        return f"{who} however many inferences" if lead.last is None else f"below {lead.last + 1:,} inferences {who}"
    return f"from {lead.first:,} on {who}" if lead.last is None else f"from {lead.first:,} to {lead.last:,} {who}"


def peak(found: Peak) -> str:
    """What the machine's peak is, and where it comes from."""
    return (
        f"{giga(found.flops)}, the best float32 figure that numpy's BLAS reached with {found.threads} "
        f"thread{'s' * (found.threads != 1)} on this machine (matrix product {giga(found.gemm)}, "
        f"convolution {giga(found.convolution)})"
    )


PEAK_NOTE = (
    "Work is counted as the network's file has it, multiply-adds times two: an engine that computes less, as with "
    "Winograd's convolutions, can reach more than 100%."
)


def giga(flops: float) -> str:
    """``231 GFLOP/s``."""
    return wording.number(flops / 1e9, " GFLOP/s")


def time_line(heats: Sequence[Heat]) -> str:
    """The time line in one sentence."""
    if not heats:
        return "No heat was measured."
    said = [f"{len(heats)} heat{'s' * (len(heats) != 1)} in {wording.number(heats[-1].minute)} minutes"]
    canary = [heat.canary for heat in heats if heat.canary is not None and heat.counts]
    if canary:
        said.append(f"the canary ran at {min(canary):.0%} to {max(canary):.0%} of its median speed")
    disturbed = [heat.taken for heat in heats if heat.disturbed and heat.taken is not None]
    if disturbed:
        were = "was" if len(disturbed) == 1 else "were"
        said.append(f"{len(disturbed)} {were} disturbed: others took up to {max(disturbed):.0%} of the CPU time")
    elif any(heat.taken is not None for heat in heats):
        said.append("none was disturbed by others")
    return "; ".join(said) + "."


def settings(recipe: Recipe) -> list[str]:
    """``threads = 2``, ``precision = 'fp32'``."""
    return [f"{name} = {value!r}" for name, value in recipe.settings.items()] or ["none are known"]
