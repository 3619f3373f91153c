"""An engine as it is now, kept so that it can be raced again when it is no longer so."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from bakeoff.errors import EngineFolderError
from bakeoff.records import EngineSpec, EnvironmentSpec
from bakeoff.scorecards import EngineSnapshot

LARGEST_BYTES = 1_000_000
"""of an engine's folders: adapters are small; a larger file is no code"""
LOCKS = Path("locks")
_NOT_OURS = {"__pycache__"}
_DECLARATIONS = {".toml", ".lock"}
"""what a snapshot holds in its spec, and apart from the folders"""


def snapshot_of(engine: EngineSpec) -> EngineSnapshot:
    """The snapshot of `engine`: all that racing it again as it is needs.

    Raises `EngineFolderError` if its folders hold anything but text, or too much.
    """
    folders = dict.fromkeys(path if path.is_dir() else path.parent for path in _code_of(engine))
    files = {kept: text for folder in folders for kept, text in _texts(engine.name, folder)}
    files |= {_lock_of(spec).as_posix(): _text(engine.name, spec.lock) for spec in engine.environments}
    if sum(map(len, files.values())) > LARGEST_BYTES:
        size = sum(map(len, files.values())) / 1e6
        raise EngineFolderError(f"engine {engine.name}: its folders hold {size:.1f} MB of code")
    return EngineSnapshot(spec=_moved(engine, lambda path: path.relative_to(path.parent.parent), _lock_of), files=files)


def snapshots_of(engines: Sequence[EngineSpec], note: Callable[[str], None]) -> list[EngineSnapshot]:
    """A snapshot of each engine; one that cannot be kept is noted."""
    taken = []
    for engine in engines:
        try:
            taken.append(snapshot_of(engine))
        except EngineFolderError as error:
            note(f"{error}: no later gate can race it again as it is")
    return taken


def restore(snapshot: EngineSnapshot, name: str, folder: Path, now: Collection[EnvironmentSpec]) -> EngineSpec:
    """The engine of `snapshot` under another `name`, its files written below `folder`.

    Where a lock is that of one of the environments `now`, it runs in that; else in one of its own, built from the old
    lock. Raises `EngineFolderError` for files that would lie outside of `folder`.
    """
    home = folder / snapshot.digest[:16]
    for relative, text in snapshot.files.items():
        _write(home, relative, text)
    spec = _moved(snapshot.spec, lambda path: home / path, lambda spec: home / spec.lock)
    environment = _standing(spec.environment, now)
    converter = spec.model.converter
    if converter:
        converter = msgspec.structs.replace(converter, environment=_standing(converter.environment, now))
    model = msgspec.structs.replace(spec.model, converter=converter)
    title = f"{spec.title}, as it was"
    return msgspec.structs.replace(spec, name=name, title=title, environment=environment, model=model, groups=())


def _code_of(engine: EngineSpec) -> Iterator[Path]:
    """A file in each folder whose code it runs, and the folders that it uses besides."""
    yield engine.adapter
    yield from engine.uses
    if engine.model.converter:
        yield engine.model.converter.script


def _moved(engine: EngineSpec, code: Callable[[Path], Path], lock: Callable[[EnvironmentSpec], Path]) -> EngineSpec:
    """`engine` with its files at other places: `code` tells where a file of code lies, `lock` where a lock does."""

    def in_place(spec: EnvironmentSpec) -> EnvironmentSpec:
        return msgspec.structs.replace(spec, lock=lock(spec))

    converter = engine.model.converter
    if converter:
        converter = msgspec.structs.replace(
            converter, script=code(converter.script), environment=in_place(converter.environment)
        )
    return msgspec.structs.replace(
        engine,
        adapter=code(engine.adapter),
        recipe=engine.recipe and code(engine.recipe),
        uses=tuple(code(folder / "any").parent for folder in engine.uses),
        environment=in_place(engine.environment),
        model=msgspec.structs.replace(engine.model, converter=converter),
    )


def _lock_of(spec: EnvironmentSpec) -> Path:
    return LOCKS / f"{spec.name}.lock"


def _standing(spec: EnvironmentSpec, now: Collection[EnvironmentSpec]) -> EnvironmentSpec:
    """The one of `now` with the same lock; else `spec` under a name that tells its lock."""
    lock = spec.lock.read_bytes()
    same = next((each for each in now if each.lock.read_bytes() == lock), None)
    return same or msgspec.structs.replace(spec, name=f"{spec.name}-as-of-{EngineSnapshot.digest_of(lock)[:8]}")


def _texts(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Path, from the folder's own name on, and text of each of its files of code."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in _DECLARATIONS and not _NOT_OURS & set(path.parts):
            if path.stat().st_size > LARGEST_BYTES:
                size = path.stat().st_size / 1e6
                raise EngineFolderError(f"engine {name}: its folder {folder} holds {size:.1f} MB of code")
            yield path.relative_to(folder.parent).as_posix(), _text(name, path)


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
