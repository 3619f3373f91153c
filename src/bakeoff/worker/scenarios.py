"""The driver: MLPerf LoadGen, feeding several workers of one engine. Loaded for the offline and server scenarios alone.

Started as ``<the environment's python> scenarios.py <adapter.py>``. LoadGen owns the clock and decides when a query
comes; each instance is a worker (worker.py, beside this file) in a process of its own, as a server would run them:
frameworks have one thread pool to a process, and two instances in one would share it, and Python's lock. An instance
answers one query at a time, and whichever is free takes the next. What passes between the processes is a line of JSON
each way, together a good tenth of a millisecond, the same for every engine. Needs Python 3.9, as LoadGen's wheels do,
and numpy.

Protocol
========
As worker.py's, with these requests. `instances` are numbered from 0.

``hello {protocol, overlay}``
    `overlay` is the folder that LoadGen is imported from; no instance sees it. -> ``{protocol, python}``
``start {instances, command, env}``
    Ends the instances that there are and starts so many anew: ``[*command, worker.py, adapter.py]`` in the environment
    `env`; on Linux each on its own equal share of our CPUs, since engines that pin their threads would otherwise all
    pin them to the same. -> ``{replies}``, of each to ``hello``
``each {request}``
    Sends `request`, of worker.py's protocol, to all instances at once. -> ``{replies}``
``ask {instance, request}``
    Sends it to one of them. -> its reply
``offline {sets, queries, seed}``
    LoadGen's Offline: so many queries at once, on the input sets from 0 to `sets` - 1. -> ``{rate, queries, latencies,
    last}``: `rate` in queries per second as LoadGen takes it, `latencies` for each instance how long each of its
    answers took by its own clock, `last` the set that it answered last, null if none
``server {sets, queries, seed, rate, bound_seconds}``
    LoadGen's Server: so many queries, as a Poisson process of `rate` a second. -> the same, where `rate` is the one at
    which they came, and ``p99_seconds``, the 99th percentile of the times from arrival to answer, and ``held``, whether
    that is within the bound
``close {}``
    Ends all instances, then the reply, then the process ends. -> ``{}``

An error of an instance is the reply's error, as it is; one that dies is an ``InstanceDied``.
"""

import array
import contextlib
import importlib.util
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "worker.py")
GOODBYE_S = 5.0


class InstanceDied(Exception):  # noqa: N818 - the name is what a row's reason begins with
    """A process that ended before it answered."""


class Instance:
    """One worker process of the engine."""

    def __init__(self, name, command, env):
        self.name = name
        self.latencies = []
        self.last = None
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, encoding="utf-8", errors="replace"
        )

    def send(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise self.died(request["op"]) from error

    def reply(self, request):
        line = self.process.stdout.readline()
        if not line:
            raise self.died(request["op"])
        reply = json.loads(line)
        if "error" in reply:
            # Under the name that it has there, since that is what tells unsupported from failed.
            raise type(str(reply["error"]["type"]), (Exception,), {})(reply["error"]["message"])
        return reply["ok"]

    def ask(self, request):
        self.send(request)
        return self.reply(request)

    def answer(self, k):
        self.latencies.append(self.ask({"op": "query", "k": k})["seconds"])
        self.last = k

    def died(self, op):
        self.process.kill()
        code = self.process.wait()
        how = f"exited with code {code}" if code >= 0 else f"was killed by {signal_name(-code)}"
        return InstanceDied(f"{self.name} {how} during `{op}`")

    def say_goodbye(self):
        with contextlib.suppress(InstanceDied):
            self.send({"op": "close"})

    def end(self):
        try:
            self.process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # what it never read is lost, as it is
                stream.close()


class Driver:
    """Holds the instances and answers the protocol's requests, one method each."""

    OPERATIONS = ("hello", "start", "each", "ask", "offline", "server", "close")

    def __init__(self, protocol, adapter_path):
        self.protocol = protocol
        self.adapter_path = adapter_path
        self.instances = []
        self.loadgen = None

    def hello(self, protocol, overlay):
        if protocol != self.protocol:
            raise ValueError(f"this driver speaks protocol {self.protocol}, not {protocol}")
        sys.path.append(overlay)
        import mlperf_loadgen

        self.loadgen = mlperf_loadgen
        return {"protocol": protocol, "python": platform.python_version()}

    def start(self, instances, command, env):
        self.end_all()
        words = [*command, WORKER, self.adapter_path]
        for i, cpus in enumerate(shares(instances)):
            self.instances.append(Instance(f"instance {i + 1} of {instances}", words, env))
            if cpus:  # at once: it has no other thread yet, and its threads inherit this
                os.sched_setaffinity(self.instances[-1].process.pid, cpus)
        return self.each({"op": "hello", "protocol": self.protocol})

    def each(self, request):
        for instance in self.instances:
            instance.send(request)
        return {"replies": [instance.reply(request) for instance in self.instances]}

    def ask(self, instance, request):
        return self.instances[instance].ask(request)

    def offline(self, sets, queries, seed):
        settings = self.settings("Offline", queries, seed)
        found, answers = self.test(settings, sets)
        return dict(answers, rate=found["result_samples_per_second"])

    def server(self, sets, queries, seed, rate, bound_seconds):
        settings = self.settings("Server", queries, seed)
        settings.server_target_qps = rate
        settings.server_target_latency_ns = int(bound_seconds * 1e9)
        settings.server_target_latency_percentile = 0.99
        found, answers = self.test(settings, sets)
        return dict(
            answers,
            rate=found["result_scheduled_samples_per_sec"],
            p99_seconds=found["result_99.00_percentile_latency_ns"] * 1e-9,
            held=bool(found["result_perf_constraints_met"]),
        )

    def settings(self, scenario, queries, seed):
        """A test of exactly so many queries, however long it takes."""
        settings = self.loadgen.TestSettings()
        settings.scenario = getattr(self.loadgen.TestScenario, scenario)
        settings.mode = self.loadgen.TestMode.PerformanceOnly
        settings.min_duration_ms = 0
        settings.min_query_count = queries
        settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed
        return settings

    def test(self, settings, sets):
        """Let LoadGen test the instances; what it found, and what they answered."""
        for instance in self.instances:
            instance.latencies, instance.last = [], None
        feed = Feed(self.loadgen, self.instances)
        with tempfile.TemporaryDirectory() as folder:
            logs = self.loadgen.LogSettings()
            logs.log_output.outdir = folder
            logs.log_output.copy_summary_to_stdout = False
            logs.enable_trace = False
            system = self.loadgen.ConstructSUT(feed.issue, lambda: None)
            samples = self.loadgen.ConstructQSL(sets, sets, lambda _: None, lambda _: None)
            self.loadgen.StartTestWithLogSettings(system, samples, settings, logs)
            self.loadgen.DestroyQSL(samples)
            self.loadgen.DestroySUT(system)
            feed.end()
            found = results_in(folder)
        answers = [instance.latencies for instance in self.instances]
        lasts = [instance.last for instance in self.instances]
        return found, {"queries": sum(map(len, answers)), "latencies": answers, "last": lasts}

    def end_all(self):
        for instance in self.instances:
            instance.say_goodbye()
        for instance in self.instances:
            instance.end()
        self.instances = []

    def close(self):
        self.end_all()
        return {}


class Feed:
    """Hands LoadGen's queries to whichever instance is free."""

    def __init__(self, loadgen, instances):
        self.loadgen = loadgen
        self.queries = queue.SimpleQueue()
        self.error = None
        self.nothing = array.array("B", b"\0")
        self.threads = [threading.Thread(target=self.serve, args=(instance,)) for instance in instances]
        for thread in self.threads:
            thread.start()

    def issue(self, queries):
        for query in queries:
            self.queries.put((query.id, query.index))

    def serve(self, instance):
        address, length = self.nothing.buffer_info()
        for identity, k in iter(self.queries.get, None):
            try:
                # Once an instance has failed the test is void: what is left is answered at once, so that it ends.
                if self.error is None:
                    instance.answer(k)
            except Exception as error:
                self.error = error
            self.loadgen.QuerySamplesComplete([self.loadgen.QuerySampleResponse(identity, address, length)])

    def end(self):
        for _ in self.threads:
            self.queries.put(None)
        for thread in self.threads:
            thread.join()
        if self.error is not None:
            raise self.error


def shares(count):
    """Our CPUs in so many equal parts without any in common; empty ones where they are too few, or no Linux tells."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    size = len(cpus) // count
    return [cpus[i * size : (i + 1) * size] for i in range(count)]


def results_in(folder):
    """LoadGen's findings, from its detailed log: a line of JSON for each, of which the key begins with ``result_``."""
    found = {}
    with open(os.path.join(folder, "mlperf_log_detail.txt"), encoding="utf-8") as f:
        for line in f:
            if '"key": "result_' in line:
                entry = json.loads(line[line.index("{") :])
                found[entry["key"]] = entry["value"]
    return found


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main():
    spec = importlib.util.spec_from_file_location("bakeoff_worker", WORKER)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    requests, replies = worker.claim_channels()
    worker.die_with_parent()
    worker.serve(Driver(worker.PROTOCOL, os.path.abspath(sys.argv[1])), requests, replies)


if __name__ == "__main__":
    main()
