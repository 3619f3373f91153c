"""The time a race may take, over all its sittings."""

from collections.abc import Callable, Collection, Mapping, Sequence

from bakeoff.judge.table import effort
from bakeoff.race.host import THIS, Host
from bakeoff.records import Case, Measurement, Trial

ROUNDS = 3
"""Turns make a round take up to a third of what is left for heats, no more, since intervals rest on rounds ..."""
FULL = 1.2
"""... and more where it would else be shorter than this many times the least: one with the fewest turns tells little"""


class Budget:
    """Starts running when it is made; `spent_before` counts what an interrupted run has used already."""

    def __init__(self, total_s: float, spent_before_s: float = 0.0, host: Host = THIS) -> None:
        self.total_s = total_s
        self.reserved_s = 0.0
        """seconds that heats must leave to what comes after them"""
        self._spent_before_s = spent_before_s
        self.host = host
        self._start = host.monotonic()
        self._overhead: dict[str, float] = {}

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

    def learn(self, model: str, seconds: float, measured: Sequence[Measurement]) -> None:
        """A heat of `model` took so long, of which its trials `measured` account for a part."""
        accounted = effort.accounted_s(measured)
        if accounted:
            self._overhead[model] = max(1.0, seconds / accounted)

    def expected_s(self, model: str, trials: Sequence[Trial], wanted: Collection[Case]) -> float:
        """How long the next heat of `model` takes at least; 0 for one never seen, which is given its chance."""
        return self._overhead.get(model, 0.0) * effort.least_s(trials, wanted)

    def holds(self, seconds: float) -> bool:
        """Whether heats that take so long are expected to end in time."""
        return self._for_heats_s > seconds

    def rounds(self, least_s: float) -> int:
        """How many more rounds, of at least `least_s` each, the time that heats have should be divided into."""
        return max(1, min(ROUNDS, int(self._for_heats_s / (FULL * least_s)) if least_s else ROUNDS))

    def round_ends_s(self, rounds: int) -> float:
        """When, in seconds used, the first of so many equal rounds should be over."""
        return self.spent_s + self._for_heats_s / rounds

    def aim_s(self, model: str, least: Mapping[str, float], until_s: float) -> float:
        """How long the heat of `model` should take, its turns included, where its round ends at `until_s`.

        `least` has what it and the heats after it in the round take at least.
        """
        ahead = sum(least.values())
        return max(0.0, until_s - self.spent_s) * (least[model] / ahead if all(least.values()) else 1 / len(least))
