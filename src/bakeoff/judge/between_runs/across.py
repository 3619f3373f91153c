"""The ratio of two throughputs that were not measured side by side, or that were, and how sure it is.

Within a run, drift of the machine is paired away: both engines took their turns in the same rounds. Between two runs
it is not. Every heat therefore carries a *canary*, fixed work of bakeoff's own, which is taken out of a case's log
throughput as far as it explains it (`bakeoff.judge.between_runs.calibration`). What remains is compared by Welch's t
(B. L. Welch, "The generalization of Student's problem when several different population variances are involved",
Biometrika 34, 1947), whose degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946):

    t = (mean2 - mean1) / sqrt(s1^2/n1 + s2^2/n2 + 2 w^2 + doubt)

The trials of one run tell nothing of how runs differ from each other. That is what w is for, the standard deviation
between runs that trials cannot show: a constant of this method, `BETWEEN_RUNS`, that does not shrink with rounds. It
was estimated from few runs, and enters Satterthwaite's formula, with the doubt, with as few degrees of freedom.

What others took of the CPUs while one of the runs was raced has no bound that figures tell: there is no interval then.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bakeoff.judge.between_runs.calibration import Side, calibrated
from bakeoff.judge.between_runs.pairing import same_hardware
from bakeoff.judge.between_runs.scorecard import moments, of_values, undisturbed
from bakeoff.judge.figures.statistics import CONFIDENCE, t_quantile
from bakeoff.judge.table.best import FEWEST_ROUNDS, MOST_ROUNDS
from bakeoff.records import INDIFFERENCE
from bakeoff.scorecards import Calibration, CanaryRounds, Change, Compared, Method, Moments, Score, Scorecard

BETWEEN_RUNS: Mapping[Method, float] = {Method.PAIRED: 0.0, Method.CANARY: 0.015, Method.NONE: 0.08}
"""Standard deviation, between runs of one case on one machine, of log throughput beyond what trials show.

Raw throughput drifts by 5-11% on the machine of docs/method.md: the middle of that. Relative to other work in the
same rounds far less: see "Across runs" there. `benchmarks/false_alarms.py` estimates it for another machine.
"""
BETWEEN_FREEDOM = 4
"""degrees of freedom of these estimates"""
MOST_FREEDOM = 1000
"""degrees of freedom beyond which t is the normal distribution"""


@dataclass(frozen=True)
class Estimate:
    """A log ratio, second over first, with what it takes to put bounds on it."""

    method: Method
    mean: float
    first: Moments
    second: Moments
    """of the two samples; of a paired one, twice that of the log ratios"""
    last: int = 0
    """of a paired one, the last round that both have"""
    canary: Calibration | None = None
    doubt: float = 0.0
    """variance of the log ratio for what the canary leaves open"""
    disturbed: bool = False
    """whether others used the CPUs in rounds that it rests on: then it has no bounds. Not of a paired one, where chance
    decides whom that hits, so that its deviation has it"""

    @property
    def rounds(self) -> int:
        """Of the smaller sample."""
        return min(self.first.count, self.second.count)

    @property
    def bounded(self) -> bool:
        """Whether there is any interval at all."""
        return self.rounds >= FEWEST_ROUNDS and not self.disturbed

    def reach(self, error: float, *, more_rounds: int = 0) -> float:
        """How far a one-sided bound of that error lies from the mean; infinite where there is none.

        With `more_rounds`, the second sample (of a paired one, the only one) is taken to have so many more, and the
        same deviation.
        """
        if not self.bounded:
            return math.inf
        n2 = self.second.count + more_rounds
        if self.method is Method.PAIRED:
            return t_quantile(1 - error, min(MOST_FREEDOM, n2 - 1)) * self.second.sd / math.sqrt(n2)
        parts = [(self.first.sd**2 / self.first.count, self.first.count), (self.second.sd**2 / n2, n2)]
        between = 2 * BETWEEN_RUNS[self.method] ** 2 + self.doubt
        variance = sum(part for part, _ in parts) + between
        spread = sum(part**2 / (count - 1) for part, count in parts) + between**2 / BETWEEN_FREEDOM
        freedom = min(MOST_FREEDOM, int(variance**2 / spread))
        return t_quantile(1 - error, freedom) * math.sqrt(variance)


def estimate(before: Scorecard, after: Scorecard, old: Score, new: Score) -> Estimate | None:
    """How `new` of one run compares with `old` of the other; None if either has no speed.

    By the canary where both runs have the same and ran on like hardware: on unlike machines it would take out the very
    difference that is asked for.
    """
    mine, theirs = moments(old), moments(new)
    if mine is None or theirs is None:
        return None
    then, now = _canaries(before, old), _canaries(after, new)
    alike = [kind for kind in then if kind in now] if same_hardware(before, after) else []
    disturbed = mine.disturbed or theirs.disturbed
    if not alike:
        return Estimate(Method.NONE, theirs.mean - mine.mean, mine, theirs, disturbed=disturbed)
    found = calibrated(then[alike[0]], now[alike[0]])
    return Estimate(
        method=Method.CANARY,
        mean=found.second.mean - found.first.mean,
        first=found.first,
        second=found.second,
        canary=Calibration(ratio=math.exp(found.drift), share=found.share),
        doubt=found.doubt,
        disturbed=disturbed,
    )


def paired(old: Score, new: Score) -> Estimate | None:
    """How `new` compares with `old`, raced in the same rounds of one run; None without a common round."""
    common = sorted(old.rounds.keys() & new.rounds.keys())
    if not common:
        return None
    ratios = of_values([new.rounds[number] - old.rounds[number] for number in common])
    return Estimate(method=Method.PAIRED, mean=ratios.mean, first=ratios, second=ratios, last=common[-1])


def compared(
    old: Score, new: Score, found: Estimate, error: float = 1 - CONFIDENCE, *, indifference: float = INDIFFERENCE
) -> Compared:
    """The estimate with its two-sided interval of that error, and what it says at that indifference."""
    reach = found.reach(error / 2)
    low, high = found.mean - reach, found.mean + reach
    return Compared(
        before=old.case,
        after=new.case,
        method=found.method,
        change=change_of(low, high, indifference),
        ratio=math.exp(found.mean),
        interval=(math.exp(low), math.exp(high)) if reach < MOST_REACH else None,
        fps_before=_fps(old),
        fps_after=_fps(new),
        canary=found.canary,
    )


def change_of(low: float, high: float, indifference: float) -> Change:
    """What a log ratio between these bounds says at that indifference."""
    effect = math.log1p(indifference)
    if low > effect:
        return Change.FASTER
    if high < -effect:
        return Change.SLOWER
    return Change.EQUIVALENT if -effect <= low and high <= effect else Change.UNDECIDED


MOST_REACH = 20.0
"""beyond this a ratio's bounds mean nothing, and floats soon cannot hold them"""


def rounds_to_tell(found: Estimate, distance: float, error: float) -> int | None:
    """How many more rounds of the second bring its bound within `distance` of the mean; None if none would."""
    if not found.bounded:
        return FEWEST_ROUNDS - found.rounds
    more = 1
    while more <= MOST_ROUNDS:
        if found.reach(error, more_rounds=more) < distance:
            return more
        more = math.ceil(more * 1.2)
    return None


def method_notes(before: Scorecard, after: Scorecard, found: Iterable[Estimate]) -> list[str]:
    """Why the canary was not used, where it was not."""
    if all(each.method is not Method.NONE for each in found):
        return []
    kinds = [", ".join(sorted({_kind(canary) for canary in card.canary})) or "none" for card in (before, after)]
    why = "since not both have a canary in two rounds or more"
    if not same_hardware(before, after):
        why = "since the machines differ"
    elif "none" not in kinds and kinds[0] != kinds[1]:
        why = f"since their canaries are unlike ({kinds[0]}; now {kinds[1]})"
    return [f"not normalised, {why}: the intervals allow for {BETWEEN_RUNS[Method.NONE]:.0%} of drift in each run"]


def _kind(canary: CanaryRounds) -> str:
    return f"version {canary.version} on {canary.threads} thread{'s' * (canary.threads != 1)}"


def _canaries(card: Scorecard, score: Score) -> dict[tuple[int, int], Side]:
    """Version and threads of the canaries in the case's heats -> the case beside it, where that is two rounds."""
    known = moments(score)
    mine = undisturbed(score.rounds, score.disturbed)
    found = {}
    for canary in card.canary:
        common = sorted(mine.keys() & canary.rounds.keys()) if mine else sorted(canary.rounds)
        if (canary.model, canary.batch_size) != (score.case.model, score.case.batch_size) or not known:
            continue
        if len(common) >= FEWEST_ROUNDS:
            of_canary = of_values([canary.rounds[number] for number in common])
            rounds = [(canary.rounds[number], mine[number]) for number in common] if mine else ()
            found[canary.version, canary.threads] = Side(known, of_canary, rounds)
    return found


def _fps(score: Score) -> float:
    known = of_values([*score.rounds.values()]) if score.rounds else score.moments
    return math.exp(known.mean) if known else math.nan
