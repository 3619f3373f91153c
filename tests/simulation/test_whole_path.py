"""The same statistics from latencies on: synthetic trials go through the very functions that report a race.

A latency is the engine's own, times the round's drift, times the process's deviation, times its own noise, and one in
fifty is wild. Trials of two bursts, eight latencies: as a race has them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.judge.case.summary import summarise
from bakeoff.judge.results import Results
from bakeoff.judge.table.best import compare
from bakeoff.judge.table.looks import at_once
from bakeoff.judge.table.selftest import Names, examine, resolvable
from bakeoff.judge.table.verdict import log_throughputs, verdicts
from bakeoff.records import Measurement, Outcome, RunRecord, Status, Trial

pytestmark = pytest.mark.simulation

RACES = 2000
BURSTS, CALLS = 2, 4
LATENCY_S = 0.1


@dataclass(frozen=True)
class Machine:
    """Standard deviations of log latency, and how latencies go wild."""

    process: float
    iteration: float
    drift: float = 0.08
    wild: float = 0.02
    """share of latencies that take longer, by an exponential 50% on average"""

    def latencies(self, rng: np.random.Generator, speeds: Sequence[float], rounds: int) -> np.ndarray:
        """Seconds, of shape (engines, rounds, bursts, calls)."""
        shape = (len(speeds), rounds, BURSTS, CALLS)
        logs = -np.log(speeds)[:, None, None, None] + self.drift * rng.standard_normal((1, rounds, 1, 1))
        logs = (
            logs + self.process * rng.standard_normal((*shape[:2], 1, 1)) + self.iteration * rng.standard_normal(shape)
        )
        spikes = np.where(rng.random(shape) < self.wild, 1 + rng.exponential(0.5, shape), 1.0)
        found: np.ndarray = LATENCY_S * np.exp(logs) * spikes
        return found

    def race(self, rng: np.random.Generator, speeds: Sequence[float], rounds: int) -> tuple[RunRecord, list[Trial]]:
        """A run and its trials; engines are called by their places."""
        engines = tuple(str(i) for i in range(len(speeds)))
        plan = a_plan(models=("m",), engines=engines, batch_sizes=(1,), threads=1)
        run = RunRecord(name="1", started_at=0.0, plan=plan, machine={}, bakeoff_version="0", state="finished")
        seconds = self.latencies(rng, speeds, rounds).tolist()
        return run, [trial(engine, r + 1, seconds[i][r]) for r in range(rounds) for i, engine in enumerate(engines)]


def trial(engine: str, round_: int, bursts: Sequence[Sequence[float]]) -> Trial:
    return Trial(
        round=round_,
        case=a_case(engine=engine, model="m", batch_size=1, threads=1),
        status=Status.OK,
        measurement=Measurement(
            latencies=tuple(map(tuple, bursts)),
            warm_up=(),
            load_s=1.0,
            prepare_s=0.0,
            first_inference_s=0.2,
            import_s=0.1,
            burst_s=tuple(map(sum, bursts)),
            cpu_s=({},) * BURSTS,
            voluntary_switches=0,
            involuntary_switches=0,
            peak_rss_mb=100.0,
            cold=True,
        ),
    )


MEASURED = Machine(process=0.017, iteration=0.03)
"""between two processes of one engine in a heat: 3-4%"""
ITERATIONS = Machine(process=0.002, iteration=0.12)
"""nearly all noise is between calls"""
MACHINES = pytest.mark.parametrize("machine", [MEASURED, ITERATIONS], ids=["measured", "iterations"])


def share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)


@MACHINES
@pytest.mark.parametrize("rounds", [5, 10])
def test_the_interval_of_a_row_covers_in_95_of_100_races(machine: Machine, rounds: int) -> None:
    """The truth is the mean log throughput of a trial, from a hundred thousand of them."""
    rng = np.random.default_rng(rounds)
    many = machine.latencies(rng, [1.0], 100_000)[0]
    truth = math.exp(np.log(BURSTS * CALLS / many.sum(axis=(1, 2))).mean())

    def covers() -> bool:
        (row,) = summarise(*machine.race(rng, [1.0], rounds))
        return row.fps_ci95 is not None and row.fps_ci95[0] <= truth <= row.fps_ci95[1]

    covered = share([covers() for _ in range(RACES)])
    print(f"\na row's interval, {rounds} rounds: covers in {covered:.1%}")
    assert 0.93 <= covered <= 0.97


@MACHINES
@pytest.mark.parametrize("rounds", [5, 10])
def test_the_interval_of_a_ratio_covers_in_95_of_100_races(machine: Machine, rounds: int) -> None:
    rng = np.random.default_rng(rounds)

    def covers() -> bool:
        _, trials = machine.race(rng, [1.1, 1.0], rounds)
        pair = compare(log_throughputs(trials), at_once)
        return bool(abs(pair.mean[0, 1] - math.log(1.1)) <= pair.half_width[0, 1])

    covered = share([covers() for _ in range(RACES)])
    print(f"\na ratio's interval, {rounds} rounds: covers in {covered:.1%}")
    assert 0.93 <= covered <= 0.97


@MACHINES
def test_the_verdict_of_equal_engines_calls_a_difference_in_at_most_5_of_100_races(machine: Machine) -> None:
    rng = np.random.default_rng(0)

    def different() -> bool:
        run, trials = machine.race(rng, [1.0, 1.0, 1.0], 7)
        (verdict,) = Results(run, trials).verdicts
        return any(
            standing.outcome is Outcome.SLOWER
            or (standing.interval is not None and not standing.interval[0] <= 1 <= standing.interval[1])
            for standing in verdict.standings
        )

    called = share([different() for _ in range(RACES)])
    print(f"\nA/A of 3, 7 rounds: a difference called in {called:.1%}")
    assert called <= 0.05


# The self-test


NAMES = Names(plain="0", again="1", delayed="2")


def noise_that_resolves(difference: float, rounds: int) -> float:
    """The standard deviation of a log ratio at which the self-test says that so many rounds just resolve it."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if resolvable(middle, rounds) <= difference else (low, middle)
    return low


def machine_with(sd: float) -> Machine:
    """A machine of which two processes differ by so much: half of the variance between processes, half within."""
    return Machine(process=sd / 2, iteration=sd / 2 * math.sqrt(BURSTS * CALLS), wild=0.0)


@pytest.mark.parametrize("rounds", [5, 10, 20, 40])
def test_a_true_5_percent_is_found_9_times_of_10_at_the_noise_that_the_self_test_says_resolves_it(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    machine = machine_with(noise_that_resolves(0.05, rounds))

    def found() -> bool:
        _, trials = machine.race(rng, [1.05, 1.0], rounds)
        (verdict,) = verdicts(trials, critical=at_once)
        return verdict.leader == "0" and verdict.standings[1].outcome is Outcome.SLOWER

    power = share([found() for _ in range(RACES)])
    print(f"\na true 5% at the noise that {rounds} rounds resolve: found in {power:.1%}")
    assert 0.90 <= power <= 0.94


def test_the_self_test_measures_the_noise_that_there_is() -> None:
    rng = np.random.default_rng(1)
    found = [examine(machine_with(0.03).race(rng, [1.05, 1.05, 1.0], 20)[1], NAMES, 0.05) for _ in range(300)]
    sd = math.sqrt(np.mean([finding.sd**2 for finding in found if finding]))
    print(f"\nself-test: noise of 3.00% is found to be {sd:.2%}")
    assert sd == pytest.approx(0.03, rel=0.03)


@pytest.mark.parametrize(("delayed", "least", "most"), [(1 / 1.05, 0.95, 1.0), (1.0, 0.0, 0.0), (1 / 1.10, 0.0, 0.05)])
def test_the_self_test_passes_a_sound_race_and_no_other(delayed: float, least: float, most: float) -> None:
    """Where a delay of 5% is resolved well: it passes with that delay, and not with none or twice as much."""
    rng = np.random.default_rng(2)
    machine = machine_with(noise_that_resolves(0.04, 20))

    def passes() -> bool:
        finding = examine(machine.race(rng, [1.0, 1.0, delayed], 20)[1], NAMES, 0.05)
        return finding is not None and finding.passed

    passed = share([passes() for _ in range(500)])
    print(f"\nself-test with the delayed one {1 / delayed - 1:.0%} slower: passes in {passed:.1%}")
    assert least <= passed <= most
