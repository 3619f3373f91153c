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
