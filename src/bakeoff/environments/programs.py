"""Runs the programs that build environments: their output into a log, their failure as one clear line."""

import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from bakeoff import fenced, processes
from bakeoff.errors import EnvironmentUnavailableError

_running: set[subprocess.Popen[str]] = set()
_guard = threading.Lock()

_TELLING = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "PIP_", "UV_", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "LD_LIBRARY_PATH")
_CROSS = "\N{MULTIPLICATION SIGN}"
_CAUSE = re.compile(r"^\s*(cause|Caused by|╰─▶|├─▶):?\s*")
_NOISE = re.compile(r"^(warning|hint|note|W:|N:|Using |Resolved |Downloading |Prepared )", re.IGNORECASE)


class ProgramFailedError(Exception):
    """A program ended with an error; the message is the reason, in one line."""


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    stdin: str = "",
    timeout_s: float | None = None,
) -> str:
    """Run `command` to its end and return its stdout; what it wrote is appended to `log`.

    Raises `ProgramFailedError` where it cannot start, ends with an error or takes longer than `timeout_s`.
    """
    arguments, own = [str(part) for part in command], processes.marked(env)
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        process = subprocess.Popen(
            fenced.command(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=own,
            cwd=cwd,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ProgramFailedError(f"{arguments[0]} does not start: {error}") from error
    with _guard:
        _running.add(process)
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ProgramFailedError(f"{Path(arguments[0]).name} gave no answer within {timeout_s:g} s") from error
        finally:
            process.kill()
            processes.end_family(own)
            with _guard:
                _running.discard(process)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(arguments)}\n{stdout}{stderr}\n")
    if process.returncode != 0:
        raise ProgramFailedError(reason_in(stderr or stdout) or f"{Path(arguments[0]).name} ended with an error")
    return stdout


def clean_environment() -> dict[str, str]:
    """The caller's environment variables without those that redirect a Python, a linker or uv."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(_TELLING)}


def stop_all() -> None:
    """End every program that `run` has under way; their callers get a `ProgramFailedError`."""
    with _guard:
        for process in _running:
            process.terminate()


def reason_in(output: str) -> str:
    """The one line of a failed program's output that says why.

    For uv: its error and the deepest cause. For others, apt included: the last line that is not mere talk.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    errors = [i for i, line in enumerate(lines) if line.lstrip().startswith(("error:", _CROSS, "E: "))]
    if not errors:
        telling = [line.strip() for line in lines if not _NOISE.match(line)]
        return telling[-1] if telling else ""
    first = lines[errors[0]].strip()
    headline = re.sub(rf"^(error:|{_CROSS}|E:)\s*", "", first)
    causes = [_CAUSE.sub("", line) for line in lines[errors[0] + 1 :] if _CAUSE.match(line)]
    if causes and headline.startswith("Request failed after"):  # what was requested stands one line below
        headline = causes[0]
    return f"{headline}: {causes[-1]}" if causes and causes[-1] not in headline else headline


def unavailable(reason: str, log: Path) -> EnvironmentUnavailableError:
    """The error for an environment: the reason, and where to read more."""
    return EnvironmentUnavailableError(reason, f"the full log is {log}")
