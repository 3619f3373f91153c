"""What is kept of runs so that they can be compared later, and what comparisons say: frozen types, as in `records`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from bakeoff.records import Case, EngineInfo, ModelForm, ModelRecord, Plan, Record, Status

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


class Score(Record, frozen=True):
    """How fast a case was in a run, or why nobody knows."""

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


class CanaryRounds(Record, frozen=True):
    """How fast the canary was in the heats of one model at one batch size."""

    model: str
    batch_size: int
    threads: int
    rounds: Mapping[int, float]
    """round -> log(calls/s), on whatever scale: it is only ever compared with itself"""


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


class LockedKit(Record, frozen=True):
    """Files and the environment that they run in."""

    files: Mapping[str, str]
    """path relative to their folder, with slashes -> text"""
    environment: str
    kind: str
    python: str | None
    requirements: tuple[str, ...]
    suite: str | None
    lock: str
    """the lock's text"""


class ConverterKit(LockedKit, frozen=True):
    """What writes an engine's form of a model."""

    script: str
    """path within `files`"""
    reads: ModelForm


class EngineKit(LockedKit, frozen=True):
    """Everything it takes to race an engine again as it was: its engine.toml's entries, its files and its lock."""

    name: str
    title: str
    framework: str
    release: str
    league: str
    adapter: str
    """path within `files`"""
    model: ModelForm
    """without its converter"""
    requirement: str
    options: Mapping[str, Any]
    env: Mapping[str, str]
    converter: ConverterKit | None = None
    recipe: str = ""
    """path within `files`; "" where there is none"""
    takes: tuple[str, ...] = ()


class Baseline(Record, frozen=True):
    """A baseline file."""

    schema: str
    run: Scorecard
    kits: Mapping[str, str]
    """engine -> its `EngineKit` as MessagePack, compressed by zlib, in base64"""


# What a comparison says


class Method(StrEnum):
    """How drift of the machine between two measurements is dealt with."""

    PAIRED = "paired"
    """measured in the same rounds: it hits both alike"""
    CANARY = "canary"
    """each is taken relative to the canary of its own rounds"""
    NONE = "none"
    """not at all: the interval allows for it"""


class Change(StrEnum):
    """What the second of two is, compared with the first, at the minimum effect."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


class Compared(Record, frozen=True):
    """One case, measured twice."""

    before: Case
    after: Case
    method: Method
    change: Change
    ratio: float
    """the second's throughput over the first's, drift taken out as `method` says"""
    interval: tuple[float, float] | None
    """95%; None below two rounds"""
    fps_before: float
    """images per second, geometric mean over rounds, as they were"""
    fps_after: float


class ComparisonReport(Record, frozen=True):
    """Everything a comparison found, and everything it refused."""

    before: str
    """what stands for the first, for people"""
    after: str
    cases: tuple[Compared, ...]
    refused: tuple[str, ...]
    """cases that are not like with like, and why; one line each"""
    notes: tuple[str, ...]
    """what differs besides: machines, threads, versions, settings"""


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


class Gate(Record, frozen=True):
    """What the gate says of a run."""

    outcome: GateOutcome
    method: Method
    max_slowdown: float
    baseline: str
    run: str
    cases: tuple[GateCase, ...]
    notes: tuple[str, ...]
