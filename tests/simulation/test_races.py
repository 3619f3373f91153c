"""The statistics of verdicts, proved on synthetic races whose truth is known. `pytest -s` prints the figures.

A trial's log throughput is the engine's own, plus the round's drift (shared by all engines of a heat), plus the
process's deviation, plus eight latencies' noise, minus now and then a disturbance that went unnoticed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.judge.table.best import compare_array
from bakeoff.judge.table.looks import at_once, look_rounds
from bakeoff.judge.table.stopping import wanted_engines
from bakeoff.judge.table.verdict import standings
from bakeoff.records import INDIFFERENCE, Outcome, Standing

pytestmark = pytest.mark.simulation

Logs = NDArray[np.float64]
EFFECT = math.log1p(INDIFFERENCE)
LATENCIES = 8


@dataclass(frozen=True)
class Machine:
    """How a machine disturbs measurements; standard deviations of log throughput."""

    process: float
    iteration: float
    drift: tuple[float, float] = (0.05, 0.11)
    disturbed: float = 0.01
    """share of trials that something slows down unnoticed, by an exponential 10% on average"""
    slowdown: float = 0.1
    unequal: float = 1.5
    """engines' noise differs by up to this factor to each side"""

    def race(self, rng: np.random.Generator, true: Sequence[float], rounds: int) -> Logs:
        """Log throughputs of shape (engines, rounds); their expectation is `true` less `lost` and a constant."""
        shape = (len(true), rounds)
        noise = self.unequal ** rng.uniform(-1, 1, (len(true), 1))
        drift = rng.uniform(*self.drift) * rng.standard_normal(rounds)
        process = self.process * noise * rng.standard_normal(shape)
        latencies = np.exp(self.iteration * rng.standard_normal((*shape, LATENCIES)))
        disturbance = np.where(rng.random(shape) < self.disturbed, rng.exponential(self.slowdown, shape), 0.0)
        logs: Logs = np.array(true)[:, None] + drift + process - np.log(latencies.mean(axis=2)) - disturbance
        return logs

    @property
    def lost(self) -> float:
        """What disturbance and the mean of lognormal latencies take from log throughput on average."""
        return self.disturbed * self.slowdown + self.iteration**2 / 2 * (1 - 1 / LATENCIES)


MEASURED = Machine(process=0.017, iteration=0.03)
"""standard deviation of the log ratio between two processes 3.5%, as measured in heats (2.5% for a single trial)"""
WORSE = Machine(process=0.0265, iteration=0.05)
"""3.6% for a single trial, which makes 5.1% between two"""
QUIET = Machine(process=0.003, iteration=0.01, disturbed=0.0)
STANDARD_ERROR = 0.005
"""of a share of 95% in 2,000 races"""


def true_ratios(true: Sequence[float]) -> list[float]:
    """Log of the fastest other engine over each."""
    return [max(other for j, other in enumerate(true) if j != i) - own for i, own in enumerate(true)]


def names(count: int) -> list[str]:
    return [str(i) for i in range(count)]


def is_wrong(standing: Standing, behind: float) -> bool:
    """Whether an outcome is false, given the truth: log of the fastest other engine over this one."""
    if standing.outcome is Outcome.SLOWER:
        return behind <= EFFECT
    if standing.outcome is Outcome.EQUIVALENT:
        return abs(behind) > EFFECT
    return False


def holds(standing: Standing, behind: float) -> bool:
    return standing.interval is None or standing.interval[0] <= math.exp(behind) <= standing.interval[1]


def a_field(rng: np.random.Generator) -> list[float]:
    """Two to eight engines: some near the best, at and around the minimum effect, the others far behind."""
    near = [0.0, 0.01, EFFECT, 0.025, 0.03, 0.05, 0.10]
    count = int(rng.integers(1, 8))
    return [0.0, *(-rng.choice(near) if rng.random() < 0.5 else -rng.uniform(0.15, 1.6) for _ in range(count))]


@dataclass
class Race:
    """A race under the stop rule: which rounds each engine ran, and what every look said."""

    logs: Logs
    ran: NDArray[np.bool_]
    looks: list[tuple[Standing, ...]]

    @property
    def rounds(self) -> int:
        return int(self.ran.any(axis=0).sum())


def run(logs: Logs, stop: bool = True, disturbed: NDArray[np.bool_] | None = None) -> Race:
    """Race until nobody wants more or `logs` are used up; with `stop` off, all engines run every round.

    `disturbed`, of the shape of `logs`, are the trials that others are known to have disturbed.
    """
    known = np.zeros(logs.shape, dtype=bool) if disturbed is None else disturbed
    engines, last = logs.shape
    ran = np.zeros(logs.shape, dtype=bool)
    active = set(names(engines))
    said: list[tuple[Standing, ...]] = []
    begin = 0
    for look in looks_up_to(last):
        ran[[int(name) for name in active], begin:look] = True
        seen = np.where(ran, logs, np.nan)[:, :look]
        said.append(standings(compare_array(names(engines), seen, disturbed=known[:, :look])))
        begin = look
        if stop:
            spoilt = {str(i): {r for r, hit in enumerate(hits, 1) if hit} for i, hits in enumerate(known)}
            active = wanted_engines((as_table(seen), spoilt, {}), names(engines))
            if not active:
                break
    return Race(logs, ran, said)


def looks_up_to(last: int) -> Iterator[int]:
    number = 0
    while (look := look_rounds(number)) <= last:
        yield look
        number += 1


def as_table(logs: Logs) -> dict[str, dict[int, float]]:
    return {
        str(i): {r: float(value) for r, value in enumerate(row, 1) if np.isfinite(value)} for i, row in enumerate(logs)
    }


def share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)


# Intervals at a number of rounds fixed beforehand


@pytest.mark.parametrize("rounds", [5, 10, 20])
def test_a_case_s_own_interval_covers_its_throughput_in_95_of_100_races(rounds: int) -> None:
    rng = np.random.default_rng(rounds)

    def covers() -> bool:
        values = np.exp(WORSE.race(rng, [3.0], rounds)[0])
        _, interval = geometric_mean_interval(values.tolist())
        return interval is not None and interval[0] <= math.exp(3.0 - WORSE.lost) <= interval[1]

    covered = share([covers() for _ in range(2000)])
    print(f"\nown interval, {rounds} rounds: covers in {covered:.1%}")
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("trials", [2, 3, 5])
@pytest.mark.parametrize(("times", "least"), [(1 / 3, 0.95), (1, 0.94), (2, 0.90), (3, 0.88)])
def test_intervals_hold_where_noise_beside_is_of_another_size(trials: int, times: float, least: float) -> None:
    rng = np.random.default_rng(trials)
    deviations = np.array([math.sqrt(times), 1, 1, 1])[:, None] * 0.05
    shared = math.sqrt(0.4) * rng.standard_normal((4000, 1, trials))
    races = np.exp(math.log(40) + deviations * (shared + math.sqrt(0.6) * rng.standard_normal((4000, 4, trials))))
    bounds = [geometric_mean_interval(own, beside=beside)[1] or (0, 0) for own, *beside in races.tolist()]
    covered = share([low <= 40 <= high for low, high in bounds])
    assert covered > least


@pytest.mark.parametrize("machine", [MEASURED, WORSE])
@pytest.mark.parametrize("rounds", [3, 5, 10, 20])
def test_the_interval_of_a_ratio_covers_it_in_95_of_100_races(machine: Machine, rounds: int) -> None:
    rng = np.random.default_rng(rounds)

    def covers() -> bool:
        pair = compare_array(names(2), machine.race(rng, [0.1, 0.0], rounds), critical=at_once)
        return bool(abs(pair.mean[0, 1] - 0.1) <= pair.half_width[0, 1])

    covered = share([covers() for _ in range(2000)])
    print(f"\ninterval of a ratio, {rounds} rounds: covers in {covered:.1%}")
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("engines", [2, 4, 8])
def test_all_intervals_behind_the_best_hold_at_once(engines: int) -> None:
    """Where the best is clear, so that every interval is a single pair's: the least favourable truth."""
    rng = np.random.default_rng(engines)
    true = [0.0, *[-0.5] * (engines - 1)]
    behind = true_ratios(true)

    def hold() -> bool:
        said = standings(compare_array(names(engines), WORSE.race(rng, true, 7), critical=at_once))
        return all(holds(standing, behind[int(standing.contender)]) for standing in said)

    held = share([hold() for _ in range(2000)])
    print(f"\nall {engines} intervals, one look: hold in {held:.1%}")
    assert 0.95 - 2 * STANDARD_ERROR <= held <= 0.985


# The whole procedure: looks and dropping


@pytest.mark.parametrize("most", [2, 8])
def test_equal_engines_are_hardly_ever_told_apart(most: int) -> None:
    """Neither beyond the minimum effect, nor by any interval that excludes equality, at any look."""
    rng = np.random.default_rng(0)
    slower, apart = [], []
    for _ in range(1000):
        race = run(WORSE.race(rng, [0.0] * int(rng.integers(2, most + 1)), 40))
        said = [standing for look in race.looks for standing in look]
        slower.append(any(standing.outcome is Outcome.SLOWER for standing in said))
        apart.append(not all(holds(standing, 0.0) for standing in said))
    print(f"\nA/A of 2 to {most}, all looks: slower in {share(slower):.1%}, any difference in {share(apart):.1%}")
    assert share(slower) <= 0.05
    assert share(apart) <= 0.05


def test_a_difference_of_just_the_minimum_effect_is_hardly_ever_called_beyond_it() -> None:
    """The least favourable truth: the best is soon clear, and calling any other slower is wrong."""
    rng = np.random.default_rng(1)

    def wrong() -> bool:
        count = int(rng.integers(2, 9))
        race = run(QUIET.race(rng, [0.0, *[-EFFECT] * (count - 1)], 40))
        return any(s.outcome is Outcome.SLOWER for look in race.looks for s in look)

    called = share([wrong() for _ in range(1000)])
    print(f"\nat the minimum effect, all looks: called slower in {called:.1%}")
    assert called <= 0.05


@pytest.mark.parametrize("machine", [MEASURED, WORSE])
def test_no_look_of_a_race_says_anything_wrong_in_95_of_100_races(machine: Machine) -> None:
    rng = np.random.default_rng(2)
    right, covered, decided = [], [], []
    for _ in range(1000):
        true = a_field(rng)
        behind = true_ratios(true)
        race = run(machine.race(rng, true, 40))
        said = [standing for look in race.looks for standing in look]
        right.append(not any(is_wrong(standing, behind[int(standing.contender)]) for standing in said))
        covered.append(all(holds(standing, behind[int(standing.contender)]) for standing in said))
        clear = [s for s in race.looks[-1] if behind[int(s.contender)] >= 0.1 - 1e-9]
        decided += [s.outcome is Outcome.SLOWER for s in clear]
    print(f"\nno wrong verdict at any look: {share(right):.1%}; all intervals hold: {share(covered):.1%}; ", end="")
    print(f"gaps of 10% and more decided by the end: {share(decided):.1%}")
    assert share(right) >= 0.95
    assert share(covered) >= 0.95
    assert share(decided) >= 0.95


def test_looking_without_paying_for_it_would_be_wrong_too_often() -> None:
    """Deleting the price of looks must be noticed: the plain interval at every look, for comparison."""
    rng = np.random.default_rng(3)

    def difference() -> bool:
        logs = WORSE.race(rng, [0.0, 0.0], 56)
        looks = [compare_array(names(2), logs[:, :look], critical=at_once) for look in looks_up_to(56)]
        return any(look.half_width[0, 1] < abs(look.mean[0, 1]) for look in looks)

    assert share([difference() for _ in range(500)]) > 0.10


@pytest.mark.parametrize("missed", [(3, 4), (3, 4, 5, 7, 9, 10, 12, 13)], ids=["two rounds", "eight rounds"])
def test_equals_are_called_different_in_at_most_5_of_100_races_whichever_rounds_they_missed(
    missed: Sequence[int],
) -> None:
    """A heat that time cut short leaves tables without a round. That the looks' errors add up to 5% then as well is
    tested in `test_best.py`; this is what comes of it.
    """
    rng = np.random.default_rng(1)

    def difference() -> bool:
        logs = MEASURED.race(rng, [0.0, 0.0], 40)
        logs[:, np.array(missed) - 1] = np.nan
        looks = [compare_array(names(2), logs[:, :look]) for look in looks_up_to(40)]
        return any(look.half_width[0, 1] < abs(look.mean[0, 1]) for look in looks)

    called = share([difference() for _ in range(4000)])
    print(f"\nA/A without rounds {missed}: a difference called at any look in {called:.1%}")
    assert called <= 0.05


def test_leaving_disturbed_rounds_out_is_right_in_95_of_100_races_and_decides_more() -> None:
    """A neighbour takes a tenth of all trials down by 30% on average, and is seen doing so."""
    rng = np.random.default_rng(7)
    right, covered = [], []
    found: list[bool] = []
    found_otherwise: list[bool] = []
    for _ in range(1000):
        true = a_field(rng)
        behind = true_ratios(true)
        logs = MEASURED.race(rng, true, 40)
        disturbed = rng.random(logs.shape) < 0.1
        logs -= np.where(disturbed, rng.exponential(0.3, logs.shape), 0.0)
        race = run(logs, disturbed=disturbed)
        said = [standing for look in race.looks for standing in look]
        right.append(not any(is_wrong(standing, behind[int(standing.contender)]) for standing in said))
        covered.append(all(holds(standing, behind[int(standing.contender)]) for standing in said))
        for looks, decided in ((race.looks, found), (run(logs).looks, found_otherwise)):
            clear = [s for s in looks[-1] if behind[int(s.contender)] >= 0.1 - 1e-9]
            decided.append(all(s.outcome is Outcome.SLOWER for s in clear))
    print(
        f"\ndisturbed trials left out: no wrong verdict {share(right):.1%}, all intervals hold {share(covered):.1%}; ",
        end="",
    )
    print(f"all gaps of 10% decided in {share(found):.1%}, with every trial counted in {share(found_otherwise):.1%}")
    assert share(right) >= 0.95
    assert share(covered) >= 0.95
    assert share(found) > share(found_otherwise)


# What it can find


@pytest.mark.parametrize(("machine", "rounds"), [(MEASURED, 40), (WORSE, 112)])
def test_a_true_5_percent_is_found(machine: Machine, rounds: int) -> None:
    def slower(logs: Logs) -> bool:
        return run(logs).looks[-1][1].outcome is Outcome.SLOWER

    assert power(machine, rounds, slower) >= 0.90


@pytest.mark.parametrize(("machine", "rounds"), [(MEASURED, 20), (WORSE, 40)])
def test_a_true_5_percent_is_found_sooner_when_the_rounds_are_fixed_beforehand(machine: Machine, rounds: int) -> None:
    """As in a self-test: one look, at the end."""

    def slower(logs: Logs) -> bool:
        return standings(compare_array(names(2), logs, critical=at_once))[1].outcome is Outcome.SLOWER

    assert power(machine, rounds, slower) >= 0.90


def power(machine: Machine, rounds: int, finds: Callable[[Logs], bool]) -> float:
    """In how many of 1,000 races of two engines 5% apart the second is found slower."""
    rng = np.random.default_rng(rounds)
    found = share([finds(machine.race(rng, [math.log(1.05), 0.0], rounds)) for _ in range(1000)])
    print(f"\na true 5% in {rounds} rounds: found in {found:.1%}")
    return found


def test_equal_engines_are_found_equivalent_in_the_end() -> None:
    rng = np.random.default_rng(5)
    quiet = Machine(process=0.01, iteration=0.02)
    races = [run(quiet.race(rng, [0.0, 0.0, -0.3], 112)) for _ in range(200)]
    ends = [any(s.outcome is Outcome.EQUIVALENT for s in race.looks[-1]) for race in races]
    print(f"\nequal engines on a quiet machine: equivalent in {share(ends):.1%}, ", end="")
    print(f"after {fmean(race.rounds for race in races):.0f} rounds on average")
    assert share(ends) >= 0.95


# What racing saves


def test_racing_saves_time_over_equal_rounds() -> None:
    """Eight engines as in the engines' own table: two close to the best, five behind, one far behind."""
    rng = np.random.default_rng(6)
    true = np.log([1.0, 0.97, 0.87, 0.65, 0.55, 0.46, 0.40, 0.22])
    seconds = 5 + 14 * 0.1 / np.exp(true)
    """a start of five seconds, then fourteen inferences of 0.1 s at the best engine's speed"""

    def clear(said: Sequence[Standing]) -> bool:
        return {s.contender for s in said if s.outcome is Outcome.SLOWER} >= {"2", "3", "4", "5", "6", "7"}

    with_racing, without, rounds, clear_by = 0.0, 0.0, [], []
    for _ in range(200):
        race = run(MEASURED.race(rng, true.tolist(), 40))
        with_racing += float((race.ran * seconds[:, None]).sum())
        without += float(race.rounds * seconds.sum())
        rounds.append(race.rounds)
        clear_by.append(next(look for look, said in zip(looks_up_to(40), race.looks, strict=False) if clear(said)))
    saved = 1 - with_racing / without
    print(
        f"\nracing: {saved:.0%} of the time saved for the same rounds of the contenders ({fmean(rounds):.0f});", end=""
    )
    print(f" gaps over 10% decided after {fmean(clear_by):.1f} rounds on average")
    assert saved > 0.4
