"""The answer for one model in one sentence that one can act on, made of outcomes and intervals alone.

Over the batch sizes of a model, the contender to use is the one that can at worst lose the least: the least upper bound
of its interval behind the fastest other (minimax regret; Savage, Journal of the American Statistical Association 46,
1951). Batch sizes at which no one contender is unbeaten get an advice each. Bounds are rounded so that they still hold.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from bakeoff.records import Outcome, Record, Standing, Verdict

FEW = 3
"""so many contenders are named; more are counted"""
PERCENT_BELOW = 1.1
"""ratios below this are told in percent, others as a factor"""
COARSE = 2.0
"""factors from here on have one decimal"""
MOST = 100
"""a bound beyond this factor is as good as none"""
UNTOLD = 3.0
"""where something may be this much faster than all that could be advised, there is no advice yet"""

UNADVISED = "nothing is recommended: judged by nobody, since one engine alone answered"


class Answer(Record, frozen=True):
    """What to use for one model."""

    model: str
    league: str
    device: str
    sentence: str


def answers(verdicts: Iterable[Verdict], indifference: float) -> list[Answer]:
    """One for each model, league and device, in the order of `verdicts`."""
    tables: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        tables[verdict.model, verdict.league, verdict.device].append(verdict)
    return [
        Answer(model=model, league=league, device=device, sentence=sentence(of_table, indifference))
        for (model, league, device), of_table in tables.items()
    ]


def sentence(verdicts: Sequence[Verdict], indifference: float) -> str:
    """The advice for one model's batch sizes.

    "use onnxruntime or openvino: equivalent (±2%); everything else is at least 1.31x slower", or where it takes more
    than one contender, "at batch 1 use a: ...; at batch 2 to 8 use b: ...".
    """
    ranges = _ranges(sorted(verdicts, key=lambda verdict: verdict.batch_size))
    if len(ranges) == 1:
        return _advice(ranges[0], indifference)
    return "; ".join(f"at batch {_span(each)} {_advice(each, indifference)}" for each in ranges)


def _ranges(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Neighbouring batch sizes together, as long as one contender is beaten at none of them."""
    found: list[list[Verdict]] = []
    for verdict in verdicts:
        if found and _unbeaten([*found[-1], verdict]):
            found[-1].append(verdict)
        else:
            found.append([verdict])
    return found


def _span(verdicts: Sequence[Verdict]) -> str:
    first, last = verdicts[0].batch_size, verdicts[-1].batch_size
    return str(first) if first == last else f"{first} to {last}"


def _unbeaten(verdicts: Sequence[Verdict]) -> list[str]:
    """Who has a speed in all of them, and is certainly slower in none."""
    there = [{s.contender for s in verdict.standings if s.outcome is not Outcome.SLOWER} for verdict in verdicts]
    return [
        standing.contender for standing in verdicts[0].standings if all(standing.contender in each for each in there)
    ]


def _advice(verdicts: Sequence[Verdict], indifference: float) -> str:
    of: dict[str, list[Standing]] = defaultdict(list)
    for verdict in verdicts:
        for standing in verdict.standings:
            of[standing.contender].append(standing)
    if len(of) == 1:
        return f"only {verdicts[0].leader} has a speed"
    worst = {name: max(map(_high, of[name])) for name in _unbeaten(verdicts)}
    use = [name for name in worst if worst[name] <= 1 + indifference] or [min(worst, key=lambda name: worst[name])]
    beaten = [name for name in of if all(standing.outcome is Outcome.SLOWER for standing in of[name])]
    rest = {name: of[name] for name in of if name not in use and name not in beaten}
    if worst[use[0]] > UNTOLD:  # nobody is bounded: who is ahead most often
        leaders = [verdict.leader for verdict in verdicts]
        return f"{max(leaders, key=leaders.count)} is ahead so far: too few rounds to say more"
    clauses = [_use(use, worst[use[0]], indifference), *_open(rest), *_beaten(beaten, of, alone=not rest)]
    return "; ".join(clauses)


def _use(names: Sequence[str], worst: float, indifference: float) -> str:
    if len(names) > FEW:
        return f"use {names[0]} or any of {len(names) - 1} others: equivalent (±{indifference * 100:g}%)"
    if len(names) > 1:
        return f"use {_either(names)}: equivalent (±{indifference * 100:g}%)"
    return f"use {names[0]}" + (f": nothing is more than {at_most(worst)} faster" if worst > 1 else "")


def _open(rest: dict[str, list[Standing]]) -> list[str]:
    """Those that are neither equivalent nor slower throughout, with the range that holds all of their intervals."""
    if not rest:
        return []
    standings = [standing for of_one in rest.values() for standing in of_one]
    undecided = any(each.outcome is Outcome.UNDECIDED or _may_not_lead(each) for each in standings)
    who = _all(list(rest)) if len(rest) <= FEW else f"{len(rest)} others"
    verb = "is" if len(rest) == 1 else "are"
    if any(standing.interval is None and standing.outcome is not Outcome.LEADER for standing in standings):
        return [f"{who} {verb} undecided: too few rounds to say more"]
    how_far = between(min(map(_low, standings)), max(map(_high, standings)))
    if undecided:
        return [f"{who} {verb} undecided: {how_far}"]
    return [f"{who} {verb} {how_far}, depending on the batch size"]


def _beaten(names: Sequence[str], of: dict[str, list[Standing]], *, alone: bool) -> list[str]:
    if not names:
        return []
    least = at_least(min(_low(standing) for name in names for standing in of[name]))
    if len(names) == 1:
        return [f"{names[0]} is at least {least} slower"]
    return [
        f"everything else is at least {least} slower"
        if alone
        else f"the other {len(names)} are at least {least} slower"
    ]


def between(low: float, high: float) -> str:
    """How a contender whose ratio behind the fastest other lies from `low` to `high` compares with that one.

    "between 3% slower and 6% faster", "between 1% and 8% slower", "between 2% and 5% faster".
    """
    if low >= 1:
        return f"between {at_least(low)} and {at_most(high)} slower"
    if high <= 1:
        return f"between {at_least(1 / high)} and {at_most(1 / low)} faster"
    return f"between {at_most(high)} slower and {at_most(1 / low)} faster"


def bounds(interval: tuple[float, float] | None) -> str:
    """``[1.40–1.51]``; "" where there is none. A bound beyond `MOST` either way is only said to lie there."""  # noqa: RUF002
    if interval is None:
        return ""
    low, high = interval
    below = f"{low:.2f}" if low >= 1 / MOST else f"<{1 / MOST:.2f}"
    above = f"{high:.2f}" if high <= MOST else f">{MOST}"
    return f"[{below}–{above}]"  # noqa: RUF001


def at_least(ratio: float) -> str:
    """A ratio from 1 on, rounded down: "3%", "1.31x", "4.1x"."""
    return _amount(ratio, math.floor)


def at_most(ratio: float) -> str:
    """The same, rounded up."""
    return _amount(ratio, math.ceil)


def _amount(ratio: float, rounded: Callable[[float], int]) -> str:
    # Ten digits: a bound of 1.02 is no hair above itself.
    if ratio < PERCENT_BELOW:
        return f"{rounded(round((ratio - 1) * 100, 10))}%"
    if ratio < COARSE:
        return f"{rounded(round(ratio * 100, 10)) / 100:.2f}x"
    return f"{rounded(round(ratio * 10, 10)) / 10:.1f}x"


def _may_not_lead(standing: Standing) -> bool:
    return standing.outcome is Outcome.LEADER and _high(standing) > 1


def _low(standing: Standing) -> float:
    return standing.interval[0] if standing.interval else 0.0


def _high(standing: Standing) -> float:
    return standing.interval[1] if standing.interval else math.inf


def _either(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"


def _all(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
