"""Two runs, or two sets of engines of one run, case by case."""

from collections.abc import Mapping

import msgspec

from bakeoff.errors import UsageError
from bakeoff.judge.between_runs.across import compared, estimate, method_notes, paired
from bakeoff.judge.between_runs.pairing import pair
from bakeoff.judge.table.looks import error_of_look
from bakeoff.judge.table.verdict import zone
from bakeoff.records import EngineInfo
from bakeoff.scorecards import ComparisonReport, Scorecard

RELEASE_SUFFIX = "-2019"
"""what tells the 2019 release of an engine from its namesake of today"""


def compare_runs(before: Scorecard, after: Scorecard, indifference: float | None = None) -> ComparisonReport:
    """Case by case, `after` relative to `before`, which were measured at different times.

    Raises `UsageError`, with the reasons, if nothing in them is like with like, and for a narrower `indifference` than
    they were raced for.
    """
    effect = zone(indifference, before.plan, after.plan)
    pairs = pair(before, after)
    found = [(old, new, estimate(before, after, old, new)) for old, new in pairs.cases]
    cases = tuple(compared(old, new, each, indifference=effect) for old, new, each in found if each)
    lost = tuple(f"{new.case.contender.name}, {new.case.model}: {new.status} in {after.name}" for _, new in pairs.lost)
    report = ComparisonReport(
        before=before.name,
        after=after.name,
        indifference=effect,
        cases=cases,
        refused=pairs.refused,
        notes=(*pairs.notes, *dict.fromkeys(lost), *method_notes(before, after, [each for *_, each in found if each])),
        unlike=pairs.unlike,
        cautions=pairs.cautions,
    )
    return _unless_empty(report)


def compare_engines(card: Scorecard, before: str, after: str, indifference: float | None = None) -> ComparisonReport:
    """Two engines of one run, or its two releases, paired by round.

    `before` and `after` are two engines' names, or two of "2019" and "today". Raises `UsageError`.
    """
    effect = zone(indifference, card.plan)
    names = {before: after} if before in card.plan.names else _releases(card, before, after)
    ours = msgspec.structs.replace(card, scores=tuple(s for s in card.scores if s.case.contender.name in names))
    theirs = msgspec.structs.replace(
        card, scores=tuple(s for s in card.scores if s.case.contender.name in names.values())
    )
    pairs = pair(ours, theirs, names)
    cases = []
    for old, new in pairs.cases:
        found = paired(old, new)
        if found:
            cases.append(compared(old, new, found, error_of_look(found.last), indifference=effect))
    lost = dict.fromkeys(f"{new.case.contender.name}, {new.case.model}: {new.status}" for _, new in pairs.lost)
    return _unless_empty(
        ComparisonReport(
            before=before,
            after=after,
            indifference=effect,
            cases=tuple(cases),
            refused=pairs.refused,
            notes=tuple(lost),
            cautions=pairs.cautions,
        )
    )


def knows(card: Scorecard, name: str) -> bool:
    """Whether `compare_engines` can take `name` from this run."""
    return name in card.plan.names or any(name == engine.release for engine in card.engines)


def _releases(card: Scorecard, before: str, after: str) -> dict[str, str]:
    """Engine of release `before` -> its namesake of release `after`."""

    def of(release: str) -> dict[str, EngineInfo]:
        found = [engine for engine in card.engines if engine.release == release]
        return {engine.name.removesuffix(RELEASE_SUFFIX): engine for engine in found}

    ours, theirs = of(before), of(after)
    names: Mapping[str, EngineInfo] = {name: engine for name, engine in ours.items() if name in theirs}
    if not names:
        raise UsageError(
            f"run {card.name} has no engine both in release {before!r} and in release {after!r}",
            "`bakeoff study` races both releases.",
        )
    return {engine.name: theirs[name].name for name, engine in names.items()}


def _unless_empty(report: ComparisonReport) -> ComparisonReport:
    if report.cases:
        return report
    why = "; ".join(report.refused or report.notes) or "they have no case in common"
    raise UsageError(f"{report.before} and {report.after} cannot be compared: {why}")
