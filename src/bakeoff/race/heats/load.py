"""A heat under load: one engine after the other, each with the whole machine, tested by MLPerf LoadGen.

Instances of one engine keep all CPUs busy, so engines cannot take turns in bursts; they follow one another in random
order within a round, and ratios pair by round. In a case's first round it is found out how to run it: offline, which
split of the threads over instances answers most; as a server, about which rate holds the bound. What is published is
measured after that, by fresh processes or with fresh arrivals: no figure is one that was picked for being high.
"""

import functools
import random
import statistics
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from bakeoff.errors import UnsupportedError, WorkerError, WrongOutputsError
from bakeoff.judge.case.disturbance import too_much
from bakeoff.judge.figures.rates import STEP, confirmed, highest_rate, splits
from bakeoff.race.heats.attempt import Attempt
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.heat import attempt_to, once, shuffled
from bakeoff.race.heats.load_driver import LoadDriver, Result
from bakeoff.race.ready.runnable import Runnable, worker_model
from bakeoff.records import Case, Load, Measurement, Probe, Scenario, Trial
from bakeoff.worker.replies import Loaded, Took, WarmUp

SEARCH_S, MEASURE_S = 2.0, 5.0
"""how long LoadGen's offline test of one split is to take: while choosing, and for the figure"""
FEWEST_QUERIES = 8
"""of an offline test, for each instance: its last answers are waited for by fewer and fewer of them"""
PROBE_QUERIES = 300
"""of one rate in the search: three of them may be late"""
SERVER_QUERIES = 662
"""of the figure: the sample that supports a 99th percentile at 99% confidence (`bakeoff.judge.figures.statistics`)"""
CONFIRMATIONS = 6
"""rates to try for the figure, each 3% lower than the one before, from the one that the search found"""
GUESS = 0.6
"""of the capacity that a single stream shows: about where M/D/1 queues keep 99% of latencies within four of them"""
CEILING, FLOOR = 1.5, 1 / 50
"""of that capacity: no other rates are tried"""
NEXT_STEP = 1.1
"""between rates in later rounds, which begin where the last one ended"""
BOUND = 4.0
"""a server's bound where none is given: times what a query takes in a single stream, the median over engines"""
SEEDS = 2**62
WARM_UP_CALLS, WARM_UP_LEAST, WARM_UP_S = 300, 3, 1.0
"""of each instance: at most, at least, and the seconds to stay below"""
PILOT_S = 0.5
"""of a first offline test, which tells how long the others will take"""


def run_load(
    context: HeatContext, runnables: Sequence[Runnable], wanted: set[Case], before: Sequence[Trial]
) -> Generator[list[Trial], None, None]:
    """Test `runnables` on the cases of `wanted` and yield each one's trial as it is done.

    `before` are the run's trials so far: the splits, rates and bounds of earlier rounds. The order of engines and the
    arrivals follow from the plan's seed, the round and the model; the arrivals are the same for all engines.
    """
    rng = random.Random(f"{context.plan.seed}/{context.round}/{context.model.name}/load")  # noqa: S311 - an order
    seed = rng.randrange(SEEDS)
    for size in sorted({case.batch_size for case in wanted}):
        names = {case.contender.name for case in wanted if case.batch_size == size}
        field = [runnable for runnable in shuffled(runnables, rng) if runnable.name in names]
        bound = bound_of(context, field, size, before)
        for place, runnable in enumerate(field):
            if place and context.time_is_up():
                return
            context.say(f"{context.plan.scenario}: {runnable.name}")
            driver = driver_of(runnable, context)
            attempt = LoadAttempt(driver, size, seed, bound, found_before(before, driver.case(size)))
            attempt.take(attempt.run)
            yield [attempt.trial()]


def driver_of(runnable: Runnable, context: HeatContext) -> LoadDriver:
    """A driver for `runnable`, which has LoadGen."""
    assert runnable.overlay is not None  # noqa: S101 - in `prepare`, whoever has none becomes a row
    return LoadDriver(runnable, context, runnable.overlay)


def found_before(before: Iterable[Trial], case: Case) -> Load | None:
    """What the last trial of `case` found, if it has any."""
    loads = [trial.measurement.load for trial in before if trial.case == case and trial.measurement]
    return loads[-1] if loads else None


def bound_of(context: HeatContext, field: Sequence[Runnable], batch_size: int, before: Iterable[Trial]) -> float | None:
    """A server's bound in seconds: the plan's, or that of earlier trials, or the default for these engines.

    The same for all engines, since rates under different bounds cannot be compared. None offline, and where no engine
    answers at all.
    """
    if context.plan.scenario is not Scenario.SERVER or context.plan.latency_bound_s is not None:
        return context.plan.latency_bound_s
    for trial in before:
        load = trial.measurement and trial.measurement.load
        if load and load.bound_s and (trial.case.model, trial.case.batch_size) == (context.model.name, batch_size):
            return load.bound_s
    alone = []
    for runnable in field:
        context.say(f"server: timing {runnable.name} in a single stream, for the bound")
        attempt = LoadAttempt(driver_of(runnable, context), batch_size, 0, None, None)
        with once(context):
            attempt.take(attempt.get_ready)
        alone += [attempt.single_s] if attempt.alive else []
    return BOUND * statistics.median(alone) if alone else None


class LoadAttempt(Attempt):
    """One engine under load in one round: how to run it is found out, then it is measured, and a trial comes of it."""

    worker: LoadDriver

    def __init__(
        self, driver: LoadDriver, batch_size: int, seed: int, bound_s: float | None, before: Load | None
    ) -> None:
        super().__init__(driver, batch_size)
        self.seed = seed
        self.bound_s = bound_s
        self.before = before
        self.threads = self.case.contender.threads or 1  # a plan under load says how many
        self.split = (1, self.threads)
        self.single_s = 0.0
        """what a query takes an instance, hand-over included, while all of them are busy"""
        self.probes: list[Probe] = []
        self.tested: Result | None = None

    def take(self, step: Callable[[], None]) -> None:
        """Take a step and keep what went wrong in `error`; no process is left."""
        try:
            self.error = attempt_to(self.worker, step)
        finally:
            self.worker.abandon()

    def run(self) -> None:
        """Find out how to run it, and measure it so."""
        if self.worker.context.plan.scenario is Scenario.OFFLINE:
            with once(self.worker.context):
                self._choose_split()
            self.tested = self._offline(MEASURE_S)
        else:
            self.get_ready()
            self._serve()

    def requested(self) -> dict[str, Any]:
        """The settings as each instance gets them."""
        return self.share.settings(self.case.batch_size)

    @property
    def share(self) -> Runnable:
        """What each instance runs: the contender with its share of the threads."""
        return self.worker.runnable.having(threads=self.split[1])

    def get_ready(self) -> None:
        """Start the instances of the split afresh, load all at once, check what each answers, warm all up at once."""
        driver, sets = self.worker, self.inputs.sets
        instances, _ = self.split
        driver.field(instances, self.share)
        model = worker_model(driver.runnable, driver.context.model, self.case.batch_size)
        loaded = driver.each("load", Loaded, model=model, settings=self.requested())
        self.effective = self.share.in_effect(loaded[0])
        prepared = driver.each("prepare", Took, input_sets=self.inputs.paths)
        checked = range(sets) if driver.context.round == 1 else [driver.context.round % sets]
        first = [self.check_first(functools.partial(driver.outputs, i), checked)[0] for i in range(instances)]
        order = [k % sets for k in range(WARM_UP_CALLS)]
        warm = driver.each("warm_up", WarmUp, order=order, at_least=WARM_UP_LEAST, at_most_seconds=WARM_UP_S)
        self.warm_up = [latency for reply in warm for latency in reply.latencies]
        calls = min(WARM_UP_CALLS, round(PILOT_S / statistics.median(self.warm_up)))
        queries = instances * max(FEWEST_QUERIES, calls)
        pilot = driver.test("offline", PILOT_S, sets=sets, queries=queries, seed=self.seed)
        self.single_s = instances / pilot.found.rate
        self.load_s = max(reply.seconds for reply in loaded)
        self.prepare_s = max(reply.seconds for reply in prepared)
        self.first_inference_s = max(first)

    def _choose_split(self) -> None:
        """The split that answered most in the case's first round, which this may be; one that fails is left out.

        Raises what the first one raised if all fail, and at once if one answers wrongly.
        """
        ways = splits(self.threads)
        if self.before:
            self.split = (self.before.instances, self.before.threads)
        if self.before or len(ways) == 1:
            return
        failures: list[WorkerError] = []
        for way in ways:
            self.split, reason, rate = way, "", 0.0
            try:
                rate = self._offline(SEARCH_S).found.rate
            except WrongOutputsError:
                raise
            except WorkerError as error:
                self.worker.abandon()
                failures.append(error)
                reason = str(error)
            self.probes.append(Probe(instances=way[0], threads=way[1], rate=rate, held=not reason, reason=reason))
        if len(failures) == len(ways):
            raise failures[0]
        best = max(self.probes, key=lambda probe: probe.rate)
        self.split = (best.instances, best.threads)

    def _offline(self, seconds: float) -> Result:
        self.get_ready()
        rate = self.split[0] / self.single_s
        queries = max(FEWEST_QUERIES * self.split[0], round(seconds * rate))
        return self._test("offline", queries, self.seed, queries / rate)

    def _serve(self) -> None:
        """Search for the highest rate that holds the bound, and confirm it on as many queries as its figure needs."""
        capacity = 1 / self.single_s
        bound = BOUND * self.single_s if self.bound_s is None else self.bound_s
        self.bound_s = bound
        alone = f"a query alone takes {self.single_s * 1e3:.3g} ms"
        if self.single_s >= bound:
            raise UnsupportedError(f"no rate holds a 99th percentile of {bound * 1e3:.3g} ms: {alone}")
        found = highest_rate(
            lambda rate: self._holds(rate, PROBE_QUERIES, self.seed),
            self.before.rate if self.before else GUESS * capacity,
            floor=FLOOR * capacity,
            ceiling=CEILING * capacity,
            step=NEXT_STEP if self.before else STEP,
        )
        if found is None or not confirmed(
            lambda rate: self._holds(rate, SERVER_QUERIES, self.seed + 1), found, tries=CONFIRMATIONS
        ):
            lowest = min(probe.rate for probe in self.probes)
            raise UnsupportedError(
                f"no rate that was tried, down to {lowest:.3g} queries/s, holds a 99th percentile of "
                f"{bound * 1e3:.3g} ms; {alone}{self._beside_others()}"
            )

    def _beside_others(self) -> str:
        """What may have kept the last test from holding its bound, as the end of a reason."""
        seen = self.disturbances[-1] if self.disturbances else None
        return f"; others used {seen.share:.0%} of the CPU time meanwhile" if seen and too_much(seen) else ""

    def _holds(self, rate: float, queries: int, seed: int) -> bool:
        assert self.bound_s is not None  # noqa: S101 - set before any rate is tried
        expected = queries / min(rate, 1 / self.single_s)
        self.tested = self._test("server", queries, seed, expected, rate=rate, bound_seconds=self.bound_s)
        instances, threads = self.split
        found = self.tested.found
        self.probes.append(
            Probe(instances=instances, threads=threads, rate=rate, held=found.held, p99_s=found.p99_seconds)
        )
        return found.held

    def _test(self, scenario: str, queries: int, seed: int, expected_s: float, **arguments: Any) -> Result:
        """One run of LoadGen; then the outputs of each instance's last answer are checked."""
        driver = self.worker
        tested = driver.test(scenario, expected_s, sets=self.inputs.sets, queries=queries, seed=seed, **arguments)
        for instance, k in enumerate(tested.found.last):
            if k is not None:
                self.check(driver.outputs(instance, None), self.inputs.expected[k], " (under load)")
        self.disturbances = [tested.disturbance]
        return tested

    def _measurement(self) -> Measurement:
        tested = self.tested
        assert tested is not None  # noqa: S101 - without an error it was tested
        instances, threads = self.split
        return self.measured(
            latencies=tuple(map(tuple, filter(None, tested.found.latencies))),
            burst_s=(tested.wall_s,),
            cpu_s=({"instances": tested.cpu_s},),
            voluntary_switches=0,
            involuntary_switches=0,
            peak_rss_mb=None,
            cold=False,
            load=Load(
                scenario=self.worker.context.plan.scenario,
                instances=instances,
                threads=threads,
                rate=tested.found.rate,
                queries=tested.found.queries,
                bound_s=self.bound_s,
                p99_s=tested.found.p99_seconds,
                probes=tuple(self.probes),
            ),
        )
