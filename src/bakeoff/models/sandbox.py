"""The controller's end of the model worker: start one, give it one task, hold it to its limits."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from bakeoff import fenced
from bakeoff.errors import ModelError, ModelTaskError, NoReferenceError, UnsupportedModelError
from bakeoff.printable import MOST_OF_A_LINE, cut

Report = Callable[[str], None]

KINDS: dict[str, type[ModelError]] = {
    kind.__name__: kind for kind in (UnsupportedModelError, NoReferenceError, ModelTaskError)
}

MEMORY_SHARE = 0.75
"""Of the machine's memory: a hostile model must not push the machine into swap."""


@dataclass(frozen=True)
class Limits:
    """What a model worker may use."""

    seconds: float = 900.0
    memory_mb: int = int(psutil.virtual_memory().total * MEMORY_SHARE / 2**20)


def run(
    task: str, arguments: dict[str, Any], *, limits: Limits | None = None, report: Report | None = None, what: str = ""
) -> Any:
    """The result of one task of `bakeoff.models.sandboxed.tasks`, done in a model worker.

    `what` names the model in messages. Raises the `ModelError` that the task raised, and `ModelTaskError` where the
    task failed in an unexpected way, or its worker died or reached a limit; each in one line.
    """
    limits = limits or Limits()
    request = {
        "task": task,
        "arguments": arguments,
        "memory_mb": limits.memory_mb,
        "cpu_seconds": int(limits.seconds * (os.cpu_count() or 1)) + 1,
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            fenced.command(
                [sys.executable, "-E", "-P", "-m", "bakeoff.models.sandboxed.worker"],
                offline=True,
                writable=_places(arguments),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        )
        out_of_time = threading.Event()
        alarm = threading.Timer(limits.seconds, _end, (process, out_of_time))
        alarm.daemon = True
        alarm.start()
        try:
            reply = _converse(process, request, report)
        finally:
            alarm.cancel()
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
        subject = f"{what}: " if what else ""
        if reply is None:
            raise ModelTaskError(subject + _how_it_ended(process, limits, log, timed_out=out_of_time.is_set()))
    if error := reply.get("error"):
        raise KINDS.get(error["kind"], ModelError)(cut(subject + error["message"], MOST_OF_A_LINE), error["advice"])
    return reply["ok"]


def _places(arguments: dict[str, Any]) -> set[Path]:
    """The folders in which a task makes files: those of the paths among its arguments where nothing is yet."""
    texts = [text for value in arguments.values() for text in (value.values() if isinstance(value, dict) else [value])]
    paths = [Path(text) for text in texts if isinstance(text, str) and Path(text).is_absolute()]
    return {path.parent for path in paths if not path.exists()}


def _end(process: subprocess.Popen[str], out_of_time: threading.Event) -> None:
    out_of_time.set()
    process.kill()


def _converse(process: subprocess.Popen[str], request: dict[str, Any], report: Report | None) -> dict[str, Any] | None:
    """The worker's answer; None if it ended without one."""
    assert process.stdin is not None  # noqa: S101 - opened above; said for the type checker
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(json.dumps(request))
        process.stdin.close()
    except BrokenPipeError:
        return None
    for line in process.stdout:
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:  # killed while it wrote
            break
        if "progress" not in message:
            process.wait()
            return message
        if report:
            report(message["progress"])
    process.wait()
    return None


def _how_it_ended(process: subprocess.Popen[str], limits: Limits, log: IO[bytes], *, timed_out: bool) -> str:
    """Why there is no answer, in one line."""
    if timed_out:
        return f"stopped after the {limits.seconds:g} s that a model may take"
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    allowed = f"it may use {limits.memory_mb / 1024:.1f} GB"
    return f"the model worker died ({_cause(process.returncode)}; {allowed}){': ' + last[:200] if last else ''}"


def _cause(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
