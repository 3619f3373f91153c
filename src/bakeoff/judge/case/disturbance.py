"""Which trials others disturbed, and which trials count.

Other processes slow an engine down, and pairing by round does not cover it, since that hits the engine whose turn it
is. So a batch size in which any trial was disturbed is raced again, and trials that stay disturbed are left out
where enough others are. Every choice here rests on the CPU time of others alone, never on a measured speed: what is
left is then a fair sample of what undisturbed rounds would show.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from bakeoff.records import Case, Disturbance, Trial

SHARE = 0.05
"""of the CPU time that there was, taken by others, above which a trial is disturbed ..."""
MOST_CPUS = 0.5
"""... and CPUs taken above which it is, however many there are: all threads of an engine wait for the slowest"""
FEWEST = 5
"""undisturbed rounds that are enough to leave out the others"""
VAIN_REPEATS = 2
"""so many more repeats may have been disturbed again than not, before no more are tried"""


def disturbed(trial: Trial) -> bool:
    """Whether others took more of the CPUs than the figures of `trial` can bear."""
    return trial.disturbance is not None and too_much(trial.disturbance)


def too_much(seen: Disturbance) -> bool:
    """Beyond `SHARE` and `MOST_CPUS`, whichever is less, and beyond what the counters can tell at all."""
    bearable = min(SHARE * seen.cpus, MOST_CPUS) * seen.wall_s
    return seen.others_cpu_s + seen.steal_s > max(bearable, seen.resolution_s)


def repeats_help(trials: Iterable[Trial]) -> bool:
    """Whether racing again has been worth its time so far: on a machine that is never quiet it would double it."""
    repeats: dict[tuple[str, int, int], bool] = {}
    for trial in trials:
        if trial.repeat:
            raced = trial.case.model, trial.case.batch_size, trial.round
            repeats[raced] = repeats.get(raced, False) or disturbed(trial)
    vain = sum(repeats.values())
    return vain - (len(repeats) - vain) < VAIN_REPEATS


def last_tries(trials: Iterable[Trial]) -> list[Trial]:
    """Without profiles, and those in whose place a repeat stands: all that its case did before in the same round."""
    trials = [trial for trial in trials if not trial.profile]
    repeats = {(trial.case, trial.round): i for i, trial in enumerate(trials) if trial.repeat}
    return [trial for i, trial in enumerate(trials) if i >= repeats.get((trial.case, trial.round), 0)]


def disturbed_rounds(tries: Iterable[Trial]) -> dict[Case, set[int]]:
    """The rounds in which each case was disturbed, given last tries."""
    rounds: dict[Case, set[int]] = defaultdict(set)
    for trial in tries:
        if disturbed(trial):
            rounds[trial.case].add(trial.round)
    return rounds


def counted(trials: Iterable[Trial]) -> list[Trial]:
    """Those of all `trials`, in their order, that the figures of their cases rest on."""
    tries = last_tries(trials)
    spoilt = disturbed_rounds(tries)
    raced: dict[Case, set[int]] = defaultdict(set)
    for trial in tries:
        if trial.measurement:
            raced[trial.case].add(trial.round)
    left_out = {case: rounds - quiet(rounds, spoilt.get(case, ())) for case, rounds in raced.items()}
    return [trial for trial in tries if trial.round not in left_out.get(trial.case, ())]


def quiet(rounds: Collection[int], spoilt: Collection[int]) -> set[int]:
    """The rounds to use: those that were not disturbed if these are five; else all."""
    undisturbed = set(rounds) - set(spoilt)
    return undisturbed if len(undisturbed) >= FEWEST else set(rounds)
