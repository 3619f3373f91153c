"""A request: what is to be raced, as the user asked for it."""

from collections.abc import Mapping

from bakeoff.records.base import Record
from bakeoff.records.contenders import Scalar

INDIFFERENCE = 0.02
"""the smallest relative difference in throughput that anybody should act on, unless told otherwise"""
BURSTS = 2
"""of each case in a heat: with a few seconds of loading per case, rounds buy more than longer heats"""
TIMEOUT_S = 300.0


class Options(Record, frozen=True):
    """What a request and the plan that is made of it both say. Paths of a plan are absolute."""

    weights: str = "seeded"
    seed: int = 0
    rounds: int | None = None
    """at most so many; None: as many as the budget holds"""
    indifference: float = INDIFFERENCE
    """the relative difference in throughput within which contenders are equivalent: what the race is sized for"""
    timeout_s: float = TIMEOUT_S
    """the deadline of each request to a worker"""
    bursts: int = BURSTS
    """bursts of each case in a heat, at least; see `bakeoff.judge.table.effort`"""
    quick: bool = False
    latency_bound_s: float | None = None
    """server: what 99% of the latencies must stay within; None: see `bakeoff.race.heats.load`"""
    python: str = ""
    """the interpreter in which the user's own code builds its models; empty: one with PyTorch and `requirements`"""
    requirements: str = ""
    """path of a requirements file: what that code needs besides PyTorch"""
    engines_dirs: tuple[str, ...] = ()


class Request(Options, frozen=True, kw_only=True):
    """What to race, as it was asked for and nothing resolved; `bakeoff.race.asking.plan.make_plan` makes a plan of it.

    Commands, the Python API, the gate and the study all ask by it. None and empty mean: the default. Paths are as they
    were given, relative to the working folder.
    """

    models: tuple[str, ...] = ()
    """built-in networks, paths of files, or package.module:factory"""
    engines: tuple[str, ...] = ()
    """contenders' names, engines, framework folders, groups and globs; none: the study's engines of `release`"""
    exclude: tuple[str, ...] = ()
    release: str | None = None
    """"today", "2019" or "all" """
    batch_sizes: tuple[int, ...] = ()
    threads: int | None = None
    """None: the CPUs that this process may use"""
    settings: Mapping[str, tuple[Scalar, ...]] = {}
    """values of knobs by ENGINE.KNOB, where ENGINE may mean several as in `engines`; each combination is a contender"""
    budget_s: float | None = None
    target_ci: float | None = None
    """how far a contender's interval may reach to each side, relative, before it needs no more rounds; None: as far as
    the indifference, 0: out of reach, so that no precision ends the race"""
    profile: bool | None = None
    scenario: str = "latency"
    shapes: Mapping[str, tuple[int, ...]] = {}
    """of models of one's own, by the name of an input or of an axis"""
    batch_axis: tuple[str, ...] = ()
    inputs: str = ""
    """path of an .npz of real inputs"""
    data: str = ""
    """a folder of labelled pictures, or some of its files by a pattern"""
    tags: tuple[str, ...] = ()
    strict: bool = False
    """measure nothing if the audit finds anything"""
    search: "SearchRequest | None" = None
    """the search over settings that this race is a step of"""


class Limits(Record, frozen=True):
    """What a setting must hold to be an answer; None: anything will do."""

    memory_mb: float | None = None
    """peak of a worker's physical memory"""
    start_s: float | None = None
    """from a fresh process to its first answer: import, load and first inference"""
    latency_s: float | None = None
    """the mean latency of a call"""


class SearchRequest(Record, frozen=True):
    """A search over settings, as `bakeoff tune` was asked for it: what it takes to go on with it."""

    request: Request
    objective: str
    limits: Limits
    before: tuple[str, ...] = ()
    """names of its runs before this one"""
