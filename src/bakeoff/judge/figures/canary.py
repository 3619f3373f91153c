"""What the canary tells of a run: how fast it ran when, and whether the machine was the same throughout."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import geometric_mean

from bakeoff.judge.case.summary import throughput
from bakeoff.records import CANARY, CanaryFigure, Contender, Status, Trial

STRONG = 0.25
"""between the slowest and the fastest heat. A shared machine's level drifts by 5-11% from round to round (measured;
docs/method.md), which over ten rounds makes some 25% between the extremes"""


def figures(trials: Iterable[Trial]) -> list[CanaryFigure]:
    """One for each measured trial of the canary, in the order of `trials`; a heat that memory split has several."""
    return [
        CanaryFigure(
            round=trial.round,
            model=trial.case.model,
            batch_size=trial.case.batch_size,
            threads=trial.case.contender.threads or 0,
            version=version(trial.case.contender),
            calls_per_s=throughput(1, trial.measurement),
            started_at=trial.started_at,
        )
        for trial in trials
        if trial.case.contender.name == CANARY and trial.status is Status.OK and trial.measurement
    ]


def version(canary: Contender) -> int:
    """Of its work. Until it had one, it ran with its run's threads."""
    return int(dict(canary.settings).get("version", 1))


def remarks(canary: Iterable[CanaryFigure]) -> tuple[str, ...]:
    """What to distrust of a run whose canary drifted strongly between heats that count; nothing of any other."""
    of_heat: dict[tuple[int, str, int], list[float]] = defaultdict(list)
    for figure in canary:
        of_heat[figure.round, figure.model, figure.batch_size].append(figure.calls_per_s)
    speeds = {heat: geometric_mean(parts) for heat, parts in of_heat.items()}
    if not speeds:
        return ()
    slow, fast = min(speeds, key=speeds.__getitem__), max(speeds, key=speeds.__getitem__)
    range_ = speeds[fast] / speeds[slow] - 1
    if range_ <= STRONG:
        return ()
    between = f"{range_:.0%} faster in {_heat(*fast)} than in {_heat(*slow)}"
    return (f"canary: the machine was {between}: ratios pair by heat and hold, images/s are of this hour only",)


def _heat(number: int, model: str, batch_size: int) -> str:
    return f"round {number} ({model}, batch {batch_size})"
