"""The worker: one process that runs one engine, in that engine's own environment.

Started as ``<the environment's python> worker.py <adapter.py>``. It needs Python 3.6 or newer and numpy,
and nothing else of bakeoff: this file is the whole of it. It alone owns the clock; adapters never time.

Protocol, version 1
===================
One JSON object per line. A request comes on stdin as ``{"op": NAME, ...}``; each gets exactly one reply, ``{"ok":
{...}}`` or ``{"error": {"type": ..., "message": ..., "traceback": ...}}``, whatever the adapter raises. The controller
holds each reply to the shape given here (replies.py). Replies go to a private duplicate of stdout made before anything
else is imported; file descriptor 1 itself then points at stderr and stdin at nothing, so whatever a framework prints
or reads cannot corrupt the conversation. Times are seconds.

``hello {protocol}``
    Imports the adapter and creates its ``Engine``. -> ``{protocol, python, numpy, framework: {version, ...},
    import_seconds}``. `framework` is what ``Engine.describe()`` returns.
``load {model, settings}``
    ``Engine.load``. `model` is ``{path, format, inputs, outputs}``. `format` is the engine's own, or ``own-pt2`` and
    the like for a user's file in a format that engine.toml says the engine takes. `inputs` and `outputs` are lists of
    ``{name, dtype, shape}`` with the batch size filled in; `settings` holds ``threads`` (intra-op), ``precision``,
    ``batch_size`` and the engine's own options. An engine loaded before is closed first.
    -> ``{effective, seconds}``
``prepare {input_sets}``
    `input_sets` is K lists of .npy paths, one path per model input. Each array is read, checked to be
    C-contiguous, and ``Engine.prepare`` gets all K sets, which replace those of an earlier call.
    -> ``{seconds}`` (of the adapter's part alone)
``outputs {k, directory}``
    One ``run(k)``, then its outputs written as ``0.npy``, ``1.npy`` ... into `directory`; with a null `k`, those of
    the run before. -> ``{seconds, paths, outputs_seconds, inputs_changed}``: `seconds` of the run alone (after a fresh
    load, the first inference), `outputs_seconds` of ``Engine.outputs``, `inputs_changed` the ``[set, input]`` whose
    array is no longer what ``Engine.prepare`` got
``warm_up {order, at_least, at_most_seconds}``
    Runs the input sets in `order`, over and over, for `at_least` calls, then on while the total stays below
    `at_most_seconds` and `order` is not through. -> ``{latencies}``
``measure {order, untimed, directory}``
    A burst: the sets of `untimed` run once each, untimed, to refill the caches after a suspension, then those of
    `order`, each timed; the garbage collector is off. The outputs of the last timed call are written into `directory`
    as by ``outputs``. -> ``{latencies, cpu_seconds, queued_seconds, seconds, voluntary_switches,
    involuntary_switches, peak_rss_bytes, paths, outputs_seconds, inputs_changed}``; `seconds` of all timed calls,
    `cpu_seconds` maps each thread that ran to its CPU time from the first timed call to the outputs at hand (one entry
    ``process`` where the platform does not say more), `queued_seconds` is how long threads that could have run waited
    for a CPU meanwhile, added up; null where the platform does not say.
``query {k}``
    One ``run(k)``: what a scenario asks for (scenarios.py). -> ``{seconds}``
``close {}``
    ``Engine.close``, then the reply, then the process ends. -> ``{}``

An adapter is a file with one class:

.. code-block:: python

    class Engine:
        def describe(self): ...  # -> {"version": "1.2.3", ...}: the framework, as it names itself
        def load(self, model, settings): ...  # returns the settings that took effect, see below
        def prepare(self, input_sets): ...  # K sets of host arrays -> the framework's layout, still host arrays
        def run(self, k): ...  # one blocking inference on set k, host to host; this is what is timed
        def outputs(self): ...  # outputs of the last run: numpy arrays, in the model's own order
        def close(self): ...

It may say in which precisions it computes, ``PRECISIONS = ("fp32",)``: `load` is then not asked for another.

``load`` returns what took effect, read back from the framework wherever it tells:

=============== =====================================================================================
``threads``     within an operator; None where the framework does not say. Where `settings` have None for it, the
                framework takes as many as it likes
KNOB            each knob of the engine, by its name and in its words: as read back, or None where the framework
                does not say. A knob that it does not mention counts as ignored, unless environment variables turn it
``precision``   in which it computes, in `settings`' words: "fp32", "bf16"
``provider``    where `settings` ask for one: the backend that took the network
``nodes``       ``{provider: number of nodes}``, where several may share the network
=============== =====================================================================================

Other keys are free. A key that `settings` have with another value is shown to the user as a mismatch.

``prepare`` does nothing but change the layout, and nobody changes the arrays that it got. When ``run`` returns, the
work is done: ``outputs`` only hands out its result. Engines whose engine.toml says ``spins = true`` are loaded once
more with ``spin: false`` in `settings`, and with environment variables that keep OpenMP's threads from spinning, to
see which of their threads work.

What it cannot honour it raises as ``NotImplementedError("reason")``; the row then says *unsupported: reason*.
"""

import os
import sys

PROTOCOL = 1


def claim_channels():
    """Keep stdin and stdout for the protocol alone; must run before any framework is imported.

    Returns the streams to read requests from and to write replies to.
    """
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")  # half a surrogate pair has no UTF-8
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, replies


def die_with_parent():
    """Ask Linux to kill this process when the controller dies, even while it is suspended."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    REQUESTS, REPLIES = claim_channels()
    die_with_parent()

import gc
import importlib.util
import json
import platform
import time
import traceback
import weakref
import zlib

import numpy as np

clock = time.perf_counter


class Worker:
    """Holds one adapter's engine and answers the protocol's requests, one method each."""

    OPERATIONS = ("hello", "load", "prepare", "outputs", "warm_up", "measure", "query", "close")

    def __init__(self, adapter_path):
        self.adapter_path = os.path.abspath(adapter_path)
        self.engine_class = None
        self.engine = None
        self.inputs = []

    def hello(self, protocol):
        if protocol != PROTOCOL:
            raise ValueError("this worker speaks protocol {}, not {}".format(PROTOCOL, protocol))
        # The adapter's own folder, and nothing else of ours, is on the path.
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.getcwd()) != here]
        sys.path.insert(0, os.path.dirname(self.adapter_path))
        start = clock()
        spec = importlib.util.spec_from_file_location("bakeoff_adapter", self.adapter_path)
        adapter = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = adapter
        spec.loader.exec_module(adapter)
        self.engine_class = adapter.Engine
        framework = adapter.Engine().describe()
        return {
            "protocol": PROTOCOL,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "framework": framework,
            "import_seconds": clock() - start,
        }

    def load(self, model, settings):
        if self.engine is not None:
            self.engine.close()
            self.engine = None
            gc.collect()
        engine = self.engine_class()
        able = getattr(engine, "PRECISIONS", None)
        if able is not None and settings["precision"] not in able:
            raise NotImplementedError(
                "this engine computes in {}, not in {}".format(" or ".join(able), settings["precision"])
            )
        start = clock()
        effective = engine.load(model, settings)
        seconds = clock() - start
        self.engine = engine
        return {"effective": {} if effective is None else effective, "seconds": seconds}

    def prepare(self, input_sets):
        arrays = [[np.load(path, allow_pickle=False) for path in paths] for paths in input_sets]
        if not all(array.flags["C_CONTIGUOUS"] for arrays_of_set in arrays for array in arrays_of_set):
            raise ValueError("inputs must be C-contiguous")
        # An array that the engine lets go of, having made its own, cannot be changed by it and is not kept here.
        self.inputs = [
            (k, i, weakref.ref(array), zlib.crc32(array))
            for k, arrays_of_set in enumerate(arrays)
            for i, array in enumerate(arrays_of_set)
        ]
        start = clock()
        self.engine.prepare(arrays)
        return {"seconds": clock() - start}

    def outputs(self, k, directory):
        start = clock()
        if k is not None:
            self.engine.run(k)
        ran = clock()
        arrays = self.fetch()
        return dict(self.saved(arrays, directory), seconds=ran - start, outputs_seconds=clock() - ran)

    def fetch(self):
        return [np.asarray(array) for array in self.engine.outputs()]

    def saved(self, arrays, directory):
        paths = [os.path.join(directory, "{}.npy".format(i)) for i in range(len(arrays))]
        try:
            for i, array in enumerate(arrays):
                np.save(paths[i], array, allow_pickle=False)
        except OSError:  # a full disk, which the other workers need as well
            for path in filter(os.path.exists, paths):
                os.remove(path)
            raise
        return {"paths": paths, "inputs_changed": self.changed_inputs()}

    def changed_inputs(self):
        held = [(k, i, reference(), checksum) for k, i, reference, checksum in self.inputs]
        return [[k, i] for k, i, array, checksum in held if array is not None and zlib.crc32(array) != checksum]

    def warm_up(self, order, at_least, at_most_seconds):
        run = self.engine.run
        latencies = []
        begin = clock()
        while len(latencies) < at_least or (len(latencies) < len(order) and clock() - begin < at_most_seconds):
            k = order[len(latencies) % len(order)]
            start = clock()
            run(k)
            latencies.append(clock() - start)
        return {"latencies": latencies}

    def measure(self, order, untimed, directory):
        run = self.engine.run
        latencies = [0.0] * len(order)
        gc.collect()
        gc.disable()
        try:
            for k in untimed:
                run(k)
            switches, threads, queued = context_switches(), thread_cpu_seconds(), queued_seconds()
            begin = clock()
            for i, k in enumerate(order):
                start = clock()
                run(k)
                latencies[i] = clock() - start
            end = clock()
            # At once: what goes on after the last call returned must not get done while figures are read.
            arrays = self.fetch()
            fetched = clock()
            queued_after, threads_after, switches_after = queued_seconds(), thread_cpu_seconds(), context_switches()
        finally:
            gc.enable()
        used = {name: cpu - threads.get(name, 0.0) for name, cpu in threads_after.items()}
        return dict(
            self.saved(arrays, directory),
            latencies=latencies,
            seconds=end - begin,
            outputs_seconds=fetched - end,
            cpu_seconds={name: cpu for name, cpu in used.items() if cpu > 0},
            queued_seconds=None if queued is None else max(0.0, queued_after - queued),
            voluntary_switches=switches_after[0] - switches[0],
            involuntary_switches=switches_after[1] - switches[1],
            peak_rss_bytes=peak_rss_bytes(),
        )

    def query(self, k):
        start = clock()
        self.engine.run(k)
        return {"seconds": clock() - start}

    def close(self):
        if self.engine is not None:
            self.engine.close()
            self.engine = None
        return {}


def thread_cpu_seconds():
    """CPU time of each thread of this process so far: ``{thread id: seconds}``, read from /proc on Linux.

    Nanoseconds from ``schedstat`` where the kernel keeps them, else clock ticks from ``stat`` (proc(5), fields 14
    and 15). Elsewhere one entry for the whole process.
    """
    tasks = "/proc/self/task"
    if not os.path.isdir(tasks):
        return {"process": time.process_time()}
    seconds = {}
    for thread in os.listdir(tasks):
        try:
            with open("{}/{}/schedstat".format(tasks, thread)) as f:
                seconds[thread] = int(f.read().split()[0]) * 1e-9
        except FileNotFoundError:  # the thread has just ended, or this kernel keeps no schedstat
            try:
                with open("{}/{}/stat".format(tasks, thread)) as f:
                    fields = f.read().rpartition(")")[2].split()
                seconds[thread] = (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))
            except FileNotFoundError:
                continue
    return seconds


def queued_seconds():
    """How long the threads of this process have waited for a CPU so far, added up; None but on Linux.

    The second figure of ``schedstat`` (the kernel's Documentation/scheduler/sched-stats.rst).
    """
    tasks = "/proc/self/task"
    if not os.path.exists("/proc/self/schedstat"):
        return None
    nanoseconds = 0
    for thread in os.listdir(tasks):
        try:
            with open("{}/{}/schedstat".format(tasks, thread)) as f:
                nanoseconds += int(f.read().split()[1])
        except FileNotFoundError:  # the thread has just ended
            continue
    return nanoseconds * 1e-9


def context_switches():
    """Voluntary and involuntary context switches of this process so far, zeros where the platform counts none."""
    try:
        import resource
    except ImportError:
        return 0, 0
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw, usage.ru_nivcsw


def peak_rss_bytes():
    """Most physical memory this process ever held, in bytes; None where the platform does not say.

    On Linux VmHWM, since ru_maxrss there survives exec and so may be the parent's.
    """
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return windows_peak_working_set()
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def windows_peak_working_set():
    """PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS, in bytes."""
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = [("cb", wintypes.DWORD), ("PageFaultCount", wintypes.DWORD)] + [
            (name, ctypes.c_size_t)
            for name in (
                "PeakWorkingSetSize",
                "WorkingSetSize",
                "QuotaPeakPagedPoolUsage",
                "QuotaPagedPoolUsage",
                "QuotaPeakNonPagedPoolUsage",
                "QuotaNonPagedPoolUsage",
                "PagefileUsage",
                "PeakPagefileUsage",
            )
        ]

    counters = Counters(cb=ctypes.sizeof(Counters))
    process = ctypes.windll.kernel32.GetCurrentProcess
    process.restype = wintypes.HANDLE
    read = ctypes.windll.psapi.GetProcessMemoryInfo
    read.argtypes = [wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD]
    return counters.PeakWorkingSetSize if read(process(), ctypes.byref(counters), counters.cb) else None


def serve(worker, requests, replies):
    """Answer requests until ``close`` or the end of stdin."""
    operations = {name: getattr(worker, name) for name in worker.OPERATIONS}
    for line in requests:
        request = json.loads(line)
        name = request.pop("op")
        replies.write(answer(operations[name], request) + "\n")
        replies.flush()
        if name == "close":
            break


def answer(operation, request):
    """A reply as a line of JSON: of the operation, or of the error that it, or writing its result as JSON, raised."""
    try:
        return as_json({"ok": operation(**request)})
    except BaseException as error:  # adapters raise SystemExit and the like as well: that ends no worker
        return as_json(
            {"error": {"type": type(error).__name__, "message": said_by(error), "traceback": traceback.format_exc()}}
        )


def as_json(reply):
    """One line; NaN and infinities, which JSON has not, raise ValueError."""
    return json.dumps(reply, allow_nan=False, ensure_ascii=False)


def said_by(error):
    """The exception's message, even if its class cannot tell."""
    try:
        return str(error)
    except Exception as another:
        return "an exception without a message: {}".format(type(another).__name__)


if __name__ == "__main__":
    serve(Worker(sys.argv[1]), REQUESTS, REPLIES)
