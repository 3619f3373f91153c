"""What a report shows of a run beyond its rows and verdicts."""

from collections.abc import Mapping
from typing import Any

from bakeoff.records.base import Record
from bakeoff.records.contenders import Case


class Latencies(Record, frozen=True):
    """How the latencies of a case are spread, in milliseconds."""

    case: Case
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    count: int
    profiled: bool
    """of one long profile trial; else of the race's short bursts"""


class Heat(Record, frozen=True):
    """One batch size in one heat of the race: when, and what the machine did meanwhile."""

    minute: float
    """since the race began"""
    round: int
    model: str
    batch_size: int
    canary: float | None
    """the canary's speed over its median of the whole run; None where it did not run"""
    taken: float | None
    """of the CPU time there was, how much others took in its worst trial; None where the platform does not tell"""
    disturbed: bool
    """more than its figures can bear"""
    counts: bool = True
    """whether the canary's figure does, as a case's of that round would; False too where it did not run"""


class Lead(Record, frozen=True):
    """Who is through with so many inferences the soonest, start-up included."""

    contender: str
    """its name"""
    first: int
    """from so many inferences on"""
    last: int | None
    """up to so many; None: however many more"""


class BreakEven(Record, frozen=True):
    """Of one model, batch size and league: where a quick start is worth more than a quick inference."""

    model: str
    batch_size: int
    league: str
    leads: tuple[Lead, ...]
    """together they cover every number of inferences from 1 on, in that order"""
    start_s: Mapping[str, float]
    """contender -> seconds to the first answer of a fresh process: import, load, first inference"""
    unknown: tuple[str, ...] = ()
    """contenders with a speed of which no start was seen"""


class Peak(Record, frozen=True):
    """The most that this machine was seen to compute in float32, in FLOP/s."""

    gemm: float
    """a square matrix product"""
    convolution: float
    """a 3 x 3 convolution as one matrix product over its patches, the copying of these included"""
    threads: int
    machine: str
    """digest of the machine's fingerprint"""
    measured_at: float
    """seconds since the epoch"""

    @property
    def flops(self) -> float:
        """The higher of both."""
        return max(self.gemm, self.convolution)


class PeakShare(Record, frozen=True):
    """How much of the peak a case reaches."""

    case: Case
    flops: float
    """FLOP/s: of the network as its file has it, whatever the engine really computes"""
    share: float


class Recipe(Record, frozen=True):
    """How to use an engine as it was raced."""

    case: Case
    settings: Mapping[str, Any]
    """what took effect"""
    installation: tuple[str, ...]
    """the commands that make its environment from `requirements`"""
    requirements: tuple[str, ...]
    """every package of its environment, pinned"""
    script: str
    """takes inputs.npz and outputs.npz as its arguments; "" where there is none"""
    why_no_script: str = ""
