"""``package.module:factory``: a model that the user's own code builds, exported in a process of its own.

The code runs on the interpreter that the user names, or in an environment with PyTorch and what the user's requirements
file lists; never in the controller.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bakeoff import paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import kinds, programs
from bakeoff.errors import ModelError, UsageError
from bakeoff.race.ready.conversion import run_limited
from bakeoff.race.ready.observer import Observer
from bakeoff.race.ready.prepare import install_all
from bakeoff.records import EnvironmentSpec, Plan
from bakeoff.worker.session import spawn_environment

FORMAT = "pt2"
SCRIPT = "export_factory.py"
"""beside the importer of what it writes"""


@contextmanager
def exported(plan: Plan, name: str, catalogue: Catalogue, observer: Observer) -> Iterator[Path]:
    """The exported program of the model called `name`, in a file that is gone when the block ends.

    Raises `ModelError` in one line where the user's code does something else.
    """
    importer = catalogue.importers[FORMAT]
    factory = Path(plan.files[name])
    log = paths.cache_dir() / "models" / "factories.log"
    if plan.python:
        command, env = [plan.python], {**os.environ}
    else:
        spec = importer.environment
        spec = _with_requirements(spec, Path(plan.requirements), observer) if plan.requirements else spec
        installed = install_all([spec], observer)[spec.name]
        command, env = [*installed.command], spawn_environment(os.cpu_count() or 1, installed.env)
    observer.say(f"exporting {name}")
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as scratch:
        target = Path(scratch) / f"{name}.{FORMAT}"
        words = [*command, str(importer.script.with_name(SCRIPT)), str(factory), str(target)]
        try:
            run_limited(words, env, factory.parent, log, timeout_s=plan.timeout_s)
        except programs.ProgramFailedError as error:
            raise ModelError(f"{factory.name} cannot be exported: {error}", f"the full log is {log}") from error
        yield target


def _with_requirements(base: EnvironmentSpec, file: Path, observer: Observer) -> EnvironmentSpec:
    """`base` and what `file` lists besides, locked. Raises `UsageError` where that has no solution."""
    try:
        lines = [line.partition(" #")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--requirements {file}: {error}") from error
    wanted = (*base.requirements, *(line for line in lines if line and not line.startswith("#")))
    key = hashlib.sha256("\n".join([base.python or "", *wanted]).encode()).hexdigest()[:16]
    lock = paths.cache_dir() / "locks" / f"{key}.lock"
    named = f"{base.name}-with-{key[:8]}"
    spec = msgspec.structs.replace(base, name=named, lock=lock, requirements=wanted)
    if not lock.is_file():
        observer.say(f"resolving {file.name}")
        text = kinds.of(spec).freeze(spec)
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(text, encoding="utf-8")
    return spec
