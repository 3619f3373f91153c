"""What a search is made of, and what comes of it, as frozen types."""

from bakeoff.records import Contender, Limits, Record, Scalar, Settings, word
from bakeoff.scorecards import Change


class Point(Record, frozen=True):
    """A contender of a search."""

    contender: Contender
    default: str
    """the name of the contender that it is with none of its knobs turned"""
    values: Settings
    """of every knob that is searched, `threads` among them"""
    turned: Settings = ()
    """those of `values` that the default has otherwise"""

    @property
    def name(self) -> str:
        """The contender's."""
        return self.contender.name

    @property
    def is_default(self) -> bool:
        """Whether none of its knobs is turned."""
        return not self.turned

    @property
    def said(self) -> str:
        """``onnxruntime with spin=false, threads=1``; a default by its name alone."""
        settings = ", ".join(f"{knob}={word(value)}" for knob, value in self.turned)
        return f"{self.default} with {settings}" if settings else self.default


class Effect(Record, frozen=True):
    """What one value of a knob is worth alone, on average over the other settings that were searched."""

    engine: str
    """the name of the engine's default"""
    knob: str
    value: Scalar
    default: Scalar
    ratio: float
    """throughput with `value` over that with `default`"""
    interval: tuple[float, float]
    """95%, of this effect alone"""
    points: int
    """of the engine that it rests on"""


class Confirmed(Record, frozen=True):
    """A contender of the confirmation."""

    point: Point
    fps: float | None
    """images (under load samples) per second; None without a measured speed, as for all that follows"""
    fps_ci95: tuple[float, float] | None
    latency_ms: float | None
    memory_mb: float | None
    start_s: float | None
    error: float | None
    """of its answers, relative"""
    split: str = ""
    """under load: instances x threads of each"""
    gain: float | None = None
    """times the throughput of its engine's default; None for a default"""
    interval: tuple[float, float] | None = None
    """of the gain; those of all that are confirmed hold at once, over all looks, with 95% confidence"""
    change: Change | None = None
    """what the gain's interval says at the indifference"""
    unfit: str = ""
    """why it is no answer; empty if it may be"""
    pareto: bool = False
    """whether no other fit one is at least as good in speed, memory and start, and better in one"""


class LeftOut(Record, frozen=True):
    """A point that was searched, and is no candidate for a reason other than its speed."""

    name: str
    reason: str


class Tuned(Record, frozen=True):
    """What tuning a model says. Figures are the confirmation's; of the search are only the effects."""

    model: str
    objective: str
    batch_size: int
    indifference: float
    limits: Limits
    sentence: str
    """the answer"""
    answer: str | None
    """the name of the contender to use; None where there is none"""
    confirmed: tuple[Confirmed, ...]
    """defaults, then candidates"""
    effects: tuple[Effect, ...]
    left_out: tuple[LeftOut, ...]
    points: int
    """of the space"""
    raced: int
    """of them that the search has a speed of"""
    searched: tuple[str, ...]
    """names of the search's runs"""
    run: str
    """name of the run that confirmed"""
    state: str
    """of that run: "finished" or "interrupted" """
