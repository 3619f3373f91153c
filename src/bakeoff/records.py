"""The vocabulary as frozen types: what the store, the JSON and the protocol speak.

Nothing here imports anything of bakeoff, and everything else may import this.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A frozen value, made by keyword."""


class Status(StrEnum):
    """What became of a case."""

    OK = "ok"
    WRONG = "wrong"
    """its outputs lie too far from the reference, or it works where the clock does not run: no speed is published"""
    UNSUPPORTED = "unsupported"
    """the engine cannot do this"""
    UNAVAILABLE = "unavailable"
    """its environment or interpreter is missing"""
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    NOT_RUN = "not_run"
    """the budget was spent before it"""


CANARY = "canary"
"""the engine of a trial that is no contender's: the fixed work that runs in every heat, under the heat's own model
name and batch size, to show what the machine did meanwhile"""


class Case(Record, frozen=True, order=True):
    """One cell of the table: engine x model x batch size x threads x precision x device."""

    engine: str
    model: str
    """the model's name within the run; its digest stands in the run's `ModelRecord`"""
    batch_size: int
    threads: int
    precision: str = "fp32"
    device: str = "cpu"


# Models


class TensorSpec(Record, frozen=True):
    """A model's input or output.

    `shape` is in the model's own order, with None on the one axis where the batch size goes, if there is one. An
    output's size that only a run tells is -1.
    """

    name: str
    dtype: str
    """a numpy name: "float32", "int64" """
    shape: tuple[int | None, ...]
    below: int | None = None
    """integer inputs are drawn from 0 to below - 1; None where the model does not tell"""

    @property
    def batch_axis(self) -> int | None:
        """Which axis counts samples; None if the tensor has no batch axis."""
        return self.shape.index(None) if None in self.shape else None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """One sample's shape: without the batch axis."""
        return tuple(size for size in self.shape if size is not None)

    def at(self, batch_size: int) -> tuple[int, ...]:
        """The shape with the batch size filled in."""
        return tuple(batch_size if size is None else size for size in self.shape)


PRECISIONS = ("fp32", "fp16", "bf16")
"""the floating-point precisions that outputs are told apart by, the finest first"""


class Tolerances(Record, frozen=True):
    """Up to which parity error a model's outputs count as computed in each precision. Beyond all, they are wrong."""

    fp32: float
    fp16: float
    bf16: float
    rounding: Mapping[str, float] = {}
    """precision -> the error that rounding to it made, from which the rest follows; empty where the tolerances are a
    fixed number, since nothing could be calibrated"""


UNCALIBRATED = Tolerances(fp32=1e-4, fp16=1e-4, bf16=1e-4)
"""Where there is no float64 reference, and in runs from before there was calibration"""


class Shaping(Record, frozen=True):
    """How a user wants a model of their own raced: what its file leaves open."""

    shapes: Mapping[str, tuple[int, ...]] = {}
    """by input name: its whole shape, with 1 on the batch axis; by the name of an axis: its size alone"""
    batch_axis: tuple[str, ...] = ()
    """"1" for every input, "input=1" for one, the name of an axis, or "none"; empty: found in the model"""
    data: str = ""
    """absolute path of an .npz of real inputs; empty: inputs are drawn"""


class ModelRecord(Record, frozen=True):
    """A network with its weights and signature, named by its content digest."""

    name: str
    digest: str
    """sha256 of the source ONNX file (and its external data), hex"""
    weights: str
    """"seeded", "trained" or the checkpoint's file name"""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: int | None = None
    """how many classes the first output scores; None where top-1 means nothing"""
    parameters: int = 0
    flops: int = 0
    """multiply-adds x 2 of one sample, counted over convolutions and matrix products; 0 if unknown"""
    tolerances: Tolerances = UNCALIBRATED
    fixed_batch: int | None = None
    """the only batch size it can be raced at: the model has no batch axis; None: any"""
    quantized: bool = False
    """it computes on quantized values: float64 means nothing"""
    data_digest: str = ""
    """sha256 of the user's own inputs, hex; empty if inputs are drawn"""
    data_samples: int = 0
    """how many of them are raced"""
    reference: str = "float64"
    """what its outputs are judged against; anything but float64 in words: "ONNX Runtime without optimisations" """


class ModelForm(Record, frozen=True):
    """The form in which an engine takes a model.

    `format` is "onnx", "plain" (see `bakeoff.models.plain_graph`), or what a converter of some engine folder writes.
    For an old ONNX reader, `max_ir_version` and `max_opset` say what it still reads.
    """

    format: str
    max_ir_version: int | None = None
    max_opset: int | None = None
    converter: "Converter | None" = None
    """who writes `format`; None for what bakeoff writes itself"""


# Engines and environments


class EnvironmentSpec(Record, frozen=True):
    """A locked, isolated installation, as its engine.toml declares it."""

    name: str
    kind: str
    """"uv" or "debian" """
    lock: Path
    """absolute path of the lock"""
    python: str | None = None
    """"3.11"; None for kinds that bring their own"""
    requirements: tuple[str, ...] = ()
    """what the lock was compiled from; for `debian`, package names"""
    suite: str | None = None
    """`debian` only: the release whose packages are taken"""
    download_mb: int = 0
    disk_mb: int = 0


class Converter(Record, frozen=True):
    """A script that writes a model in another form, in an environment of its own, as its engine.toml declares it.

    It runs as ``[*command, script, source, target]`` and ends well with `target` written, or else with the reason as
    the last line on stderr.
    """

    script: Path
    """absolute path"""
    environment: EnvironmentSpec
    reads: ModelForm
    """what `source` is"""


class EngineSpec(Record, frozen=True):
    """One contender: a framework release run in one mode."""

    name: str
    title: str
    framework: str
    """the folder's name"""
    release: str
    """"today" or "2019" """
    league: str
    adapter: Path
    """absolute path of the adapter file"""
    environment: EnvironmentSpec
    model: ModelForm
    requirement: str = ""
    """the one of the environment's requirements that is this engine's framework: "torch==2.13.0" """
    options: Mapping[str, Any] = {}
    """handed to the adapter inside `settings`"""
    env: Mapping[str, str] = {}
    """environment variables of its workers, set before anything is imported"""
    groups: tuple[str, ...] = ()
    """besides its framework and release: "study" marks the default race"""
    note: str = ""
    hidden: bool = False
    """no contender: in no list, group or count"""

    @property
    def environments(self) -> tuple[EnvironmentSpec, ...]:
        """Its own, and that of whoever converts its models."""
        converter = self.model.converter
        return (self.environment, converter.environment) if converter else (self.environment,)

    spins: bool = False
    """its threads spin while they wait, which looks like work: they are counted without that, too"""


class Installed(Record, frozen=True):
    """An environment that stands ready. A worker starts as ``[*command, worker.py, adapter.py]`` with `env` added."""

    name: str
    digest: str
    """of the lock: what the environment is keyed by"""
    path: Path
    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    size_mb: float = 0.0


# Trials and runs


class Parity(Record, frozen=True):
    """How far outputs lie from the reference."""

    max_rel_error: float | None
    """max|y - y64| / max|y64|, the worst sample and output; None where an output is not finite or misshapen"""
    top1_agreement: float | None
    """share of samples whose largest class is the reference's; None where there are no classes"""


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
    """of a profile trial: physical memory held after each burst"""
    helper_cpu_s: tuple[float, ...] = ()
    """CPU time of the processes that the worker started, for each burst"""
    queued_s: tuple[float | None, ...] = ()
    """for each burst, how long threads that could have run waited for a CPU, added up; None where unknown"""
    log_bytes: int = 0
    """written to stdout and stderr during the bursts"""
    busy_without_spinning: float | None = None
    """how many threads are busy with the same work when idle ones sleep; None where that was not tried"""


class Disturbance(Record, frozen=True):
    """What others took of the CPUs that this process may use, while a trial's bursts ran.

    Worker and controller are not others; nor is who runs where we may not, or on what a cgroup's quota leaves over.
    """

    others_cpu_s: float
    """CPU seconds of everybody else, interrupts included"""
    steal_s: float
    """CPU seconds that a hypervisor gave to somebody else; 0 where none tells"""
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
    """a long trial for percentiles and the course of latencies, after `round`; its speed counts nowhere"""


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


class RunRecord(Record, frozen=True):
    """A whole race, as stored when it starts: enough to resume it and to report it."""

    name: str
    """unique in its store, for people: "2026-11-23-1" """
    started_at: float
    plan: "Plan"
    machine: Mapping[str, Any]
    """the fingerprint, see `bakeoff.machine.fingerprint`"""
    bakeoff_version: str
    models: tuple[ModelRecord, ...] = ()
    engines: tuple["EngineInfo", ...] = ()
    state: str = "running"
    """"running", "finished", "interrupted" """
    elapsed_s: float = 0.0
    """time spent racing, over all its sittings"""
    audit: tuple[Finding, ...] = ()
    """what was found of the machine before racing, in any of its sittings"""
    tags: tuple[str, ...] = ()
    """names that people gave it; several runs may have one"""


class EngineInfo(Record, frozen=True):
    """What a stored run remembers of an engine, so that a report needs no catalogue."""

    name: str
    title: str
    framework: str
    release: str
    league: str
    environment: str = ""
    kit: str = ""
    """digest of the `EngineKit` that races it again as it was; "" where none was kept"""


class Plan(Record, frozen=True):
    """What to race, completely: the same plan and seed give the same order of everything."""

    models: tuple[str, ...]
    engines: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    threads: int
    weights: str = "seeded"
    precision: str = "fp32"
    device: str = "cpu"
    seed: int = 0
    rounds: int | None = None
    """at most so many; None: as many as the budget holds"""
    budget_s: float = 900.0
    target_ci: float = 0.02
    """how far a contender's interval may reach to each side, relative, before it needs no more rounds"""
    target_ci_rest: float = 0.05
    """the same for engines that are certainly beaten"""
    timeout_s: float = 300.0
    """the deadline of each request to a worker"""
    bursts: int = 2
    """bursts of each case in a heat, until the first rounds have told how many are worth their time"""
    quick: bool = False
    profile: bool = False
    """whether a share of the budget goes to a profile trial of each case"""
    engines_dirs: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    """the absolute path of each model that is a user's own file, by its name in `models`"""
    shaping: Shaping = Shaping()
    """of the user's own models"""
    fixed_batches: Mapping[str, int] = {}
    """the one batch size of each model that has no batch axis"""

    def sizes(self, model: str) -> tuple[int, ...]:
        """The batch sizes that `model` is raced at."""
        return (self.fixed_batches[model],) if model in self.fixed_batches else self.batch_sizes

    def cases(self) -> list[Case]:
        """Every cell of the table, model by model, in the plan's order."""
        return [
            Case(
                engine=e,
                model=m,
                batch_size=b,
                threads=self.threads,
                precision=self.precision,
                device=self.device,
            )
            for m in self.models
            for b in self.sizes(m)
            for e in self.engines
        ]


class Summary(Record, frozen=True):
    """A case's row: its statistics over its trials, and everything a reader may ask of it."""

    case: Case
    status: Status
    reason: str
    framework_version: str
    requested: Mapping[str, Any]
    effective: Mapping[str, Any]
    fps: float | None
    """images per second: geometric mean over trials of images / measured time"""
    fps_ci95: tuple[float, float] | None
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


# Verdicts


class Outcome(StrEnum):
    """How an engine stands against the best."""

    LEADER = "leader"
    """fastest in the sample; whether it is certainly the fastest, the other outcomes tell"""
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


class Standing(Record, frozen=True):
    """One engine's place in a verdict."""

    engine: str
    outcome: Outcome
    ratio: float | None
    """how many times the throughput of the fastest other engine is this one's, the geometric mean over rounds that
    both have; below 1 for the leader. None where nothing can be compared"""
    interval: tuple[float, float] | None
    """of that ratio; all intervals of a verdict hold at once, over all looks, with 95% confidence.
    None where unbounded"""
    rounds: int
    """in common with the leader; the leader's own"""
    more_rounds: int | None = None
    """undecided only: about how many rounds would tell; None where no reasonable number would"""


class Verdict(Record, frozen=True):
    """What is known about one table: one model, batch size, thread count, league and device."""

    model: str
    batch_size: int
    threads: int
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
