"""Whether anything became slower than it may: pass, fail, or undecided.

A gate that cries wolf is switched off within a week, so the burden of proof is unequal and stated:

- it *fails* only where the one-sided bound of some case's slowdown lies beyond the margin, with an error of
  `FAIL_ERROR` over all cases together (Bonferroni). If nothing is slower than the margin, that is how often a gate
  fails, at most;
- it *passes* only where for every case the bound on the other side lies within the margin (a non-inferiority test),
  each with an error of `PASS_ERROR`. All must hold to pass, so no correction is needed (an intersection-union test:
  Berger, Technometrics 24, 1982);
- otherwise it is *undecided*, and says what it would take to tell. So is every case of two runs that rests on rounds in
  which others used the CPUs: what they took is no slowdown, and has no bound.

In a rerace the same rounds are looked at again and again; both errors are then shared out over the looks as in
`bakeoff.judge.table.looks`.
"""

import math
from collections.abc import Callable, Sequence

from bakeoff.judge.between_runs.across import Estimate, estimate, method_notes, paired, rounds_to_tell
from bakeoff.judge.between_runs.pairing import Pairs
from bakeoff.judge.figures.statistics import CONFIDENCE
from bakeoff.judge.table.looks import error_of_look, last_look
from bakeoff.judge.table.verdict import duration
from bakeoff.scorecards import Gate, GateCase, GateOutcome, Method, Score, Scorecard

FAIL_ERROR = 0.01
"""how often a gate may fail although nothing is slower than it may be"""
PASS_ERROR = 0.05
"""how often a case may pass although it is slower than it may be"""

Pace = Callable[[int], str]
"""rounds -> how long they take, in words"""


def gate_across(before: Scorecard, after: Scorecard, pairs: Pairs, max_slowdown: float) -> Gate:
    """The gate for a run and a baseline measured at another time, through the canary where that can be."""
    found = [(old, new, estimate(before, after, old, new)) for old, new in pairs.cases]
    methods = {each.method for _, _, each in found if each}
    method = Method.CANARY if methods == {Method.CANARY} else Method.NONE
    cases = [_case(new, each, max_slowdown, len(found), 1.0, _pace(after)) for _, new, each in found]
    cases += [_lost(new) for _, new in pairs.lost]
    return Gate(
        outcome=_outcome(cases),
        method=method,
        max_slowdown=max_slowdown,
        baseline=before.name,
        run=after.name,
        cases=tuple(cases),
        notes=(
            *pairs.refused,
            *pairs.notes,
            *method_notes(before, after, [each for *_, each in found if each]),
            *_coarser(before, max_slowdown),
            *_coarser(after, max_slowdown),
        ),
        unlike=pairs.unlike,
        cautions=pairs.cautions,
    )


def _coarser(card: Scorecard, max_slowdown: float) -> list[str]:
    """Whether a run was sized for less than the gate asks of it."""
    raced_for = card.plan.indifference
    if raced_for <= max_slowdown:
        return []
    return [
        f"{card.name} was raced for an indifference of {raced_for * 100:g}%: it may have stopped too early to tell less"
    ]


def gate_within(card: Scorecard, pairs: Pairs, max_slowdown: float, baseline: str) -> Gate:
    """The gate for a rerace: `pairs` are cases of the one run `card`, compared round by round."""
    found = [(new, paired(old, new)) for old, new in pairs.cases]
    cases = [
        _case(new, each, max_slowdown, len(found), _look_share(each.last) if each else 1.0, _pace(card))
        for new, each in found
    ]
    cases += [_lost(new) for _, new in pairs.lost]
    return Gate(
        outcome=_outcome(cases),
        method=Method.PAIRED,
        max_slowdown=max_slowdown,
        baseline=baseline,
        run=card.name,
        cases=tuple(cases),
        notes=(*pairs.refused, *pairs.notes),
        cautions=pairs.cautions,
    )


def decided(card: Scorecard, pairs: Pairs, max_slowdown: float) -> bool:
    """Whether a rerace has raced enough: asked at looks only, since every look costs."""
    rounds = max((number for score in card.scores for number in score.rounds), default=0)
    complete = all(rounds in score.rounds for pair in pairs.cases for score in pair)
    if not complete or last_look(rounds) != rounds:
        return False
    return gate_within(card, pairs, max_slowdown, "").outcome is not GateOutcome.UNDECIDED


def margin(max_slowdown: float) -> float:
    """The log ratio below which something is slower than it may be: ``0.05`` allows 95% of the throughput."""
    return math.log1p(-max_slowdown)


def _case(new: Score, found: Estimate | None, max_slowdown: float, cases: int, share: float, pace: Pace) -> GateCase:
    if found is None or not found.bounded:
        rounds, ratio = (found.rounds, math.exp(found.mean)) if found else (0, None)
        reason = f"too few rounds ({rounds}): race at least five"
        if found and found.disturbed:
            reason = "others used the CPUs in its rounds, then or now: race while they do not, or use --rerace"
        return GateCase(case=new.case, outcome=GateOutcome.UNDECIDED, ratio=ratio, interval=(None, None), reason=reason)
    limit = margin(max_slowdown)
    fail_error, pass_error = FAIL_ERROR * share / cases, PASS_ERROR * share
    high, low = found.mean + found.reach(fail_error), found.mean - found.reach(pass_error)
    outcome, reason = GateOutcome.UNDECIDED, ""
    if high < limit:
        outcome = GateOutcome.FAIL
    elif low > limit:
        outcome = GateOutcome.PASS
    else:
        reason = _what_it_takes(found, limit, fail_error if found.mean < limit else pass_error, pace)
    return GateCase(
        case=new.case,
        outcome=outcome,
        ratio=math.exp(found.mean),
        interval=(_ratio(low), _ratio(high)),
        reason=reason,
        canary=found.canary,
    )


def _what_it_takes(found: Estimate, limit: float, error: float, pace: Pace) -> str:
    more = rounds_to_tell(found, abs(found.mean - limit), error)
    if more is not None:
        return f"about {more} more rounds ({pace(more)}) would tell, if it stays like this"
    if found.method is Method.PAIRED:
        return "it lies so near the margin that no reasonable number of rounds would tell"
    through = "the canary" if found.method is Method.CANARY else "two runs at different times without a canary"
    return f"no number of rounds would tell through {through}: use --rerace"


def _lost(new: Score) -> GateCase:
    """A case that the baseline measured and this run did not: no slowdown, and nothing to pass either."""
    reason = f"{new.status.replace('_', ' ')}: {' '.join(new.reason.split())}"
    return GateCase(case=new.case, outcome=GateOutcome.UNDECIDED, ratio=None, interval=(None, None), reason=reason)


def _outcome(cases: Sequence[GateCase]) -> GateOutcome:
    outcomes = {case.outcome for case in cases}
    for outcome in (GateOutcome.FAIL, GateOutcome.UNDECIDED, GateOutcome.PASS):
        if outcome in outcomes:
            return outcome
    return GateOutcome.UNDECIDED


def _look_share(last: int) -> float:
    """The part of an error that the look at this round may spend."""
    return error_of_look(last) / (1 - CONFIDENCE)


def _pace(card: Scorecard) -> Pace:
    raced = max((number for score in card.scores for number in score.rounds), default=0)

    def of(rounds: int) -> str:
        return f"about {duration(rounds * card.elapsed_s / raced)}" if raced and card.elapsed_s else "no pace known yet"

    return of


def _ratio(log: float) -> float | None:
    return math.exp(log) if abs(log) < 20 else None  # noqa: PLR2004 - e^20: as good as unbounded
