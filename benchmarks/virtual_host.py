"""A machine that is none: a clock that only work moves, workers that only pretend, and neighbours as on a real one.

What time a worker takes, and how that varies, comes from recorded races (`benchmarks.fit_machines`). The logarithm of a
call's latency is that of its engine, plus

- *process*: drawn anew for each worker and batch size, a fifth of its variance common to all batch sizes;
- *call*: drawn anew for each call, and now and then a spike;
- the machine's slowdown at that moment, which hits everybody: a slow *drift*, and *crowds*, neighbours that come at
  random, stay for an exponential time, and slow us down by an exponential amount; how many come changes over minutes.

So what is called a burst's noise is nobody's own: it is when the burst happened to run.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.race.host import Host
from bakeoff.records import CANARY, Disturbance
from bakeoff.worker.replies import Burst, Framework, Hello, Loaded, Outputs, Took
from bakeoff.worker.session import Usage, WorkerSession

DATA = Path(__file__).parent / "data" / "machines.json"
GRAIN_S = 0.02
"""within which a machine's slowdown is one number"""
LONGEST_S = 45 * 60.0
CANARY_COSTS = {"load_s": 0.003, "first_s": 0.005, "latency_s": 0.002}
FETCH_S = 1e-4
"""until outputs are at hand"""
REFILL_S = 0.0012
"""what the first call of a turn takes longer, at most (`benchmarks/first_calls.py`)"""
NEW_SHAPE = 1.3
"""times as long as another takes the first call at a new batch size of a network that stays loaded"""
COMMON = 0.2
"""of a process's variance, to all its batch sizes"""
UNLIKE = 1.5
"""the noise of engines differs by up to this factor to each side"""


@cache
def machines() -> Mapping[str, Mapping[str, Any]]:
    """The fitted machines by name."""
    found: dict[str, dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def slowdown(noise: Mapping[str, Any], rng: np.random.Generator) -> NDArray[np.float64]:
    """How many times as long as undisturbed everything takes, for each grain of time."""
    grains = round(LONGEST_S / GRAIN_S)
    minutes = 1.0  # second that slow processes are drawn for
    slow = round(LONGEST_S / minutes)
    at = np.arange(grains) * GRAIN_S / minutes
    logs = noise["drift"] * np.interp(at, np.arange(slow), wandering(slow, minutes / noise["drift_s"], rng))
    unrest = np.exp(noise["unrest"] * wandering(slow, minutes / noise["unrest_s"], rng) - noise["unrest"] ** 2 / 2)
    for crowd in noise["crowds"]:
        count = rng.poisson(crowd["share"] / crowd["seconds"] * minutes * unrest)
        begin = (np.repeat(np.arange(slow), count) + rng.random(count.sum())) * minutes / GRAIN_S
        end = begin + rng.exponential(crowd["seconds"] / GRAIN_S, begin.size)
        size = rng.exponential(crowd["slowdown"], begin.size)
        steps = np.zeros(grains + 1)
        np.add.at(steps, np.minimum(begin.astype(int), grains), size)
        np.add.at(steps, np.minimum(end.astype(int), grains), -size)
        logs += np.cumsum(steps)[:-1]
    factors: NDArray[np.float64] = np.exp(logs)
    return factors


def wandering(steps: int, rate: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A stationary Gaussian walk of variance 1 that forgets at `rate` a step (Ornstein-Uhlenbeck)."""
    keep = math.exp(-rate)
    shocks = rng.standard_normal(steps) * math.sqrt(1 - keep * keep)
    shocks[0] = rng.standard_normal()
    return np.array([*accumulate(shocks.tolist(), lambda before, shock: keep * before + shock)])


class VirtualHost(Host):
    """One race's machine."""

    def __init__(self, machine: Mapping[str, Any], seed: int) -> None:
        self.machine = machine
        self.rng = np.random.default_rng(seed)
        self.noise: Mapping[str, Any] = machine["noise"]
        self.now_s = 0.0
        self.timed_s = 0.0
        """spent in timed calls of contenders"""
        self.spent: dict[str, float] = {}
        """seconds by what they were spent on"""
        self.loaded: set[tuple[str, str]] = set()
        """engines and models that were loaded before: their files are in memory"""
        self._work: list[float] = np.concatenate([[0.0], np.cumsum(slowdown(self.noise, self.rng)) * GRAIN_S]).tolist()
        self._normals: list[float] = []
        self.unlike = {name: UNLIKE ** self.rng.uniform(-1, 1) for name in [*machine["engines"], CANARY]}

    def monotonic(self) -> float:
        """The virtual clock."""
        return self.now_s

    def time(self) -> float:
        """The same clock."""
        return self.now_s

    def available_memory(self) -> int:
        """Enough."""
        return 64 * 10**9

    def watch(self, worker: int | None) -> Callable[[], Disturbance | None]:
        """Its neighbours are another machine's, as behind a hypervisor that tells nothing: the counters see nobody."""
        del worker
        begin = self.now_s
        return lambda: Disturbance(
            others_cpu_s=0.0, steal_s=0.0, wall_s=self.now_s - begin, cpus=2.0, resolution_s=0.04
        )

    def start_worker(
        self, command: Sequence[str], adapter: Path, env: Mapping[str, str], log: Path, timeout_s: float
    ) -> WorkerSession:
        """A worker of the engine that `adapter` is named after."""
        del command, env, timeout_s
        return VirtualWorker(self, adapter.name, log)

    def spend(self, seconds: float, on: str) -> float:
        """Do work that takes so long on an undisturbed machine; the seconds that it took here."""
        i = int(self.now_s / GRAIN_S)
        j = i + max(1, round(seconds * 1.05 / GRAIN_S))
        if j >= len(self._work):
            raise RuntimeError(f"a virtual race may take {LONGEST_S:g} s")
        took = seconds * (self._work[j] - self._work[i]) / ((j - i) * GRAIN_S)
        self.now_s += took
        self.spent[on] = self.spent.get(on, 0.0) + took
        return took

    def normal(self) -> float:
        """One standard normal number."""
        if not self._normals:
            self._normals = self.rng.standard_normal(4096).tolist()
        return float(self._normals.pop())

    def uniform(self) -> float:
        """One number between 0 and 1."""
        return 0.5 * (1 + math.erf(self.normal() / math.sqrt(2)))


@dataclass
class Network:
    """A network in a virtual worker."""

    first_s: float
    latency_s: float
    runs: int = 0


class VirtualWorker(WorkerSession):
    """Answers as a worker would, after the time that it would have taken."""

    def __init__(self, host: VirtualHost, engine: str, log: Path) -> None:
        self.host = host
        self.engine = engine
        self.log = log
        self._costs = host.machine["engines"].get(engine, {"start_s": 0.1, "import_s": 0.02})
        self._common = host.normal()
        self._own: dict[int, float] = {}
        self._network: Network | None = None
        self._name = ""
        self._alone = False
        self.host.spend(self._costs["start_s"], "starting workers")

    @property
    def pid(self) -> int:
        """No process has it."""
        return 2**22 + 1

    def hello(self) -> Hello:
        """Import the framework."""
        took = self.host.spend(self._costs["import_s"], "importing")
        return Hello(python="", framework=Framework(version="0"), import_seconds=took)

    def suspend(self) -> None:
        """It takes no time but what a turn costs."""

    def resume(self) -> None:
        """As `suspend`."""

    def rss_bytes(self) -> int | None:
        """What anybody has."""
        return 10**9

    def usage(self) -> Usage:
        """It starts nobody and writes nothing."""
        return Usage(helpers_cpu_s=0.0, log_bytes=0)

    def close(self) -> int:
        """End."""
        self.host.spend(self.host.machine["costs"]["end_s"], "ending workers")
        return 0

    def kill(self) -> None:
        """Nothing is left of it anyway."""

    def load(self, model: Mapping[str, Any], settings: Mapping[str, Any]) -> Loaded:
        """Load the network whose name is its path."""
        name, machine = str(model["path"]), self.host.machine
        seconds = self._of(name, settings["batch_size"])["load_s"]
        if (self.engine, name) not in self.host.loaded:
            self.host.loaded.add((self.engine, name))
            seconds = machine["first_load_s"].get(f"{self.engine}/{name}", seconds)
        self.host.spend(machine["costs"]["ready_s"], "asking")
        took = self.host.spend(seconds, "loading")
        self._name, self._network = name, None
        return Loaded(effective=dict(settings), seconds=took)

    def _of(self, name: str, batch: int) -> Mapping[str, float]:
        costs: Mapping[str, float] = self.host.machine["cases"].get(f"{self.engine}/{name}/{batch}", CANARY_COSTS)
        return costs

    def prepare(self, input_sets: Sequence[Sequence[str]]) -> Took:
        """Cheap. One set alone is new to the engine: what such a check costs besides its calls.

        The batch size is in the name of a file. Where the network was loaded before, only its shapes are new.
        """
        self._alone = len(input_sets) == 1
        if self._alone:
            self.host.spend(self.host.machine["costs"]["new_inputs_s"], "new inputs")
        else:
            batch = int(Path(input_sets[0][0]).stem)
            if batch not in self._own:
                mix = math.sqrt(COMMON) * self._common + math.sqrt(1 - COMMON) * self.host.normal()
                self._own[batch] = math.exp(self.host.noise["process"] * self.host.unlike[self.engine] * mix)
            own, costs = self._own[batch], self._of(self._name, batch)
            first_s = costs["latency_s"] * NEW_SHAPE if self._network else costs["first_s"]
            self._network = Network(first_s=first_s * own, latency_s=costs["latency_s"] * own)
        return Took(seconds=self.host.spend(0.001, "asking"))

    def outputs(self, k: int, directory: Path) -> Outputs:  # noqa: ARG002 - nothing is computed
        """One run, and its outputs."""
        return Outputs(seconds=self.run("checking"), paths=[], outputs_seconds=FETCH_S, inputs_changed=[])

    def warm_up(self, order: Sequence[int], *, at_least: int, at_most_seconds: float) -> list[float]:
        """Some runs."""
        latencies: list[float] = []
        while len(latencies) < at_least or (len(latencies) < len(order) and sum(latencies) < at_most_seconds):
            latencies.append(self.run("warming up"))
        return latencies

    def measure(
        self,
        order: Sequence[int],
        untimed: Sequence[int],
        directory: Path,  # noqa: ARG002 - as in `outputs`
    ) -> Burst:
        """A burst."""
        self.host.spend(self.host.machine["costs"]["turn_s"], "taking turns")
        for _ in untimed:
            self.run("untimed calls")
        on = "canary" if self.engine == CANARY else "new inputs" if self._alone else "timed calls"
        latencies = [self.run(on) for _ in order]
        if not untimed:
            latencies[0] += self.host.spend(REFILL_S, on)
        if on == "timed calls":
            self.host.timed_s += sum(latencies)
        return Burst(
            latencies=latencies,
            seconds=sum(latencies),
            cpu_seconds={"1": sum(latencies), "2": sum(latencies)},
            queued_seconds=0.0,
            voluntary_switches=0,
            involuntary_switches=0,
            peak_rss_bytes=10**9,
            paths=[],
            outputs_seconds=FETCH_S,
            inputs_changed=[],
        )

    def run(self, on: str) -> float:
        """One inference; how long it took."""
        network, host = self._network, self.host
        assert network is not None
        base = network.latency_s if network.runs else network.first_s
        network.runs += 1
        noise = host.noise
        log = noise["call"] * host.unlike[self.engine] * host.normal()
        if host.uniform() < noise["spike_share"]:
            log -= noise["spike"] * math.log(max(1e-9, host.uniform()))
        return host.spend(base * math.exp(log), on)
