"""The catalogue of every ``engines/<folder>/engine.toml``, and the engines of it that a name means.

docs/design.md describes the format. A folder registers by existing.
"""

import copy
import difflib
import fnmatch
import functools
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bakeoff.engines import knobs
from bakeoff.engines.tables import (
    ConverterTable,
    EngineTable,
    EnvironmentTable,
    FolderTable,
    ImporterTable,
    KnobTable,
    ModelTable,
)
from bakeoff.environments import kinds
from bakeoff.errors import EngineFolderError, UsageError
from bakeoff.records import OWN, Contender, Converter, EngineSpec, EnvironmentSpec, Knob, ModelForm, word

BUILT_IN = Path(__file__).parent
FILE_NAME = "engine.toml"
RESERVED_GROUPS = ("all", "today", "2019", "installed")
"""Groups that every catalogue has; an engine may not be called so."""
FORMATS = ("onnx", "plain")
"""The forms of a model that bakeoff writes itself; converters of engine folders write others."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

_Table = TypeVar("_Table", bound=msgspec.Struct)


class _Folder(msgspec.Struct):
    """An engine folder whose tables have the right fields and types; what they refer to is not checked yet."""

    path: Path
    title: str
    environments: dict[str, EnvironmentTable]
    converters: dict[str, ConverterTable]
    """by the format that each writes"""
    importers: dict[str, ImporterTable]
    """by the format that each reads"""
    engines: dict[str, EngineTable]

    @property
    def file(self) -> Path:
        return self.path / FILE_NAME


class Catalogue:
    """Every engine and environment that is known, in a stable order: folders by name, engines as written."""

    def __init__(
        self,
        engines: Mapping[str, EngineSpec],
        environments: Mapping[str, EnvironmentSpec],
        frameworks: Mapping[str, str],
        hidden: Mapping[str, EngineSpec] | None = None,
        importers: Mapping[str, Converter] | None = None,
    ) -> None:
        self.engines = dict(engines)
        self.environments = dict(environments)
        self.frameworks = dict(frameworks)
        """folder name -> title"""
        self.hidden = dict(hidden or {})
        """engines that are no contenders, by name"""
        self.importers = dict(importers or {})
        """converters of users' files to ONNX, by the format that each reads"""

    @classmethod
    def load(
        cls, extra_dirs: Iterable[Path] = (), *, built_in: Path = BUILT_IN, before_locking: bool = False
    ) -> "Catalogue":
        """Read the built-in engine folders, then those of `extra_dirs`.

        Each extra directory is an engine folder itself or holds engine folders. Every lock must exist, unless the
        catalogue is read to make them. Raises `EngineFolderError`.
        """
        folders = [_read_folder(path) for path in _engine_folders(built_in)]
        for directory in extra_dirs:
            found = [_read_folder(path) for path in _engine_folders(Path(directory).expanduser().absolute())]
            if not found:
                raise EngineFolderError(
                    f"{directory}: no engine folder here",
                    f"an engine folder holds an {FILE_NAME}; give such a folder, or one that contains some",
                )
            folders += found
        environments = _merge_environments(folders, before_locking=before_locking)
        converters = _merge_converters(folders, environments)
        engines: dict[str, EngineSpec] = {}
        for folder in folders:
            for name, table in folder.engines.items():
                if name in engines:
                    other = engines[name].adapter.parent / FILE_NAME
                    raise EngineFolderError(f"{folder.file}: engines.{name}: {other} has an engine of this name")
                engines[name] = _engine_spec(folder, name, table, environments, converters)
        shown = {name: engine for name, engine in engines.items() if not engine.hidden}
        hidden = {name: engine for name, engine in engines.items() if engine.hidden}
        frameworks = {engine.framework for engine in shown.values()}
        titles = {folder.path.name: folder.title for folder in folders if folder.path.name in frameworks}
        return cls(shown, environments, titles, hidden, _importers(folders, environments))

    def with_engines(self, engines: Iterable[EngineSpec]) -> "Catalogue":
        """A catalogue with these besides."""
        found = copy.copy(self)
        found.engines = self.engines | {engine.name: engine for engine in engines}
        return found

    def engine_of(self, contender: Contender) -> EngineSpec:
        """The engine that `contender` runs. Raises `UsageError` if it is not here."""
        engine = self.engines.get(contender.build)
        if engine is None:
            raise self._unknown(contender.build)
        return engine

    def groups(self) -> list[str]:
        """Every group that `select` takes, the reserved ones first."""
        declared = {group: None for engine in self.engines.values() for group in engine.groups}
        return [*RESERVED_GROUPS, *(group for group in declared if group not in RESERVED_GROUPS)]

    def select(
        self,
        patterns: Iterable[str],
        release: str | None = None,
        exclude: Iterable[str] = (),
        installed: Callable[[EngineSpec], bool] | None = None,
    ) -> list[EngineSpec]:
        """The engines that any of `patterns` means, less those that `exclude` means; no pattern means all.

        A pattern is, in this order of precedence, an engine's name, a group, a framework's folder, or a glob over
        engine names. The order is that of the patterns, within one that of the catalogue. `release` keeps "today"
        or "2019" only; `installed` answers for the group "installed". Raises `UsageError` for what means nothing.
        """
        chosen: dict[str, EngineSpec] = {}
        for pattern in [*patterns] or ["all"]:
            chosen |= {engine.name: engine for engine in self._meant_by(pattern, installed)}
        dropped = {engine.name for pattern in exclude for engine in self._meant_by(pattern, installed)}
        return [
            engine
            for name, engine in chosen.items()
            if name not in dropped and (release is None or engine.release == release)
        ]

    def _meant_by(self, pattern: str, installed: Callable[[EngineSpec], bool] | None) -> list[EngineSpec]:
        if pattern in self.engines:
            return [self.engines[pattern]]
        if pattern == "all":
            return [*self.engines.values()]
        if pattern == "installed" and installed is not None:
            return [engine for engine in self.engines.values() if installed(engine)]
        meanings: tuple[Callable[[EngineSpec], bool], ...] = (
            lambda engine: pattern == engine.release,
            lambda engine: pattern in engine.groups,
            lambda engine: pattern == engine.framework,
            lambda engine: fnmatch.fnmatchcase(engine.name, pattern),
        )
        for is_meant in meanings:
            if members := [engine for engine in self.engines.values() if is_meant(engine)]:
                return members
        raise self._unknown(pattern)

    def _unknown(self, pattern: str) -> UsageError:
        known = dict.fromkeys([*self.engines, *self.groups(), *self.frameworks])
        close = difflib.get_close_matches(pattern, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return UsageError(f"no engine, group or framework is called {pattern!r}", f"{hint}see `bakeoff engines list`")


def _engine_folders(directory: Path) -> list[Path]:
    if (directory / FILE_NAME).is_file():
        return [directory]
    if not directory.is_dir():
        return []
    return sorted(file.parent for file in directory.glob(f"*/{FILE_NAME}"))


def _read_folder(path: Path) -> _Folder:
    file = path / FILE_NAME
    try:
        content = _parsed(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EngineFolderError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise EngineFolderError(f"{file}: not valid TOML: {error}") from error
    table = _decode(content, FolderTable, file, "")
    return _Folder(
        path=path,
        title=table.title,
        environments=_tables(table.environments, EnvironmentTable, file, "environments"),
        converters=_tables(table.converters, ConverterTable, file, "converters"),
        importers=_tables(table.importers, ImporterTable, file, "importers"),
        engines=_tables(_complete(table.engines, file), EngineTable, file, "engines"),
    )


def _complete(tables: Mapping[str, dict[str, Any]], file: Path) -> dict[str, dict[str, Any]]:
    """The tables of engines, those that are like another one with its fields for what they do not say."""
    found: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        other = found.get(table["like"]) if "like" in table else {}
        if other is None or "settings" in other:
            raise EngineFolderError(f"{file}: engines.{name}.like: name an engine before it that has no settings")
        found[name] = other | table
    return found


@functools.cache
def _parsed(text: str) -> dict[str, Any]:
    """A catalogue may be read many times in a process, and parsing is most of what that takes."""
    return tomllib.loads(text)


def _tables(values: Mapping[str, object], kind: type[_Table], file: Path, what: str) -> dict[str, _Table]:
    """The tables of one sort, by name, with the right fields and types."""
    return {name: _decode(value, kind, file, f"{what}.{_valid(name, file, what)}") for name, value in values.items()}


def _decode(value: object, kind: type[_Table], file: Path, where: str) -> _Table:
    """Check `value` against `kind` strictly; the error names the file and the field, ``engines.NAME.FIELD``."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        problem, _, location = str(error).partition(" - at `$")
        field = f"{where}{location.rstrip('`')}".lstrip(".")
        raise EngineFolderError(f"{file}: {field}: {problem}" if field else f"{file}: {problem}") from error


def valid_name(name: str) -> bool:
    """Whether an engine or an environment may be called so."""
    return bool(_NAME.fullmatch(name)) and name not in RESERVED_GROUPS


def _valid(name: str, file: Path, table: str) -> str:
    if not valid_name(name):
        rule = "lower-case letters, digits, '.', '_' and '-', and none of " + ", ".join(RESERVED_GROUPS)
        raise EngineFolderError(f"{file}: {table}.{name}: not a valid name", f"a name has {rule}")
    return name


def _existing(folder: _Folder, name: str, field: str, advice: str | None = None) -> Path:
    path = (folder.path / name).absolute()
    if not path.is_file():
        raise EngineFolderError(f"{folder.file}: {field}: there is no file {name} in {folder.path}", advice)
    return path


def _merge_environments(folders: Collection[_Folder], *, before_locking: bool) -> dict[str, EnvironmentSpec]:
    environments: dict[str, EnvironmentSpec] = {}
    tables = [(folder, *item) for folder in folders for item in folder.environments.items()]
    for folder, name, table in tables:
        field = f"environments.{name}"
        if name in environments:
            other = environments[name].lock.parent / FILE_NAME
            raise EngineFolderError(f"{folder.file}: {field}: {other} has an environment of this name")
        resolved = {"name": name, "lock": (folder.path / table.lock).absolute()}
        spec = EnvironmentSpec(**msgspec.structs.asdict(table) | resolved)
        try:
            kinds.of(spec).check(spec)
        except EngineFolderError as error:
            raise EngineFolderError(f"{folder.file}: {error}", error.advice) from error
        if not before_locking:
            _existing(folder, table.lock, f"{field}.lock", f"make it with: bakeoff engines lock {name}")
        environments[name] = spec
    return environments


def _merge_converters(
    folders: Collection[_Folder], environments: Mapping[str, EnvironmentSpec]
) -> dict[str, Converter]:
    converters: dict[str, Converter] = {}
    for folder in folders:
        for name, table in folder.converters.items():
            field = f"converters.{name}"
            if name in FORMATS or name in converters:
                raise EngineFolderError(f"{folder.file}: {field}: something else writes {name!r}")
            reads = _model_form(folder, table.reads, {}, f"{field}.reads")
            converters[name] = _converter(folder, table, reads, environments, field)
    return converters


def _importers(folders: Collection[_Folder], environments: Mapping[str, EnvironmentSpec]) -> dict[str, Converter]:
    return {
        name: _converter(folder, table, ModelForm(format=f"{OWN}{name}"), environments, f"importers.{name}")
        for folder in folders
        for name, table in folder.importers.items()
    }


def _converter(
    folder: _Folder, table: ImporterTable, reads: ModelForm, environments: Mapping[str, EnvironmentSpec], field: str
) -> Converter:
    script = _existing(folder, table.script, f"{field}.script")
    environment = _declared(folder, table.environment, environments, f"{field}.environment")
    return Converter(script=script, environment=environment, reads=reads)


def _declared(folder: _Folder, name: str, environments: Mapping[str, EnvironmentSpec], field: str) -> EnvironmentSpec:
    if name in environments:
        return environments[name]
    close = difflib.get_close_matches(name, environments, n=3)
    raise EngineFolderError(
        f"{folder.file}: {field}: no engine folder declares {name!r}",
        f"did you mean {' or '.join(close)}?" if close else None,
    )


def _model_form(folder: _Folder, table: ModelTable, converters: Mapping[str, Converter], field: str) -> ModelForm:
    if table.format not in FORMATS and table.format not in converters:
        known = ", ".join([*FORMATS, *converters])
        raise EngineFolderError(f"{folder.file}: {field}.format: nothing writes {table.format!r}", f"known: {known}")
    if table.format != "onnx" and (table.max_ir_version or table.max_opset):
        raise EngineFolderError(f"{folder.file}: {field}: max_ir_version and max_opset are for format onnx")
    return ModelForm(**msgspec.structs.asdict(table), converter=converters.get(table.format))


def _engine_spec(
    folder: _Folder,
    name: str,
    table: EngineTable,
    environments: Mapping[str, EnvironmentSpec],
    converters: Mapping[str, Converter],
) -> EngineSpec:
    field = f"engines.{name}"
    environment = _declared(folder, table.environment, environments, f"{field}.environment")
    declared = msgspec.structs.asdict(table)
    package = declared.pop("package")
    its_knobs = _knobs(folder, table, field)
    resolved = {
        "name": name,
        "framework": folder.path.name,
        "adapter": _existing(folder, table.adapter, f"{field}.adapter"),
        "environment": environment,
        "model": _model_form(folder, table.model, converters, f"{field}.model"),
        "requirement": _requirement(folder, package, environment, f"{field}.package"),
        "uses": tuple(_beside(folder, each, f"{field}.uses") for each in table.uses),
        "recipe": _existing(folder, table.recipe, f"{field}.recipe") if table.recipe else None,
        "like": table.like if table.settings else "",
        "env": {**table.env, **knobs.variables(its_knobs, table.settings)},
        "knobs": {
            name: msgspec.structs.replace(knob, default=table.settings.get(name, knob.default))
            for name, knob in its_knobs.items()
        },
    }
    return EngineSpec(**declared | resolved)


def _knobs(folder: _Folder, table: EngineTable, field: str) -> dict[str, Knob]:
    """The engine's knobs, with the defaults of the engine that it is like."""
    found: dict[str, Knob] = {}
    for name, declared in table.knobs.items():
        knob = _decode(declared, KnobTable, folder.file, f"{field}.knobs.{name}")
        found[name] = msgspec.convert(msgspec.to_builtins(knob), Knob)
    for name in found:
        if fault := knobs.fault(name, found, table.options):
            raise EngineFolderError(f"{folder.file}: {field}.knobs.{name}: {fault}")
    for name, value in table.settings.items():
        if not table.like or name not in found or knobs.value_of(found[name], value) is None:
            raise EngineFolderError(
                f"{folder.file}: {field}.settings: {name}={word(value)} is no value of a knob of what it is like"
            )
    return found


def _beside(folder: _Folder, name: str, field: str) -> Path:
    """The engine folder called `name` beside `folder`."""
    path = folder.path.parent / name
    if not (path / FILE_NAME).is_file():
        raise EngineFolderError(f"{folder.file}: {field}: there is no engine folder {name} beside {folder.path.name}")
    return path.absolute()


def _requirement(folder: _Folder, package: str | None, environment: EnvironmentSpec, field: str) -> str:
    """The requirement of `environment` that names `package`; without one, its first."""
    if package is None:
        return environment.requirements[0] if environment.requirements else ""
    for requirement in environment.requirements:
        if re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] == package:
            return requirement
    raise EngineFolderError(f"{folder.file}: {field}: environment {environment.name} requires no {package!r}")
