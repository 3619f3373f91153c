"""What a search tells of its points: their values, which of them to confirm, and what each knob is worth alone.

Points need not all have raced in the same rounds: who is beaten is dropped, and a large space comes in batches. So
every point's value is that of a two-way layout with missing cells, fitted by least squares (Yates, "The Analysis of
Multiple Classifications with Unequal Numbers in the Different Classes", Journal of the American Statistical Association
29, 1934): log throughput = point + round + noise. Drift of the machine is a round's, and so is taken out.

None of these values is ever published: the largest of many noisy ones is too large.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.judge.figures.statistics import CONFIDENCE, t_quantile
from bakeoff.judge.tuning.found import Effect, Point
from bakeoff.records import Scalar, word

BEST = 4
"""points that are confirmed, at most"""

Table = Mapping[str, Mapping[Any, float]]
"""contender -> round, of whichever run -> log throughput"""


def values(table: Table) -> dict[str, float]:
    """The value of each contender, in log throughput above the mean of all.

    Those that share no round, even by way of others, with most of the rest cannot be compared, and have none.
    """
    names = _connected(table)
    if not names:
        return {}
    rounds = list(dict.fromkeys(round_ for name in names for round_ in table[name]))
    logs = np.array([[table[name].get(round_, np.nan) for round_ in rounds] for name in names])
    raced = np.isfinite(logs)
    logs = np.where(raced, logs, 0.0)
    # The normal equations without the rounds: a graph's Laplacian, singular only in the mean, which becomes 0.
    of_round = raced / raced.sum(axis=0)
    laplacian = np.diag(raced.sum(axis=1)) - of_round @ raced.T
    right = logs.sum(axis=1) - of_round @ logs.sum(axis=0)
    return dict(zip(names, np.linalg.solve(laplacian + 1 / len(names), right).tolist(), strict=True))


def _connected(table: Table) -> list[str]:
    """The largest set of contenders that rounds in common hold together, in the table's order."""
    left = {name: set(rounds) for name, rounds in table.items() if rounds}
    largest: set[str] = set()
    while left:
        first = next(iter(left))
        found, rounds = {first}, left.pop(first)
        while more := {name for name, theirs in left.items() if theirs & rounds}:
            found |= more
            for name in more:
                rounds |= left.pop(name)
        largest = max(largest, found, key=len)
    return [name for name in table if name in largest]


def best_few(
    points: Sequence[Point], found: Mapping[str, float], unfit: Collection[str], most: int = BEST
) -> list[str]:
    """The names of the points to confirm beside the defaults, the best first; none of those that are `unfit`."""
    fit = [point.name for point in points if not point.is_default and point.name in found and point.name not in unfit]
    return sorted(fit, key=lambda name: -found[name])[:most]


def effects(points: Sequence[Point], found: Mapping[str, float]) -> list[Effect]:
    """For each engine, what each other value of a knob than the default's is worth, over its points that have a value.

    By ordinary least squares of the points' values on their settings, without interactions: these and the points'
    noise make the residuals that the intervals come from. A value that the points cannot tell from others is left out,
    and so are all of an engine that has too few points for residuals.
    """
    by_engine: dict[str, list[Point]] = {}
    for point in points:
        if point.name in found:
            by_engine.setdefault(point.default, []).append(point)
    return [effect for engine, of_it in by_engine.items() for effect in _of_engine(engine, of_it, points, found)]


def _of_engine(
    engine: str, raced: Sequence[Point], points: Sequence[Point], found: Mapping[str, float]
) -> list[Effect]:
    default = next((dict(point.values) for point in points if point.name == engine), {})
    columns: dict[tuple[str, str], Scalar] = {}
    for point in raced:
        columns |= {
            (knob, word(value)): value for knob, value in point.values if word(value) != word(default.get(knob, value))
        }
    settings = [{knob: word(value) for knob, value in point.values} for point in raced]
    rows = [[1.0, *(float(each.get(knob) == value) for knob, value in columns)] for each in settings]
    design, logs = np.array(rows), np.array([found[point.name] for point in raced])
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ logs
    freedom = len(raced) - int(np.linalg.matrix_rank(design))
    if freedom < 1:
        return []
    squares = float(((logs - design @ coefficients) ** 2).sum())
    told = np.isclose(np.diag(inverse @ (design.T @ design)), 1.0)
    effects_ = []
    for i, ((knob, _), value) in enumerate(columns.items(), 1):
        if not told[i]:
            continue
        mean = float(coefficients[i])
        reach = t_quantile((1 + CONFIDENCE) / 2, freedom) * math.sqrt(squares / freedom * float(inverse[i, i]))
        effects_.append(
            Effect(
                engine=engine,
                knob=knob,
                value=value,
                default=default[knob],
                ratio=math.exp(mean),
                interval=(math.exp(mean - reach), math.exp(mean + reach)),
                points=len(raced),
            )
        )
    return effects_
