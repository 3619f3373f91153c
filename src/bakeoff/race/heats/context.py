"""What all contenders of a heat share: the model, its inputs, the answers expected, and the rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import msgspec

from bakeoff.judge.table import effort
from bakeoff.race.host import THIS, Host
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import ModelRecord, Plan


@dataclass(frozen=True)
class HeatContext:
    """One heat's setup: the same for every worker."""

    plan: Plan
    round: int
    model: ModelRecord
    inputs: Mapping[int, InputSets]
    """by batch size"""
    tolerance: float
    logs: Path
    scratch: Path
    time_is_up: Callable[[], bool]
    """asked before each batch size: once true, the heat ends early and what was measured stands"""
    say: Callable[[str], None]
    """told what happens next, always before a worker wakes: nothing is drawn while one runs"""
    repeats_help: Callable[[], bool] = lambda: True
    """asked before each repeat of what others disturbed: once false, no more is raced again in this heat"""
    happens_once: Callable[[float], None] = lambda seconds: None  # noqa: ARG005 - nobody plans by it
    """told how many seconds went into what a later heat will not do again"""
    host: Host = THIS
    aim_s: float = 0.0
    """how long the heat should take: turns go on while they pay and this holds, beyond the plan's least number"""
    turns_before: Mapping[int, Sequence[effort.Turns]] = field(default_factory=dict)
    """by batch size, what turns took in the rounds before"""
    of_processes: float = effort.PROCESS_SD**2
    """variance of log throughput between processes of one engine"""

    def with_task_of(self, runnable: Runnable) -> Self:
        """The context as `runnable` runs it: this one, unless it has a task of its own."""
        task = runnable.task
        if task is None:
            return self
        model = msgspec.structs.replace(self.model, inputs=task.inputs, outputs=task.outputs, classes=None)
        inputs = dict.fromkeys(self.inputs, task.sets)
        return replace(self, model=model, inputs=inputs, tolerance=task.tolerance)
