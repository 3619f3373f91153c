"""What is made of trials: rows and verdicts."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from bakeoff.records.base import Record, Status
from bakeoff.records.contenders import Case
from bakeoff.records.trials import Accuracy, Load, Parity


class Summary(Record, frozen=True):
    """A case's row: its statistics over its trials, and everything a reader may ask of it."""

    case: Case
    status: Status
    reason: str
    framework_version: str
    requested: Mapping[str, Any]
    effective: Mapping[str, Any]
    fps: float | None
    """images per second: geometric mean over trials of images / measured time, or of what LoadGen found"""
    fps_ci95: tuple[float, float] | None
    """as moderated by the engine's other batch sizes, see `geometric_mean_interval`; None below two trials"""
    latency_ms: Mapping[str, float | None]
    """mean and min of the race; p50, p90, p95, p99 of the profile trial, null where it does not support them"""
    load_s: float | None
    first_inference_s: float | None
    peak_rss_mb: float | None
    cores_used: float | None
    parity: Parity | None
    trials: int
    cautions: tuple[str, ...] = ()
    log: str = ""
    league: str = "fp32"
    """where it is ranked: its engine's, or a coarser one if its outputs are no better than that"""
    load: Load | None = None
    """under load: how its last trial came about, without probes; the figure of all is `fps`"""
    accuracy: Accuracy | None = None
    """on the user's labelled pictures; None where there are none, or the case was not asked about them"""
    fps_df: int | None = None
    """degrees of freedom of `fps_ci95`"""


class Outcome(StrEnum):
    """How a contender stands against the best."""

    LEADER = "leader"
    """fastest in the sample; whether it is certainly the fastest, the other outcomes tell"""
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


class Standing(Record, frozen=True):
    """One contender's place in a verdict."""

    contender: str
    """its name"""
    outcome: Outcome
    ratio: float | None
    """how many times the throughput of the fastest other contender is this one's, the geometric mean over rounds that
    both have; below 1 for the leader. None where nothing can be compared"""
    interval: tuple[float, float] | None
    """of that ratio; all intervals of a verdict hold at once, over all looks, with 95% confidence.
    None where unbounded"""
    rounds: int
    """in common with the leader; the leader's own"""
    more_rounds: int | None = None
    """undecided only: about how many rounds would tell; None where no reasonable number would"""


class Verdict(Record, frozen=True):
    """What is known about one table: one model, batch size, league and device."""

    model: str
    batch_size: int
    league: str
    device: str
    leader: str
    standings: tuple[Standing, ...]
    """the leader, then by how far they lie behind it, then those that cannot be compared"""
    sentence: str

    @property
    def decided(self) -> bool:
        """Whether nothing is undecided any more."""
        return all(standing.outcome is not Outcome.UNDECIDED for standing in self.standings)
