"""The tables of an engine.toml: which fields they have, and of which types. docs/design.md says what they mean."""

from typing import Any, Literal

import msgspec


class EnvironmentTable(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    """one of `bakeoff.environments.kinds`"""
    lock: str
    python: str | None = None
    requirements: tuple[str, ...] = ()
    suite: str | None = None
    download_mb: int = 0
    disk_mb: int = 0


class ModelTable(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    max_ir_version: int | None = None
    max_opset: int | None = None


class ConverterTable(msgspec.Struct, forbid_unknown_fields=True):
    script: str
    environment: str
    reads: ModelTable


class ImporterTable(msgspec.Struct, forbid_unknown_fields=True):
    script: str
    environment: str


class EngineTable(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    release: Literal["today", "2019"]
    league: Literal["fp32", "fp16", "bf16", "int8"]
    adapter: str
    environment: str
    model: ModelTable
    package: str | None = None
    options: dict[str, Any] = {}
    env: dict[str, str] = {}
    groups: tuple[str, ...] = ()
    note: str = ""
    hidden: bool = False
    spins: bool = False
    recipe: str | None = None
    takes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class FolderTable(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    environments: dict[str, dict[str, Any]] = {}
    converters: dict[str, dict[str, Any]] = {}
    importers: dict[str, dict[str, Any]] = {}
    engines: dict[str, dict[str, Any]] = {}
