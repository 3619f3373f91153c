"""When a race may look at its own results, and what each look costs.

Whoever looks after every round and stops when the interval pleases is wrong far more often than in 5% of races.
So a race looks at fixed rounds only, and the error of 5% is shared out over the looks beforehand: a group
sequential design with a spending function (Lan & DeMets, "Discrete sequential boundaries for clinical trials",
Biometrika 70, 1983). Nobody knows how many rounds a budget holds. The first six looks, up to round 14,
spend 1.1% down to 0.4%: the default race ends within them, on a slow machine early and on a fast one late, and the
first rest on the fewest degrees of freedom. Every further look spends half of what is left: 0.38%, 0.19% ... which adds
up to 5% over any number of looks. The errors of the looks are added (Bonferroni's inequality), as though they never
coincided: an upper bound that needs no assumption about how looks depend on each other.

A look is the race's: which one an interval belongs to follows from the last round that it reaches, never from how many
rounds it has. A pair that missed two rounds would else spend the first look's error twice. A pair that has raced
nothing since an earlier look says what it said then, and spends nothing new.
"""

from collections.abc import Callable

from bakeoff.judge.figures.statistics import CONFIDENCE, t_quantile

FIRST = (2, 3)
"""the rounds of the first looks: two rounds are the least that can tell anything"""
FROM, THEN = 5, 7
"""the next two; after them looks double by twos: 2, 3, 5, 7, 10, 14, 20, 28, 40, 56 ..."""
SPENT = (0.011, 0.009, 0.0075, 0.006, 0.005, 0.004)
"""by the first looks; every further one spends half of what is left"""

Critical = Callable[[int, float, int, int], float]
"""(rounds used, comparisons, last round, degrees of freedom) -> the multiple of the standard error that an interval
reaches to each side; the last round is that of the race"""


def look_rounds(number: int) -> int:
    """After which round the look with this number (from 0) happens: about 1.4 times as many as the one before."""
    if number < len(FIRST):
        return FIRST[number]
    doublings, odd = divmod(number - len(FIRST), 2)
    return (THEN if odd else FROM) << doublings


def looks_done(rounds: int) -> int:
    """How many looks have happened once so many rounds are complete."""
    number = 0
    while look_rounds(number) <= rounds:
        number += 1
    return number


def last_look(rounds: int) -> int | None:
    """The round of the last look at or before `rounds`; None before the first."""
    done = looks_done(rounds)
    return look_rounds(done - 1) if done else None


def error_of_look(last: int) -> float:
    """The error to spend on an interval that reaches to the race's round `last`: that of the first look not before it.

    A race whose budget ends between two looks is judged once with what the next look would have spent.
    """
    number = looks_done(last - 1)
    if number < len(SPENT):
        return SPENT[number]
    return (1 - CONFIDENCE - sum(SPENT)) * 0.5 ** (number - len(SPENT) + 1)


def sequential(rounds: int, comparisons: float, last: int | None = None, df: int | None = None) -> float:
    """The critical value of two-sided intervals that hold over all looks and all `comparisons` at once.

    A look spends its own share of the error whichever of its rounds an interval rests on, provided that those missed
    or left out were not chosen by what was measured in them. `last` is the race's round that the interval reaches; by
    default none was missed. The degrees of freedom `df` are by default those of the rounds used.
    """
    return t_quantile(1 - error_of_look(last or rounds) / comparisons / 2, df or rounds - 1)


def at_once(rounds: int, comparisons: float, last: int | None = None, df: int | None = None) -> float:
    """The critical value for a number of rounds that was fixed beforehand and is looked at once."""
    del last
    return t_quantile(1 - (1 - CONFIDENCE) / comparisons / 2, df or rounds - 1)
