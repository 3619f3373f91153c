"""Models in the forms that converters write: each runs in an environment of its own, once for each model."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bakeoff import fenced, paths
from bakeoff.environments import programs
from bakeoff.errors import EnvironmentUnavailableError, ModelTaskError, UnsupportedModelError
from bakeoff.models import sandbox
from bakeoff.models.library import ModelLibrary
from bakeoff.records import OWN, Converter, EngineSpec, Installed, ModelForm, ModelRecord
from bakeoff.worker.session import spawn_environment, temporary

LIMIT_S = 900.0
"""The most that one conversion may take."""
REFUSAL = "NotImplementedError: "
"""How the last line on stderr begins of a converter that cannot carry the model; any other is an error of its own."""


def form_for(
    engine: EngineSpec,
    model: ModelRecord,
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    library: ModelLibrary,
    note: Callable[[str], None],
) -> tuple[ModelForm, Path]:
    """The form in which `engine` gets `model`, and where it lies: the user's own file if it takes that.

    Raises as `in_form` does, and `UnsupportedModelError` where the user's own file is all there is.
    """
    if model.source and model.source in engine.takes:
        return ModelForm(format=f"{OWN}{model.source}"), library.source(model.source, model.source_digest)
    if model.unconverted:
        raise UnsupportedModelError(model.unconverted)
    return engine.model, in_form(model, engine.model, standing, library, note)


def in_form(
    model: ModelRecord,
    form: ModelForm,
    standing: Mapping[str, Installed | EnvironmentUnavailableError],
    library: ModelLibrary,
    note: Callable[[str], None],
) -> Path:
    """`model` in `form`, converted now if it never was; `note` gets a line with the time that took.

    `standing` has the environments by name. Raises `UnsupportedModelError` where the model has no such form and
    `ModelTaskError` where the conversion failed, naming the converter and its reason, and
    `EnvironmentUnavailableError` where the converter's environment cannot be had.
    """
    converter = form.converter
    if converter is None:
        return library.form(model, form)
    installed = standing[converter.environment.name]
    if not isinstance(installed, Installed):
        message = f"its models are converted in environment {converter.environment.name}: {installed}"
        raise EnvironmentUnavailableError(message, installed.advice)
    source = in_form(model, converter.reads, standing, library, note)
    log = source.with_name(f"to-{form.format}.log")

    def write(target: Path) -> None:
        started = time.monotonic()
        try:
            run(converter, installed, source, target, log)
        except programs.ProgramFailedError as error:
            reason = str(error).removeprefix(REFUSAL)
            kind = UnsupportedModelError if str(error).startswith(REFUSAL) else ModelTaskError
            message = f"{named(converter)} cannot convert {model.name}: {reason}"
            raise kind(message, f"the full log is {log}") from error
        note(f"{model.name}: converted to {form.format} in {time.monotonic() - started:.0f} s ({named(converter)})")

    return library.converted(model, f"{digest(converter, installed)}.{form.format}", write)


def run(converter: Converter, installed: Installed, source: Path, target: Path, log: Path) -> None:
    """Have `converter` write `target` from `source`. Raises `ProgramFailedError` in one line."""
    words = [*installed.command, str(converter.script), str(source), str(target)]
    env = spawn_environment(os.cpu_count() or 1, installed.env, temporary(target.parent))
    run_limited(words, env, paths.worker_home(), log, writable=[paths.worker_home(), target.parent])
    if not target.exists():
        raise programs.ProgramFailedError("it ended well and wrote nothing")


def run_limited(
    words: Sequence[str],
    env: Mapping[str, str],
    folder: Path,
    log: Path,
    *,
    timeout_s: float | None = None,
    writable: Sequence[Path] | None = None,
) -> None:
    """Run a command in `folder`, its memory and time limited, and where the platform allows without network.

    It may write beneath `writable` alone; None: wherever its user may.
    """
    bounded = fenced.command(words, offline=True, memory_mb=sandbox.Limits().memory_mb, writable=writable)
    programs.run(bounded, env=env, cwd=folder, log=log, timeout_s=timeout_s or LIMIT_S)


def named(converter: Converter) -> str:
    """The converter as its user knows it: the framework's folder and the script."""
    return f"{converter.script.parent.name}/{converter.script.name}"


def digest(converter: Converter, installed: Installed) -> str:
    """What the outcome depends on beside the model: the environment, and every script in the converter's folder."""
    sha = hashlib.sha256(f"{installed.digest} {converter.script.name} {converter.reads.format}".encode())
    for script in sorted(converter.script.parent.glob("*.py")):
        sha.update(script.name.encode() + script.read_bytes())
    return sha.hexdigest()[:16]
