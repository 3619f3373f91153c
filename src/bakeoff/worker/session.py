"""The controller's end of the worker protocol: start a worker, ask it, suspend it, be rid of it.

Every wait blocks on a queue until the reply or the deadline: nothing polls, so the controller uses no CPU while a
worker measures.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import psutil

from bakeoff import fenced, paths, processes
from bakeoff.errors import WorkerDiedError, WorkerError, WorkerTimedOutError, WrongReplyError
from bakeoff.worker.replies import Burst, Envelope, Hello, Loaded, Nothing, Outputs, Took, WarmUp

WORKER = Path(__file__).with_name("worker.py")
DRIVER = Path(__file__).with_name("scenarios.py")
PROTOCOL = 1

GOODBYE_S = 5.0
LAST_WORDS_S = 1.0
CHUNK = 1 << 16
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where Linux keeps the semaphores of helper processes
LONGEST_REPLY = 1 << 26
"""bytes: a thousand times the latencies of a long burst; what is longer is no reply"""


T = TypeVar("T")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NM_DISABLE_ANALYTICS": "True",
    "OPENVINO_TELEMETRY_DISABLE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
LEAKS = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "PIP_", "UV_", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_", "OMP_", "KMP_")


def spawn_environment(threads: int | None, *extra: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of a worker: the caller's without what would leak into it, threads set, HOME ours.

    Later mappings of `extra` win; ``{threads}`` in their values stands for the number of threads. Without one, nothing
    is set that tells it.
    """
    home = paths.worker_home()
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(LEAKS)}
    homes = {"HOME": home, "USERPROFILE": home, "XDG_CACHE_HOME": home / ".cache", "XDG_CONFIG_HOME": home / ".config"}
    chosen = dict.fromkeys(THREAD_VARIABLES, "{threads}") | {k: v for more in extra for k, v in more.items()}
    told = {
        name: value.replace("{threads}", str(threads))
        for name, value in chosen.items()
        if threads or "{threads}" not in value
    }
    left = {name: value for name, value in inherited.items() if name not in THREAD_VARIABLES}
    return left | QUIET | {name: str(path) for name, path in homes.items()} | told


def temporary(folder: Path) -> dict[str, str]:
    """The environment variables that make `folder` where a process, and what it starts, keeps temporary files."""
    return dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))


@dataclass(frozen=True)
class Usage:
    """What a worker has used up to now, read while it waits for a request."""

    helpers_cpu_s: float
    """CPU time of all processes that it started, whether they live or not"""
    log_bytes: int
    """written to stdout or stderr"""


class WorkerSession:
    """One worker process, from ``hello`` to ``close``. Use as a context manager: leaving it leaves no process."""

    def __init__(
        self,
        command: Sequence[str],
        adapter: Path,
        env: Mapping[str, str],
        log: Path,
        timeout_s: float,
        program: Path = WORKER,
    ) -> None:
        """Start ``[*command, worker.py, adapter]``; its stderr goes to `log`, each request has `timeout_s` to answer.

        Another `program` that speaks the same protocol is `DRIVER`.

        Where the platform can do that, it ends with us, is without network, and writes to its home and its temporary
        folder alone: it opens the model's file. Raises `WorkerDiedError` if the command cannot even be started.
        """
        self.log = log
        self._env = processes.marked(env)
        writable = [str(paths.worker_home()), env.get("TMPDIR", tempfile.gettempdir()), SHARED_MEMORY]
        self.timeout_s = timeout_s
        with contextlib.ExitStack() as stack:
            try:
                log.parent.mkdir(parents=True, exist_ok=True)
                self._log = stack.enter_context(log.open("ab", buffering=0))
                self._process = subprocess.Popen(
                    fenced.command([*command, str(program), str(adapter)], offline=True, writable=writable),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._log,
                    env=self._env,
                    cwd=paths.worker_home(),
                    start_new_session=True,
                )
            except OSError as error:
                raise WorkerDiedError(f"it does not start: {error}") from error
            stack.pop_all()  # the log stays open: somebody may remove it
        self._replies: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it is a pipe, as asked for
        begun = bytearray()
        # Not by `readline`, which holds a lock that closing the stream would wait for.
        while chunk := os.read(stdout.fileno(), CHUNK):
            begun += chunk
            if b"\n" in chunk or len(begun) > LONGEST_REPLY:
                *lines, begun = begun.split(b"\n") if b"\n" in chunk else [begun, bytearray()]
                for line in lines:
                    self._replies.put(line[:LONGEST_REPLY].decode(errors="replace"))
        self._replies.put(None)

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def hello(self) -> Hello:
        """Introduce ourselves: the worker imports its adapter and says what it is."""
        return self.call("hello", Hello, protocol=PROTOCOL)

    def load(self, model: Mapping[str, Any], settings: Mapping[str, Any]) -> Loaded:
        """Load `model` (see `worker_model`) with `settings`, in place of any before."""
        return self.call("load", Loaded, model=model, settings=settings)

    def prepare(self, input_sets: Sequence[Sequence[str]]) -> Took:
        """Hand over the input sets: for each, a path per model input."""
        return self.call("prepare", Took, input_sets=input_sets)

    def outputs(self, k: int, directory: Path) -> Outputs:
        """Run input set `k` once, its outputs written into `directory`."""
        return self.call("outputs", Outputs, k=k, directory=str(directory))

    def warm_up(self, order: Sequence[int], *, at_least: int, at_most_seconds: float) -> list[float]:
        """The latencies of at least so many calls, and of more while the time lasts and `order` is not through."""
        reply = self.call("warm_up", WarmUp, order=order, at_least=at_least, at_most_seconds=at_most_seconds)
        if len(reply.latencies) < at_least:
            raise WrongReplyError(f"{len(reply.latencies)} latencies in the reply to `warm_up`, not {at_least}")
        return reply.latencies

    def measure(self, order: Sequence[int], untimed: Sequence[int], directory: Path) -> Burst:
        """A burst: the input sets of `untimed`, then those of `order`, timed; the last outputs in `directory`."""
        burst = self.call("measure", Burst, order=order, untimed=untimed, directory=str(directory))
        if len(burst.latencies) != len(order):
            raise WrongReplyError(f"{len(burst.latencies)} latencies in the reply to `measure`, not {len(order)}")
        return burst

    def call(self, op: str, reply: type[T], *, timeout_s: float | None = None, **arguments: Any) -> T:
        """Send a request and wait for its `reply`.

        Raises `UnsupportedError` or `AdapterError` for an error reply, `WrongReplyError` for one that is no `reply`
        (the worker lives on), `WorkerDiedError` or `WorkerTimedOutError` when there will be none (the process tree is
        gone).
        """
        deadline = self.timeout_s if timeout_s is None else timeout_s
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is a pipe, as asked for
        try:
            stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            stdin.flush()
        except OSError as error:
            raise self._died(op) from error
        try:
            line = self._replies.get(timeout=deadline)
        except queue.Empty:
            if self._process.poll() is not None:  # a child of its own keeps the pipe open
                raise self._died(op) from None
            self.kill()
            raise WorkerTimedOutError(f"no answer to `{op}` within {deadline:g} s; killed") from None
        if line is None:
            raise self._died(op)
        try:
            envelope = msgspec.json.decode(line, type=Envelope)
        except (msgspec.DecodeError, RecursionError) as error:
            self.kill()
            raise WorkerDiedError(f"answered `{op}` with something that is no reply: {line[:80]!r}") from error
        if envelope.error is not None:
            self._note(op, envelope.error.traceback)
        return envelope.content(op, reply)

    def _note(self, op: str, details: str) -> None:
        # On a full disk the traceback is lost; its first line is in the row all the same.
        with contextlib.suppress(OSError):
            self._log.write(f"--- {op} ---\n{details}\n".encode(errors="replace"))

    def _died(self, op: str) -> WorkerDiedError:
        """How it ended: by itself, unless it goes on after it has hung up."""
        try:
            how = how_it_ended(self._process.wait(GOODBYE_S))
        except subprocess.TimeoutExpired:
            how = "the worker hung up"
        self.kill()
        return WorkerDiedError(f"{how} during `{op}`{self._last_words()}")

    def _last_words(self) -> str:
        lines = [line for line in tail(self.log).splitlines() if line.strip()]
        return f": {lines[-1].strip()[:200]}" if lines else ""

    def suspend(self) -> None:
        """Stop the whole process tree where it stands, spinning thread pools included."""
        self._signal_tree("SIGSTOP", "suspend")

    def resume(self) -> None:
        """Let the process tree go on."""
        self._signal_tree("SIGCONT", "resume")

    def _signal_tree(self, posix_signal: str, psutil_method: str) -> None:
        if self._process.returncode is not None:
            return
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, getattr(signal, posix_signal))
            return
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, psutil_method)()

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def rss_bytes(self) -> int | None:
        """Physical memory that the worker's own process holds now; None if it is gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return int(psutil.Process(self.pid).memory_info().rss)
        return None

    def usage(self) -> Usage:
        """What it has used up to now. Raises `WorkerDiedError` if it is no longer there."""
        try:
            root = psutil.Process(self.pid)
            helpers_cpu_s, helpers = _of_ended_children(root.cpu_times()), root.children(recursive=True)
        except psutil.NoSuchProcess:
            raise self._died("usage") from None
        for helper in helpers:
            with contextlib.suppress(psutil.NoSuchProcess):  # ended just now: counted when its parent has noticed
                times = helper.cpu_times()
                helpers_cpu_s += times.user + times.system + _of_ended_children(times)
        return Usage(helpers_cpu_s=helpers_cpu_s, log_bytes=os.fstat(self._log.fileno()).st_size)

    def close(self) -> int:
        """Ask the worker to end, wait for it a little, and make sure. Returns its exit code."""
        with contextlib.suppress(WorkerError):
            self.call("close", Nothing, timeout_s=GOODBYE_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GOODBYE_S)
        self.kill()
        return self._process.returncode

    def kill(self) -> None:
        """End the process and all that it started, suspended or not, whatever session they are in.

        Harmless when they have ended. The pipe of one that nobody can find stays open, and nobody waits for it.
        """
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        processes.end_family(self._env)
        self._process.wait()
        self._reader.join(LAST_WORDS_S)
        for stream in (self._process.stdin, self._log, *([] if self._reader.is_alive() else [self._process.stdout])):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _of_ended_children(times: Any) -> float:
    """CPU seconds of a process' children that have ended; zero on Windows, which does not keep them."""
    return float(getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0))


def how_it_ended(code: int) -> str:
    """An exit code in words: which signal, and what that usually means."""
    if code >= 0:
        return f"the worker exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    meaning = {
        "SIGKILL": " (out of memory, unless somebody killed it)",
        "SIGILL": " (an instruction that this CPU lacks)",
    }.get(name, "")
    return f"the worker was killed by {name}{meaning}"


def tail(log: Path, size: int = 4000) -> str:
    """The end of a log file, at most `size` bytes; empty when there is none."""
    try:
        with log.open("rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - size))
            return f.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
