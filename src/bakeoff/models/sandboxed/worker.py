"""The model worker: the process that opens model files.

Started as ``python -E -P -m bakeoff.models.sandboxed.worker`` with one JSON request on stdin: ``{"task": NAME,
"arguments": {...}, "memory_mb": N, "cpu_seconds": N}``. It answers on stdout, one JSON object per line: any number
of ``{"progress": TEXT}``, then one ``{"ok": RESULT}`` or ``{"error": {"kind", "message", "advice"}}``. Its limits hold
before it imports what reads models, so a broken or hostile file can hurt this process alone.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Report = Callable[[str], None]


def main() -> None:
    """Answer the one request."""
    send = _claim_stdout()
    request = json.load(sys.stdin)
    for note in _limit(request["memory_mb"], request["cpu_seconds"]):
        send({"progress": note})
    send(_answer(request, lambda text: send({"progress": text})))


def _answer(request: dict[str, Any], report: Report) -> dict[str, Any]:
    from bakeoff.errors import ModelError  # noqa: PLC0415 - after the limits
    from bakeoff.models.sandboxed import tasks  # noqa: PLC0415

    try:
        return {"ok": tasks.TASKS[request["task"]](report=report, **request["arguments"])}
    except ModelError as error:
        return _error(type(error).__name__, str(error), error.advice)
    except MemoryError:
        allowed = f"{request['memory_mb'] / 1024:.1f} GB"
        return _error("ModelTaskError", f"it needs more memory than the {allowed} that a model may use")
    except RecursionError:
        return _error("ModelTaskError", "it is nested too deep")
    except Exception as error:  # noqa: BLE001 - the last stop: whatever a broken file makes a library raise
        text = " ".join(str(error).split())[:300]
        return _error("ModelTaskError", f"{type(error).__name__}: {text}")


def _error(kind: str, message: str, advice: str | None = None) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message, "advice": advice}}


def _claim_stdout() -> Callable[[dict[str, Any]], None]:
    """Keep stdout for the answer alone: what libraries print goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    return send


def _limit(memory_mb: int, cpu_seconds: int) -> list[str]:
    """Limit this process; returns a line for each limit that the platform does not have."""
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return ["note: this platform sets no limit to the memory of a model worker, only to its time"]
    missing = []
    for limit, value, what in (
        (resource.RLIMIT_AS, memory_mb * 2**20, "memory"),
        (resource.RLIMIT_CPU, cpu_seconds, "CPU time"),
        (resource.RLIMIT_CORE, 0, "core dumps"),
    ):
        try:
            _, hard = resource.getrlimit(limit)
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS
            missing.append(f"note: this platform sets no limit to the {what} of a model worker")
    return missing


if __name__ == "__main__":
    main()
