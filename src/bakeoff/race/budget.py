"""The time a race may take, over all its sittings."""

from collections.abc import Callable

from bakeoff.race.host import THIS, Host


class Budget:
    """Starts running when it is made; `spent_before` counts what an interrupted run has used already."""

    def __init__(self, total_s: float, spent_before_s: float = 0.0, host: Host = THIS) -> None:
        self.total_s = total_s
        self.reserved_s = 0.0
        """seconds that heats must leave to what comes after them"""
        self._spent_before_s = spent_before_s
        self.host = host
        self._start = host.monotonic()
        self._heats: dict[str, float] = {}

    @property
    def spent_s(self) -> float:
        """Seconds used so far."""
        return self._spent_before_s + self.host.monotonic() - self._start

    @property
    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.total_s - self.spent_s)

    @property
    def _for_heats_s(self) -> float:
        return max(0.0, self.left_s - self.reserved_s)

    def allow(self, seconds: float) -> Callable[[float], bool]:
        """Whether a step of a given length still fits into `seconds` from now, and the budget; asked at any time."""
        until = min(self.total_s, self.spent_s + seconds)
        return lambda step: self.spent_s + step <= until

    def share(self, heats: int) -> Callable[[], bool]:
        """Whether the first of `heats` equal shares of what is left for heats is used up, asked at any later time.

        So the first model's heat leaves time for the others, and a table that is short of time is short everywhere.
        """
        until = self.spent_s + self._for_heats_s / heats
        return lambda: self.spent_s >= until

    def learn(self, model: str, seconds: float) -> None:
        """A heat of `model` took so long; the next will be expected to take the same."""
        self._heats[model] = seconds

    def holds_a_heat_of(self, model: str) -> bool:
        """Whether a heat of `model` is expected to end in time; one never seen is given its chance."""
        return self._for_heats_s > self._heats.get(model, 0.0)
