"""The time a race may take, over all its sittings."""

import time
from collections.abc import Callable


class Budget:
    """Starts running when it is made; `spent_before` counts what an interrupted run has used already."""

    def __init__(self, total_s: float, spent_before_s: float = 0.0) -> None:
        self.total_s = total_s
        self._spent_before_s = spent_before_s
        self._start = time.monotonic()
        self._heats: dict[str, float] = {}

    @property
    def spent_s(self) -> float:
        """Seconds used so far."""
        return self._spent_before_s + time.monotonic() - self._start

    @property
    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.total_s - self.spent_s)

    def share(self, heats: int) -> Callable[[], bool]:
        """Whether the first of `heats` equal shares of what is left now is used up, asked at any later time.

        So the first model's heat leaves time for the others, and a table that is short of time is short everywhere.
        """
        until = self.spent_s + self.left_s / heats
        return lambda: self.spent_s >= until

    def learn(self, model: str, seconds: float) -> None:
        """A heat of `model` took so long; the next will be expected to take the same."""
        self._heats[model] = seconds

    def holds_a_heat_of(self, model: str) -> bool:
        """Whether a heat of `model` is expected to end in time; one never seen is given its chance."""
        return self.left_s > self._heats.get(model, 0.0)
