"""Under load: how threads are shared out over instances, and the highest rate that holds a bound."""

import math
from collections.abc import Callable

STEP = 1.25
"""between rates until one that holds and one that does not lie beside each other"""
RESOLUTION = 1.03
"""such neighbours are at most this far apart: a verdict's own 2% is the business of rounds, not of one search"""

Holds = Callable[[float], bool]


def splits(threads: int) -> list[tuple[int, int]]:
    """Every way to share out `threads`: (instances, threads of each), from one instance with all to one thread each."""
    return [(count, threads // count) for count in range(1, threads + 1) if threads % count == 0]


def highest_rate(holds: Holds, guess: float, *, floor: float, ceiling: float, step: float = STEP) -> float | None:
    """The highest rate from `floor` to `ceiling` that `holds`, to within `RESOLUTION`; None if none was found.

    Taken to hold at every lower rate as well, as queues do. From `guess` in steps until it is bracketed, then by
    bisection on a log scale. A returned rate is one that was tried and held.
    """
    low, high = 0.0, math.inf
    rate = min(max(guess, floor), ceiling)
    while high > low * RESOLUTION:
        if holds(rate):
            low = rate
            if low == ceiling:
                break
        else:
            high = rate
            if high == floor:
                return None
        rate = _next(low, high, floor, ceiling, step)
    return low


def _next(low: float, high: float, floor: float, ceiling: float, step: float) -> float:
    if not low:
        return max(high / step, floor)
    if math.isinf(high):
        return min(low * step, ceiling)
    return math.sqrt(low * high)


def confirmed(holds: Holds, rate: float, *, tries: int) -> float | None:
    """`rate` if it `holds` in a longer run, else the first of the next lower ones that does; None after `tries`."""
    for _ in range(tries):
        if holds(rate):
            return rate
        rate /= RESOLUTION
    return None
