"""A new engine's folder, for `bakeoff engines new`: everything is there but the lines that only its author can write.

Those bear `MARK`; `unfilled` finds them, and a lock that was not made anew for new requirements.
"""

import re
from pathlib import Path

from bakeoff.engines.catalogue import BUILT_IN, FILE_NAME, Catalogue, valid_name
from bakeoff.environments import kinds
from bakeoff.errors import UsageError
from bakeoff.records import EngineSpec

MARK = "YOURS"
TEMPLATE = BUILT_IN / "template"
LOCK = BUILT_IN / "canary" / "canary.lock"
"""that of an environment with numpy alone"""


def write(name: str, folder: Path, catalogue: Catalogue) -> list[Path]:
    """Write the folder of an engine called `name`; returns its files.

    Raises `UsageError` for a name that is none or is taken, and for a folder that exists or cannot be made.
    """
    if not valid_name(name):
        raise UsageError(f"{name!r} is no name for an engine", "lower-case letters, digits, '.', '_' and '-'")
    if name in catalogue.engines or name in catalogue.environments:
        raise UsageError(f"there is an engine or environment called {name} already", "see `bakeoff engines list`")
    if folder.exists():
        raise UsageError(f"{folder} is there already", "say where else by --to, or remove it")
    texts = {
        FILE_NAME: (TEMPLATE / f"{FILE_NAME}.template").read_text(encoding="utf-8").replace("NAME", name),
        "adapter.py": (TEMPLATE / "adapter.py").read_text(encoding="utf-8").replace("NAME", name),
        f"{name}.lock": LOCK.read_text(encoding="utf-8"),
    }
    try:
        folder.mkdir(parents=True)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return [folder / file for file in texts]


def unfilled(engine: EngineSpec) -> list[str]:
    """What its author has still to do, one line each: marked lines to write, a lock to make anew."""
    folder = engine.adapter.parent
    left = [
        f"{path.name}, line {number}: {line[line.index(MARK) :]}"
        for path in (folder / FILE_NAME, *sorted(folder.glob("*.py")))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(rf"# {MARK}\b", line)
    ]
    environment = engine.environment
    if lacking := kinds.of(environment).unlocked(environment):
        command = f"bakeoff engines lock {environment.name} --engines-dir {folder}"
        left.append(f"{environment.lock.name} lacks {', '.join(lacking)}; make it anew: {command}")
    return left
