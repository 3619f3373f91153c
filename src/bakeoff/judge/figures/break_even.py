"""Where a quick start is worth more than a quick inference: how many inferences it takes until the faster engine wins.

A fresh process that makes n inferences is through after start + (n - 1) x latency, where its start is what passes
until its first answer: importing the framework, loading the network, the first inference. For each n the engine of the
lowest such line leads. The figures are medians and means without intervals: near a border both are as good.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bakeoff.records import BreakEven, Case, Lead, Status, Summary, Trial

Line = tuple[float, float]
"""seconds to the first answer, and seconds for each one after it"""


def break_even(rows: Sequence[Summary], trials: Iterable[Trial]) -> list[BreakEven]:
    """One for each model, batch size and league with a measured speed, in the order of `rows`."""
    starts = cold_starts(trials)
    tables: dict[tuple[str, int, str], list[Summary]] = defaultdict(list)
    for row in rows:
        if row.fps is not None:
            tables[row.case.model, row.case.batch_size, row.league].append(row)
    found = []
    for (model, batch_size, league), measured in tables.items():
        known = [row for row in measured if row.case in starts]
        lines = {row.case.contender.name: (starts[row.case], batch_size / row.fps) for row in known if row.fps}
        found.append(
            BreakEven(
                model=model,
                batch_size=batch_size,
                league=league,
                leads=tuple(leads(lines)),
                start_s={engine: start for engine, (start, _) in lines.items()},
                unknown=tuple(row.case.contender.name for row in measured if row.case not in starts),
            )
        )
    return found


def cold_starts(trials: Iterable[Trial]) -> dict[Case, float]:
    """Median seconds to the first answer, over the trials that came first in their process."""
    seconds: dict[Case, list[float]] = defaultdict(list)
    for trial in trials:
        measured = trial.measurement
        if trial.status is Status.OK and measured and measured.cold:
            seconds[trial.case].append(measured.import_s + measured.load_s + measured.first_inference_s)
    return {case: median(values) for case, values in seconds.items()}


def leads(lines: Mapping[str, Line]) -> list[Lead]:
    """Who is the soonest through with 1, 2, ... inferences; of two that are equally soon, who goes on the faster."""
    if not lines:
        return []
    found: list[Lead] = []
    n, leader = 1, _soonest(lines, lines, 1)
    while faster := [engine for engine in lines if lines[engine][1] < lines[leader][1]]:
        crossings = {engine: max(n + 1, _overtakes(lines[engine], lines[leader])) for engine in faster}
        border = min(crossings.values())
        found.append(Lead(contender=leader, first=n, last=border - 1))
        n, leader = border, _soonest(lines, [engine for engine in faster if crossings[engine] == border], border)
    return [*found, Lead(contender=leader, first=n, last=None)]


def _soonest(lines: Mapping[str, Line], among: Iterable[str], n: int) -> str:
    return min(among, key=lambda engine: (lines[engine][0] + (n - 1) * lines[engine][1], lines[engine][1]))


def _overtakes(faster: Line, leader: Line) -> int:
    """The first number of inferences with which `faster` is through before `leader`, who starts the sooner."""
    return math.floor((faster[0] - leader[0]) / (leader[1] - faster[1])) + 2
