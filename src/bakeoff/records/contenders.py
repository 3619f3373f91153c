"""A contender: one engine, run in one way; and how it is called."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bakeoff.records.base import Record

Scalar = bool | int | float | str
Settings = tuple[tuple[str, Scalar], ...]
"""settings by name, in the order of their names"""

CANARY = "canary"
"""name of the contender that is not compared with others: fixed work that runs in every heat, under the heat's own
model name and batch size, to show what the machine did meanwhile"""

THREADS = "threads"
"""the setting that every engine has: how many work within an operator"""
FRAMEWORKS_OWN = "default"
"""its value that asks for none: as many as the framework takes by itself"""
_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_VALUE = r"[A-Za-z0-9._+-]+"
_KEY = r"[a-z][a-z0-9_]*"
_NAME = re.compile(
    rf"(?P<engine>[a-z0-9][a-z0-9._-]*)"
    rf"(?P<environment>=={_WORD}|@{_WORD})?"
    rf"(?:\[(?P<settings>{_KEY}={_VALUE}(?:,{_KEY}={_VALUE})*)\])?"
)


class Contender(Record, frozen=True, order=True):
    """One engine run in one way: what is raced, and what a row of a table is about.

    Another way to run it is `msgspec.structs.replace`, or `having` for settings, under another name.
    """

    name: str
    """unique in its run, by the grammar of `ContenderName`; what the contenders of a run have in common is not in it"""
    engine: str
    """the engine's name in the catalogue"""
    settings: Settings = ()
    """what its adapter gets, over the engine's own options; `threads` among them"""
    env: tuple[tuple[str, str], ...] = ()
    """environment variables of its workers, over the engine's own, in the order of their names"""
    environment: str = ""
    """where it runs, as its name has it: "==1.20.1", another release; "@baseline", another installation; empty: the
    environment that its engine.toml names"""
    precision: str = "fp32"
    """in which it is asked to compute"""
    device: str = "cpu"

    @property
    def build(self) -> str:
        """Its engine as installed: ``onnxruntime``, ``onnxruntime==1.20.1``, ``onnxruntime@mine``."""
        return f"{self.engine}{self.environment}"

    @property
    def threads(self) -> int | None:
        """Within an operator; None: as many as the framework takes by itself."""
        asked = dict(self.settings)[THREADS]
        return None if asked == FRAMEWORKS_OWN else int(asked)

    def having(self, **settings: Scalar) -> "Contender":
        """The same contender with these settings over its own."""
        return msgspec.structs.replace(self, settings=ordered(dict(self.settings) | settings))


class Case(Record, frozen=True, order=True):
    """One cell of the table: contender x model x batch size."""

    contender: Contender
    model: str
    """the model's name within the run; its digest stands in the run's `ModelRecord`"""
    batch_size: int


class ContenderName(NamedTuple):
    """What a contender's name says: ``ENGINE[==VERSION | @ENVIRONMENT][[KEY=VALUE,...]]``.

    As in ``onnxruntime[spin=false,threads=1]``, ``onnxruntime==1.20.1`` and ``onnxruntime@mine``.
    """

    engine: str
    environment: str = ""
    """with its sign: "==1.20.1", "@mine" """
    settings: Settings = ()

    @classmethod
    def parse(cls, text: str) -> "ContenderName | None":
        """What `text` says; None if it is no contender's name, such as a glob over engines' names."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        pairs = [pair.partition("=") for pair in (found["settings"] or "").split(",") if pair]
        return cls(found["engine"], found["environment"] or "", ordered({key: scalar(text) for key, _, text in pairs}))

    def __str__(self) -> str:
        """The name, its settings in order."""
        settings = ",".join(f"{key}={word(value)}" for key, value in self.settings)
        return f"{self.engine}{self.environment}{f'[{settings}]' if settings else ''}"


def ordered(settings: Mapping[str, Scalar]) -> Settings:
    """`settings` as a contender has them."""
    return tuple(sorted(settings.items()))


def scalar(text: str) -> Scalar:
    """``true``, ``false`` and numbers as what they are, if `word` writes them so again; anything else as text."""
    if text in {"true", "false"}:
        return text == "true"
    for number in (int, float):
        try:
            value = number(text)
        except ValueError:
            continue
        if str(value) == text and math.isfinite(value):
            return value
    return text


def word(value: Scalar) -> str:
    """`value` as `scalar` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def file_name(contender: str) -> str:
    """A contender's name as part of a file's name: without the characters that shells take for a pattern.

    ``a[spin=false,threads=1]`` becomes ``a-spin=false-threads=1``. No two names become one: an engine's has no "=".
    """
    return contender.replace("[", "-").replace(",", "-").removesuffix("]")
