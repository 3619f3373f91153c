"""Variances shared between the batch sizes of two engines, proved on synthetic races whose truth is known.

As in `test_races.py`, with four tables. The noise of an engine differs between them by up to a factor to each side, and
a part of each process's deviation is common to all batch sizes, since one process runs them all.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.simulation.test_races import (
    LATENCIES,
    WORSE,
    Logs,
    Machine,
    a_field,
    holds,
    is_wrong,
    looks_up_to,
    names,
    share,
    true_ratios,
)

from bakeoff.judge.table.best import compare_array
from bakeoff.judge.table.looks import Critical, at_once, sequential
from bakeoff.judge.table.verdict import standings
from bakeoff.records import Outcome, Standing

pytestmark = pytest.mark.simulation

SIZES = 4


def race(
    rng: np.random.Generator,
    true: Sequence[float],
    rounds: int,
    *,
    unlike: float,
    common: float,
    machine: Machine = WORSE,
) -> list[Logs]:
    """Log throughputs of shape (engines, rounds) for each batch size.

    `unlike`: the factor by which noise differs between batch sizes; `common`: of the process's variance.
    """
    shape = len(true), rounds
    noise = machine.unequal ** rng.uniform(-1, 1, (len(true), 1))
    shared = rng.standard_normal(shape)
    tables = []
    for _ in range(SIZES):
        drift = rng.uniform(*machine.drift) * rng.standard_normal(rounds)
        deviation = math.sqrt(common) * shared + math.sqrt(1 - common) * rng.standard_normal(shape)
        here = machine.process * noise * unlike ** rng.uniform(-1, 1, (len(true), 1))
        latencies = np.exp(machine.iteration * rng.standard_normal((*shape, LATENCIES)))
        slowed = np.where(rng.random(shape) < machine.disturbed, rng.exponential(machine.slowdown, shape), 0.0)
        tables.append(np.array(true)[:, None] + drift + here * deviation - np.log(latencies.mean(axis=2)) - slowed)
    return tables


def said(tables: Sequence[Logs], critical: Critical) -> list[tuple[Standing, ...]]:
    """The standings of each table, with the others for siblings."""
    engines = names(len(tables[0]))
    return [
        standings(
            compare_array(
                engines,
                logs,
                critical=critical,
                siblings=[(other, None, None) for other in tables if other is not logs],
            )
        )
        for logs in tables
    ]


@pytest.mark.parametrize(
    ("unlike", "common", "least"), [(1.0, 0.0, 0.94), (1.5, 0.2, 0.94), (2.0, 0.4, 0.94), (3.0, 0.0, 0.93)]
)
@pytest.mark.parametrize("rounds", [3, 4, 5, 10])
def test_all_intervals_of_a_table_hold_at_once(rounds: int, unlike: float, common: float, least: float) -> None:
    """Where the best is clear: the least favourable truth. Noise unlike by 3 is the worst found in real races."""
    rng = np.random.default_rng(rounds)
    true = [0.0, *[-0.5] * 7]
    behind = true_ratios(true)
    held = share(
        [
            all(holds(standing, behind[int(standing.contender)]) for standing in table)
            for _ in range(500)
            for table in said(race(rng, true, rounds, unlike=unlike, common=common), at_once)
        ]
    )
    print(f"\n8 engines, {rounds} rounds, noise unlike by {unlike}, {common:.0%} common: intervals hold in {held:.1%}")
    assert held >= least


def test_no_look_says_anything_wrong_in_95_of_100_races() -> None:
    rng = np.random.default_rng(1)
    right, covered = [], []
    for _ in range(250):
        true = a_field(rng)
        behind = true_ratios(true)
        tables = race(rng, true, 40, unlike=1.5, common=0.2)
        looks = [said([logs[:, :look] for logs in tables], sequential) for look in looks_up_to(40)]
        for table in zip(*looks, strict=True):
            every = [standing for look in table for standing in look]
            right.append(not any(is_wrong(standing, behind[int(standing.contender)]) for standing in every))
            covered.append(all(holds(standing, behind[int(standing.contender)]) for standing in every))
    print(f"\nno wrong verdict at any look: {share(right):.1%}; all intervals hold: {share(covered):.1%}")
    assert share(right) >= 0.95
    assert share(covered) >= 0.95


def test_a_race_of_four_rounds_decides_more() -> None:
    """What the default race of a quarter of an hour holds on a slow machine, here one of three times the noise."""
    rng = np.random.default_rng(2)
    loud = replace(WORSE, process=3 * WORSE.process)
    true = np.log([1.0, 0.97, 0.87, 0.65, 0.55, 0.46, 0.40, 0.22]).tolist()
    clear = {str(i) for i, value in enumerate(true) if value < math.log(0.9)}

    def decided(of_table: Sequence[Standing]) -> list[bool]:
        return [standing.outcome is Outcome.SLOWER for standing in of_table if standing.contender in clear]

    together, alone = [], []
    for _ in range(200):
        tables = race(rng, true, 4, unlike=1.5, common=0.2, machine=loud)
        together += [each for table in said(tables, sequential) for each in decided(table)]
        alone += [each for logs in tables for each in decided(standings(compare_array(names(8), logs)))]
    print(f"\ngaps over 10% decided in 4 rounds: {share(together):.0%}, by each table alone {share(alone):.0%}")
    assert share(together) > share(alone) + 0.02
    assert share(together) > 0.7
