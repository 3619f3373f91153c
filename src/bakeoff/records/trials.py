"""Trials: what was measured, and what stood in the way."""

from collections.abc import Mapping
from typing import Any

from bakeoff.records.base import Record, Status
from bakeoff.records.contenders import Case


class Parity(Record, frozen=True):
    """How far outputs lie from the reference."""

    max_rel_error: float | None
    """max|y - y64| / max|y64|, the worst sample and output; None where an output is not finite or misshapen"""
    top1_agreement: float | None
    """share of samples whose largest class is the reference's; None where there are no classes"""


class Accuracy(Record, frozen=True):
    """How many labelled pictures an engine's largest output put into the right class."""

    right: int
    pictures: int

    @property
    def share(self) -> float:
        """Of all pictures, those in the right class."""
        return self.right / self.pictures

    def __str__(self) -> str:
        """As in ``18/20``."""
        return f"{self.right}/{self.pictures}"


class Probe(Record, frozen=True):
    """One run of LoadGen on the way to a case's figure under load."""

    instances: int
    threads: int
    """of each instance"""
    rate: float
    """queries per second: what was reached offline (0 if nothing was), what arrived at a server"""
    held: bool
    """offline: whether it ran at all; server: whether the 99th percentile was within the bound"""
    p99_s: float | None = None
    """server: of the latencies from arrival to answer"""
    reason: str = ""
    """why it did not run"""


class Load(Record, frozen=True):
    """What MLPerf LoadGen found of a case under load, in a process group of its own."""

    scenario: str
    """"offline" or "server" """
    instances: int
    threads: int
    """of each instance"""
    rate: float
    """queries per second: offline, answered; server, arriving while the bound held"""
    queries: int
    """that `rate` rests on"""
    bound_s: float | None = None
    """server: what 99% of the latencies from arrival to answer had to stay within"""
    p99_s: float | None = None
    """server: their 99th percentile, as LoadGen takes it"""
    probes: tuple[Probe, ...] = ()
    """what was tried before, or at other settings"""


class Measurement(Record, frozen=True):
    """What a worker's bursts gave for one case in one heat. Times in seconds."""

    latencies: tuple[tuple[float, ...], ...]
    """every latency, burst by burst"""
    warm_up: tuple[float, ...]
    load_s: float
    prepare_s: float
    first_inference_s: float
    import_s: float
    burst_s: tuple[float, ...]
    """wall time of each burst, first to last timed call"""
    cpu_s: tuple[Mapping[str, float], ...]
    """CPU time per thread, for each burst"""
    voluntary_switches: int
    involuntary_switches: int
    peak_rss_mb: float | None
    cold: bool
    """this case ran first in its process: load, first inference and peak memory are its own"""
    rss_mb: tuple[float, ...] = ()
    """of a profile trial: physical memory held before the first burst and after each"""
    helper_cpu_s: tuple[float, ...] = ()
    """CPU time of the processes that the worker started, for each burst"""
    queued_s: tuple[float | None, ...] = ()
    """for each burst, how long threads that could have run waited for a CPU, added up; None where unknown"""
    log_bytes: int = 0
    """written to stdout and stderr by the timed calls, if the untimed ones write as much"""
    busy_without_spinning: float | None = None
    """how many threads are busy with the same work when idle ones sleep; None where that was not tried"""
    load: Load | None = None
    """under load: the figure, and how it came about; `latencies` then are how long each instance's answers took,
    without waiting, instance by instance"""


class Disturbance(Record, frozen=True):
    """What others took of the CPUs that this process may use, while a trial's bursts ran.

    Worker and controller are not others; nor is who runs where we may not, or on what a cgroup's quota leaves over.
    """

    others_cpu_s: float
    """CPU seconds of all other processes, interrupts included"""
    steal_s: float
    """CPU seconds that a hypervisor gave to other machines; 0 where it does not say"""
    wall_s: float
    cpus: float
    """how many we may use: so many CPU seconds a second were there to be had"""
    resolution_s: float
    """CPU seconds that the machine's counters may be off by rounding alone"""

    @property
    def share(self) -> float:
        """Of the CPU time there was, how much went elsewhere."""
        return (self.others_cpu_s + self.steal_s) / (self.cpus * self.wall_s)


class Trial(Record, frozen=True):
    """One worker's part in one heat for one case, or the reason why there is none."""

    round: int
    case: Case
    status: Status
    reason: str = ""
    log: str = ""
    framework_version: str = ""
    environment_digest: str = ""
    requested: Mapping[str, Any] = {}
    effective: Mapping[str, Any] = {}
    parity: Parity | None = None
    measurement: Measurement | None = None
    started_at: float = 0.0
    """seconds since the epoch"""
    disturbance: Disturbance | None = None
    """None where the platform does not tell, and without a measurement"""
    repeat: bool = False
    """raced again in the same round because others disturbed it: it stands for the case's trials of that round
    before it"""
    profile: bool = False
    """a long trial for percentiles and drift, after `round`; its speed counts nowhere"""
    accuracy: Accuracy | None = None
    """on the user's labelled pictures: in the first round, at the smallest batch size"""


class Finding(Record, frozen=True):
    """What the audit found that may spoil a measurement, and what to do about it."""

    topic: str
    found: str
    advice: str


class CanaryFigure(Record, frozen=True):
    """How fast the canary ran in one heat at one batch size, so that runs can be compared over time."""

    round: int
    model: str
    batch_size: int
    """both only say when: the canary's work is always the same"""
    threads: int
    calls_per_s: float
    started_at: float
    """seconds since the epoch"""
    version: int = 1
    """of the work: unlike versions are never set against each other"""
