"""Verdicts as tables: contenders down, batch sizes across, and in each cell ratio, interval and outcome."""

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

import msgspec

from bakeoff.judge.results import Results
from bakeoff.judge.table.answer import bounds
from bakeoff.judge.table.verdict import duration
from bakeoff.records import Outcome, Standing, Verdict
from bakeoff.report import wording

MARKS = {Outcome.EQUIVALENT: "= ", Outcome.UNDECIDED: "? "}


class Standings(msgspec.Struct, frozen=True):
    """The verdicts of one model in one league."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def lay_out(results: Results) -> list[Standings]:
    """A table for each model and league that has any interval, in the order of the plan."""
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in results.verdicts:
        groups[verdict.model, verdict.league].append(verdict)
    several = len({league for _, league in groups}) > 1
    return [
        _table(f"{model}, {league}" if several else model, verdicts)
        for (model, league), verdicts in groups.items()
        if any(standing.interval for verdict in verdicts for standing in verdict.standings)
    ]


def legend(results: Results) -> str:
    """What the cells mean."""
    zone = wording.percent(results.indifference)
    return f"times slower than the fastest other, with the interval · = equivalent (±{zone}) · ? undecided"


def _table(title: str, verdicts: Iterable[Verdict]) -> Standings:
    at = {verdict.batch_size: {each.contender: each for each in verdict.standings} for verdict in verdicts}
    names = dict.fromkeys(name for standings in at.values() for name in standings)
    distance = {name: _distance([standings.get(name) for standings in at.values()]) for name in names}
    return Standings(
        title,
        ("engine", *(f"batch {size}" for size in at)),
        tuple(
            (name, *(in_words(standings.get(name)) for standings in at.values()))
            for name in sorted(names, key=distance.__getitem__)
        ),
    )


def _distance(standings: list[Standing | None]) -> float:
    """How far it lies behind, on average; without any ratio, last."""
    ratios = [each.ratio for each in standings if each and each.ratio]
    return fmean(map(math.log, ratios)) if ratios else math.inf


def in_words(standing: Standing | None) -> str:
    """``leads``, ``1.45x [1.40–1.51]``, ``= 1.01x [0.99–1.02]``, ``? 1.03x [0.97–1.06]``."""  # noqa: RUF002
    if standing is None:
        return wording.NONE
    if standing.outcome is Outcome.LEADER:
        return "leads"
    ratio = "" if standing.ratio is None else f"{standing.ratio:.2f}x"
    return f"{MARKS.get(standing.outcome, '')}{ratio} {bounds(standing.interval)}".strip()


def waits(results: Results) -> list[str]:
    """For each model, how long deciding what is undecided would probably take: the soonest and the last of it."""
    pace = results.seconds_per_round
    rounds: dict[str, dict[int, str]] = defaultdict(dict)
    for verdict in results.verdicts:
        for standing in verdict.standings:
            if standing.more_rounds:
                who = f"{standing.contender}, batch {verdict.batch_size}"
                rounds[verdict.model].setdefault(standing.more_rounds, who)
    return [] if pace is None else [_wait(model, waits, pace) for model, waits in rounds.items()]


def _wait(model: str, rounds: dict[int, str], pace: float) -> str:
    first, last = min(rounds), max(rounds)
    soonest = f"about {duration(first * pace)} ({rounds[first]})"
    until = f" to {duration(last * pace)} ({rounds[last]})" if last != first else ""
    return f"{model}: what is undecided takes {soonest}{until}"
