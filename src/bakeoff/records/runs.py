"""Runs: what was to be raced, where, and by whom."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from bakeoff.records.base import Record
from bakeoff.records.contenders import Case, Contender
from bakeoff.records.models import ModelRecord, Shaping
from bakeoff.records.requests import INDIFFERENCE, Options, Request
from bakeoff.records.trials import Finding


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
    snapshot: str = msgspec.field(default="", name="kit")
    """digest of the `EngineSnapshot` that races it again as it was; "" where none was kept"""


class Scenario(StrEnum):
    """How queries come, in MLPerf's sense (Reddi et al., "MLPerf Inference Benchmark", ISCA 2020)."""

    LATENCY = "latency"
    """one after another, each when the one before it is answered: a single stream"""
    OFFLINE = "offline"
    """all at once: what counts is how many are answered in a second"""
    SERVER = "server"
    """at random, as a Poisson process: what counts is at which rate they may come with latencies within a bound"""


class Plan(Options, frozen=True, kw_only=True):
    """What to race, completely: the same plan and seed give the same order, however many turns are worth their time."""

    models: tuple[str, ...]
    contenders: tuple[Contender, ...]
    batch_sizes: tuple[int, ...]
    threads: int
    """of every contender whose settings do not say otherwise"""
    budget_s: float = 900.0
    target_ci: float = INDIFFERENCE
    """how far a contender's interval may reach to each side, relative, before it needs no more rounds"""
    target_ci_rest: float = 0.25
    """the same for engines that are certainly beaten"""
    profile: bool = False
    """whether a share of the budget goes to a profile trial of each case"""
    files: Mapping[str, str] = {}
    """the absolute path of each model that is a user's own file, by its name in `models`; of one that the user's own
    code builds, FOLDER/package.module:factory"""
    shaping: Shaping = Shaping()
    """of the user's own models"""
    fixed_batches: Mapping[str, int] = {}
    """the one batch size of each model that has no batch axis"""
    scenario: Scenario = Scenario.LATENCY
    pictures: str = ""
    """absolute path of a folder of labelled pictures, or of some of its files by a pattern; empty: no accuracy"""
    request: Request | None = None
    """what was asked for; None in runs from before it was kept"""

    def sizes(self, model: str) -> tuple[int, ...]:
        """The batch sizes that `model` is raced at."""
        return (self.fixed_batches[model],) if model in self.fixed_batches else self.batch_sizes

    def cases(self) -> list[Case]:
        """Every cell of the table, model by model, in the plan's order."""
        return [
            Case(contender=contender, model=model, batch_size=size)
            for model in self.models
            for size in self.sizes(model)
            for contender in self.contenders
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the contenders."""
        return tuple(contender.name for contender in self.contenders)

    @property
    def precision(self) -> str:
        """Asked of the contenders, with commas between several."""
        return ", ".join(dict.fromkeys(contender.precision for contender in self.contenders))

    @property
    def device(self) -> str:
        """Of the contenders, with commas between several."""
        return ", ".join(dict.fromkeys(contender.device for contender in self.contenders))
