"""Verifies a pack as who gets it does: in a fresh environment of the files that it lists, by its own verify.py."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bakeoff import fenced, paths, processes
from bakeoff.environments import fresh
from bakeoff.environments.wheels import WHEELS
from bakeoff.errors import ExitCode, PackError, UsageError
from bakeoff.ship.pack.verify import MANIFEST, changed
from bakeoff.worker.session import spawn_environment, temporary


def verify(pack: Path, arguments: Sequence[str], say: Callable[[str], None], key: Path | None = None) -> int:
    """The exit code of the pack's verify.py, which prints what it finds; it gets `arguments`, and no network.

    Raises `UsageError` where `pack` is none, `PackError` where its files are not what its manifest says or, with a
    public `key`, not what was signed, and `EnvironmentUnavailableError` where what it lists is not to be had.
    """
    pack = pack.absolute()
    if not (pack / MANIFEST).is_file():
        raise UsageError(f"{pack} is no pack: it has no {MANIFEST}", "bakeoff ship writes packs.")
    if differences := changed(pack):
        raise PackError(f"{pack.name} was changed: {'; '.join(differences)}")
    if key:
        from bakeoff.ship.signing import check  # noqa: PLC0415 - an extra

        check(pack, key)
    settings: dict[str, Any] = json.loads((pack / "settings.json").read_text(encoding="utf-8"))
    wheels = pack / WHEELS
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as name:
        folder = Path(name)
        say(f"making a fresh environment with Python {settings['python']}")
        log = paths.cache_dir() / "verify.log"
        command = fresh.fill(
            folder, settings["python"], pack / "requirements.txt", wheels if wheels.is_dir() else None, log
        )
        words = [*command, str(pack / "verify.py"), *arguments]
        bounded = fenced.command(words, offline=True, writable=[paths.worker_home(), folder])
        env = processes.marked(spawn_environment(None, before_python(settings["variables"]), temporary(folder)))
        try:
            code = subprocess.run(bounded, env=env, cwd=folder, check=False).returncode
        finally:
            processes.end_family(env)
    return code if code in {ExitCode.OK, ExitCode.BAD_INPUT} else ExitCode.SOME_ROWS_BAD


def before_python(variables: dict[str, str]) -> dict[str, str]:
    """Those of a pack's environment variables that the loader reads, before Python starts."""
    return {name: value for name, value in variables.items() if name.startswith("LD_")}
