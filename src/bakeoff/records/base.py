"""What every other record is made with."""

from enum import StrEnum

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
