"""What is kept of runs so that they can be compared later, and what comparisons say: frozen types, as in `records`."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from bakeoff.records import Case, EngineInfo, EngineSpec, ModelRecord, Plan, Record, Status, older

BASELINE_SCHEMA = "bakeoff-baseline/2"
"""Changes with every change that an older bakeoff could trip over."""
BASELINE_SCHEMAS = ("bakeoff-baseline/1", BASELINE_SCHEMA)
"""those that can be read"""


# A run, reduced


class Moments(Record, frozen=True):
    """Mean and standard deviation of a case's log throughput over its trials, where single rounds are not known."""

    mean: float
    sd: float
    """NaN-free: 0 for a single trial"""
    count: int
    disturbed: bool = False
    """whether others used the CPUs in any of them"""


class Score(Record, frozen=True):
    """How fast a case was in a run, or why that is unknown."""

    case: Case
    league: str
    status: Status
    reason: str = ""
    framework_version: str = ""
    environment_digest: str = ""
    rounds: Mapping[int, float] = {}
    """round -> log(images/s)"""
    moments: Moments | None = None
    """instead of `rounds`, of a case read from results.json"""
    disturbed: tuple[int, ...] = ()
    """those of `rounds` in which others used the CPUs"""
    cautions: tuple[str, ...] = ()
    """as on its row"""


class CanaryRounds(Record, frozen=True):
    """How fast the canary was in the heats of one model at one batch size."""

    model: str
    batch_size: int
    threads: int
    rounds: Mapping[int, float]
    """round -> log(calls/s); only compared with its own kind: the same version on as many threads"""
    version: int = 1


class Scorecard(Record, frozen=True):
    """A run reduced to what a comparison needs: a baseline file holds one."""

    name: str
    started_at: float
    bakeoff_version: str
    machine: Mapping[str, Any]
    plan: Plan
    models: tuple[ModelRecord, ...]
    engines: tuple[EngineInfo, ...]
    scores: tuple[Score, ...]
    canary: tuple[CanaryRounds, ...] = ()
    state: str = "finished"
    elapsed_s: float = 0.0


class EngineSnapshot(Record, frozen=True):
    """Everything it takes to race an engine again as it was."""

    spec: EngineSpec
    """its paths are those of `files`"""
    files: Mapping[str, str]
    """path, with slashes -> text: its code's folders by their names, and its locks"""

    @property
    def digest(self) -> str:
        """sha256 of `to_bytes`, hex."""
        return self.digest_of(self.to_bytes())

    @staticmethod
    def digest_of(content: bytes) -> str:
        """sha256, hex."""
        return hashlib.sha256(content).hexdigest()

    def to_bytes(self) -> bytes:
        """As MessagePack, the same for the same content."""
        return msgspec.msgpack.Encoder(enc_hook=_as_text, order="deterministic").encode(self)

    @classmethod
    def from_bytes(cls, content: bytes) -> "EngineSnapshot":
        """What `to_bytes` of this or an earlier bakeoff wrote. Raises `msgspec.DecodeError` if it is damaged."""
        found = msgspec.msgpack.decode(content)
        try:
            return msgspec.convert(older.snapshot(found), cls, dec_hook=lambda _, text: Path(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise msgspec.DecodeError(f"no engine: {error}") from error


def _as_text(path: Path) -> str:
    return path.as_posix()


class Baseline(Record, frozen=True):
    """A baseline file."""

    schema: str
    run: Scorecard
    snapshots: Mapping[str, str]
    """engine -> its `EngineSnapshot` as MessagePack, compressed by zlib, in base64"""


# What a comparison says


class Method(StrEnum):
    """How drift of the machine between two measurements is dealt with."""

    PAIRED = "paired"
    """measured in the same rounds: it hits both alike"""
    CANARY = "canary"
    """taken out as far as the canary of its rounds explains it; the interval allows for the rest"""
    NONE = "none"
    """not at all: the interval allows for it"""


class Change(StrEnum):
    """What the second of two is, compared with the first, beyond the indifference or within it."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


class Calibration(Record, frozen=True):
    """What the canary says of the machine between two measurements of a case, and how far that was believed."""

    ratio: float
    """the canary's speed beside the second over that beside the first"""
    share: float
    """of that change (of its logarithm) which was taken out of the case's ratio: 0 for nothing, 1 for all"""


class Compared(Record, frozen=True):
    """One case, measured twice."""

    before: Case
    after: Case
    method: Method
    change: Change
    ratio: float
    """the second's throughput over the first's, drift taken out as `method` says"""
    interval: tuple[float, float] | None
    """95%; None below two rounds, and where others used the CPUs"""
    fps_before: float
    """images per second, geometric mean over rounds, as they were"""
    fps_after: float
    canary: Calibration | None = None
    """None by any method but `canary`"""


class ComparisonReport(Record, frozen=True):
    """Everything a comparison found, and everything it refused."""

    before: str
    """what stands for the first, for people"""
    after: str
    indifference: float
    """relative: what *equivalent* means"""
    cases: tuple[Compared, ...]
    refused: tuple[str, ...]
    """cases that are not like with like, and why; one line each"""
    notes: tuple[str, ...]
    """what differs besides: versions, settings, what only one raced"""
    unlike: tuple[str, ...] = ()
    """threads, machines or load that differ, and what the comparison can and cannot tell for it: to be said first"""
    cautions: tuple[str, ...] = ()
    """of both runs, on the cases that are compared"""


# What a gate says


class GateOutcome(StrEnum):
    """Whether something became slower than it may."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNDECIDED = "undecided"


class GateCase(Record, frozen=True):
    """One case before the gate."""

    case: Case
    outcome: GateOutcome
    ratio: float | None
    """throughput now / throughput of the baseline; None where there is nothing to compare"""
    interval: tuple[float | None, float | None]
    """of that ratio: one-sided bounds, the lower against passing, the upper against failing; None where unbounded"""
    reason: str = ""
    """undecided: what it would take, or what is in the way"""
    canary: Calibration | None = None
    """None by any method but `canary`"""


class Gate(Record, frozen=True):
    """What the gate says of a run."""

    outcome: GateOutcome
    method: Method
    max_slowdown: float
    baseline: str
    run: str
    cases: tuple[GateCase, ...]
    notes: tuple[str, ...]
    unlike: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    """both as in a `ComparisonReport`"""
