"""An engine as it is now, packed up, so that it can be raced again when it is no longer so."""

import hashlib
from pathlib import Path, PurePosixPath

import msgspec

from bakeoff.errors import EngineFolderError
from bakeoff.records import EngineSpec, EnvironmentSpec
from bakeoff.scorecards import EngineKit

LARGEST_BYTES = 1_000_000
"""of an engine's folder: adapters are small, and whatever is larger is no code"""
_NOT_OURS = {"__pycache__"}
_DECLARATIONS = {".toml", ".lock"}
"""what the kit holds in fields of its own"""


def pack(engine: EngineSpec) -> EngineKit:
    """Everything it takes to race `engine` again as it is.

    Raises `EngineFolderError` if its folder holds anything but text, or too much.
    """
    spec = engine.environment
    return EngineKit(
        name=engine.name,
        title=engine.title,
        framework=engine.framework,
        release=engine.release,
        league=engine.league,
        adapter=engine.adapter.name,
        files=_files(engine),
        model=engine.model,
        requirement=engine.requirement,
        options=engine.options,
        env=engine.env,
        environment=spec.name,
        kind=spec.kind,
        python=spec.python,
        requirements=spec.requirements,
        suite=spec.suite,
        lock=_text(engine, spec.lock),
    )


def unpack(kit: EngineKit, name: str, folder: Path, now: EnvironmentSpec | None) -> EngineSpec:
    """The engine of `kit` under another `name`, its files written below `folder`.

    If its lock is that of the environment `now`, it runs in that; else in one of its own, built from the old lock.
    Raises `EngineFolderError` for files that would lie outside of `folder`.
    """
    digest = hashlib.sha256(msgspec.msgpack.encode(kit, order="deterministic")).hexdigest()
    home = folder / digest[:16]
    for relative, text in kit.files.items():
        _write(home, relative, text)
    _write(home, "engine.lock", kit.lock)
    lock_digest = hashlib.sha256(kit.lock.encode()).hexdigest()
    environment = EnvironmentSpec(
        name=f"{kit.environment}-as-of-{lock_digest[:8]}",
        kind=kit.kind,
        lock=home / "engine.lock",
        python=kit.python,
        requirements=kit.requirements,
        suite=kit.suite,
    )
    if now is not None and now.lock.read_bytes() == kit.lock.encode():
        environment = now
    return EngineSpec(
        name=name,
        title=f"{kit.title}, as it was",
        framework=kit.framework,
        release=kit.release,
        league=kit.league,
        adapter=home / kit.adapter,
        environment=environment,
        model=kit.model,
        requirement=kit.requirement,
        options=kit.options,
        env=kit.env,
    )


def _files(engine: EngineSpec) -> dict[str, str]:
    folder = engine.adapter.parent
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not _NOT_OURS & set(path.parts))
    code = [path for path in found if path.suffix not in _DECLARATIONS]
    size = sum(path.stat().st_size for path in code)
    if size > LARGEST_BYTES:
        raise EngineFolderError(f"engine {engine.name}: its folder {folder} holds {size / 1e6:.1f} MB of code")
    return {path.relative_to(folder).as_posix(): _text(engine, path) for path in code}


def _text(engine: EngineSpec, path: Path) -> str:
    """The file as it is, line ends included: a lock is known by the digest of its bytes."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise EngineFolderError(f"engine {engine.name}: {path} is no text") from error


def _write(home: Path, relative: str, text: str) -> None:
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts or "\\" in relative or ":" in relative:
        raise EngineFolderError(f"a kept engine has a file that lies outside of its folder: {relative!r}")
    path = home.joinpath(*parts.parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
