"""The tables of an engine.toml: the fields that refer to something else; `bakeoff.records.engines` has the others.

docs/design.md says what they mean.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from bakeoff.records import Scalar
from bakeoff.records.engines import Condition, EngineFields, EnvironmentFields, KnobFields, ModelFields


class EnvironmentTable(EnvironmentFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lock: str


class ModelTable(ModelFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ImporterTable(msgspec.Struct, forbid_unknown_fields=True):
    script: str
    environment: str


class ConverterTable(ImporterTable, forbid_unknown_fields=True):
    reads: ModelTable


class ConditionTable(Condition, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class KnobTable(KnobFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    when: ConditionTable = ConditionTable()
    only: Mapping[str, ConditionTable] = {}


class EngineTable(EngineFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    adapter: str
    environment: str
    model: ModelTable
    package: str | None = None
    recipe: str | None = None
    uses: tuple[str, ...] = ()
    knobs: Mapping[str, dict[str, Any]] = {}
    like: str = ""
    settings: Mapping[str, Scalar] = {}


class FolderTable(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    environments: dict[str, dict[str, Any]] = {}
    converters: dict[str, dict[str, Any]] = {}
    importers: dict[str, dict[str, Any]] = {}
    engines: dict[str, dict[str, Any]] = {}
