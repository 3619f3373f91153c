"""An engine as it is now, packed up, so that it can be raced again when it is no longer so."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from bakeoff.errors import EngineFolderError
from bakeoff.records import Converter, EngineSpec, EnvironmentSpec
from bakeoff.scorecards import ConverterKit, EngineKit, LockedKit

LARGEST_BYTES = 1_000_000
"""of an engine's folder: adapters are small, and whatever is larger is no code"""
_NOT_OURS = {"__pycache__"}
_DECLARATIONS = {".toml", ".lock"}
"""what the kit holds in fields of its own"""


def pack(engine: EngineSpec) -> EngineKit:
    """Everything it takes to race `engine` again as it is.

    Raises `EngineFolderError` if its folder holds anything but text, or too much.
    """
    return EngineKit(
        name=engine.name,
        title=engine.title,
        framework=engine.framework,
        release=engine.release,
        league=engine.league,
        adapter=engine.adapter.name,
        model=msgspec.structs.replace(engine.model, converter=None),
        converter=_packed_converter(engine.name, engine.model.converter),
        requirement=engine.requirement,
        options=engine.options,
        env=engine.env,
        recipe=engine.recipe.name if engine.recipe else "",
        takes=engine.takes,
        **_locked(engine.name, engine.adapter.parent, engine.environment),
    )


def pack_all(engines: Sequence[EngineSpec], note: Callable[[str], None]) -> list[EngineKit]:
    """What each engine is made of; one that cannot be kept is noted."""
    kits = []
    for engine in engines:
        try:
            kits.append(pack(engine))
        except EngineFolderError as error:
            note(f"{error}: no later gate can race it again as it is")
    return kits


def _packed_converter(name: str, converter: Converter | None) -> ConverterKit | None:
    if converter is None:
        return None
    locked = _locked(name, converter.script.parent, converter.environment)
    return ConverterKit(script=converter.script.name, reads=converter.reads, **locked)


def _locked(name: str, folder: Path, spec: EnvironmentSpec) -> dict[str, Any]:
    """The fields of a `LockedKit` for engine `name`: what `folder` holds, to be run in `spec`."""
    return {
        "files": _files(name, folder),
        "environment": spec.name,
        "kind": spec.kind,
        "python": spec.python,
        "requirements": spec.requirements,
        "suite": spec.suite,
        "lock": _text(name, spec.lock),
    }


def unpack(kit: EngineKit, name: str, folder: Path, now: Collection[EnvironmentSpec]) -> EngineSpec:
    """The engine of `kit` under another `name`, its files written below `folder`.

    If its lock is that of one of the environments `now`, it runs in that; else in one of its own, built from the old
    lock. The same goes for the converter of its models. Raises `EngineFolderError` for files that would lie outside of
    `folder`.
    """
    home, environment = _unpacked(kit, folder, now)
    converter = None
    if kit.converter is not None:
        tools, its_environment = _unpacked(kit.converter, folder, now)
        script = tools / kit.converter.script
        converter = Converter(script=script, environment=its_environment, reads=kit.converter.reads)
    return EngineSpec(
        name=name,
        title=f"{kit.title}, as it was",
        framework=kit.framework,
        release=kit.release,
        league=kit.league,
        adapter=home / kit.adapter,
        environment=environment,
        model=msgspec.structs.replace(kit.model, converter=converter),
        requirement=kit.requirement,
        options=kit.options,
        env=kit.env,
        recipe=home / kit.recipe if kit.recipe else None,
        takes=kit.takes,
    )


def _unpacked(kit: LockedKit, folder: Path, now: Collection[EnvironmentSpec]) -> tuple[Path, EnvironmentSpec]:
    """Where the files of `kit` are, below `folder`, and the environment that they run in."""
    digest = hashlib.sha256(msgspec.msgpack.encode(kit, order="deterministic")).hexdigest()
    home = folder / digest[:16]
    for relative, text in kit.files.items():
        _write(home, relative, text)
    _write(home, "engine.lock", kit.lock)
    for environment in now:
        if environment.lock.read_bytes() == kit.lock.encode():
            return home, environment
    lock_digest = hashlib.sha256(kit.lock.encode()).hexdigest()
    return home, EnvironmentSpec(
        name=f"{kit.environment}-as-of-{lock_digest[:8]}",
        kind=kit.kind,
        lock=home / "engine.lock",
        python=kit.python,
        requirements=kit.requirements,
        suite=kit.suite,
    )


def _files(name: str, folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not _NOT_OURS & set(path.parts))
    code = [path for path in found if path.suffix not in _DECLARATIONS]
    size = sum(path.stat().st_size for path in code)
    if size > LARGEST_BYTES:
        raise EngineFolderError(f"engine {name}: its folder {folder} holds {size / 1e6:.1f} MB of code")
    return {path.relative_to(folder).as_posix(): _text(name, path) for path in code}


def _text(name: str, path: Path) -> str:
    """The file as it is, line ends included: a lock is known by the digest of its bytes."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise EngineFolderError(f"engine {name}: {path} is no text") from error


def _write(home: Path, relative: str, text: str) -> None:
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts or "\\" in relative or ":" in relative:
        raise EngineFolderError(f"a kept engine has a file that lies outside of its folder: {relative!r}")
    path = home.joinpath(*parts.parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
