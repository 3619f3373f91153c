"""What the figures say, in sentences: the headline, a paragraph per framework, the order, the study's own flaws."""

import math
from collections.abc import Iterable

from bakeoff.report import wording
from bakeoff.report.markup import escaped
from bakeoff.report.study.language import Language
from bakeoff.report.study.order import Order, Tally, orders
from bakeoff.report.study.published import MODELS, figures, networks_as_run, published_fps
from bakeoff.report.study.results import Ratio, StudyResults
from bakeoff.report.study.rows import ROWS, Against, title_of
from bakeoff.report.study.tables import ratio, status, tau
from bakeoff.scorecards import Change

Compared = tuple[str, int, Ratio | None]
"""model, batch size, and the ratio there"""


# The headline


def headline(results: StudyResults, say: Language) -> str:
    """How far the study's frameworks moved, whether its order holds, and who is highest."""
    changes = [
        (row.title, model, batch, value)
        for row in ROWS
        if row.published and row.then and row.today
        for model, batch, value in across(results, Against(engine=row.today, base=row.then))
        if value
    ]
    if not changes:
        return say("headline_nothing")
    outcomes = [value.outcome for *_, value in changes]
    counts = {outcome.value: outcomes.count(outcome) for outcome in Change}
    tally = Tally(pair for order in orders(results, "2019") for pair in order.pairs)
    return say.paragraph(
        [
            say("headline_moved", all=len(changes), **counts),
            _largest(changes, say),
            say("headline_order", **_counts(tally)) if tally.pairs else "",
            *(_highest(results, model, say) for model in results.models),
        ]
    )


def _largest(changes: Iterable[tuple[str, str, int, Ratio]], say: Language) -> str:
    moved = [change for change in changes if change[3].outcome in (Change.FASTER, Change.SLOWER)]
    if not moved:
        return ""
    title, model, batch, value = max(moved, key=lambda change: abs(math.log(change[3].value)))
    return say("headline_most", engine=title, model=model, batch=batch, ratio=ratio(say, value))


def _highest(results: StudyResults, model: str, say: Language) -> str:
    """Who has the highest figure of each release, at the smallest batch size."""
    batch = results.batch_sizes[0]
    best = {}
    for release, engines in (("then", [row.then for row in ROWS]), ("today", [row.today for row in ROWS])):
        speeds = {
            engine: fps
            for engine in engines
            if engine and (fps := results.ranked_fps(engine, model, batch)) is not None
        }
        if not speeds:
            return ""
        engine = max(speeds, key=lambda name: speeds[name])
        best[release] = say("engine_at", engine=engine, fps=wording.number(speeds[engine]))
    return say("headline_highest", model=model, batch=batch, **best)


# A paragraph per framework


def paragraph(results: StudyResults, title: str, comparisons: Iterable[Against], say: Language) -> str:
    """Everything that was compared of one framework."""
    sentences = []
    for against in comparisons:
        sentences += [comparison(results, against, say), _beside_published(results, against, say)]
    return f"**{title}** — {say.paragraph(sentences)}"


def comparison(results: StudyResults, against: Against, say: Language) -> str:
    """One engine against another, over all networks and batch sizes of the run."""
    compared = across(results, against)
    if not any(value for *_, value in compared):
        why = say.enumerate(_why_not(results, against, say))
        return say("no_comparison", engine=against.engine, base=against.base, why=why)
    engine, base = _named(results, against)
    return say("compared", engine=engine, base=base, verdicts=_verdicts(compared, say))


def _named(results: StudyResults, against: Against) -> list[str]:
    """Both names, with their versions where these differ."""
    versions = [results.version(engine) for engine in (against.engine, against.base)]
    differ = versions[0] != versions[1]
    return [
        f"`{engine}` {escaped(version)}" if differ and version else f"`{engine}`"
        for engine, version in zip((against.engine, against.base), versions, strict=True)
    ]


def across(results: StudyResults, against: Against) -> list[Compared]:
    """The ratio of two engines on every network and batch size."""
    return [
        (model, batch, results.ratio(against.engine, against.base, model, batch))
        for model in results.models
        for batch in results.batch_sizes
    ]


def _verdicts(compared: list[Compared], say: Language) -> str:
    """Batch sizes with the same outcome are named together, and everything at once if all is alike."""
    groups: dict[tuple[str, str], list[tuple[int, Ratio | None]]] = {}
    for model, batch, value in compared:
        groups.setdefault((model, _outcome(value)), []).append((batch, value))
    if len(compared) > 1 and len({outcome for _, outcome in groups}) == 1:
        values = [value for *_, value in compared]
        return _verdict(_outcome(values[0]), say("where_all"), values, say)
    return say("semicolon").join(
        _verdict(
            outcome,
            say("where_some", model=model, batches=say.enumerate(batch for batch, _ in group)),
            [value for _, value in group],
            say,
        )
        for (model, outcome), group in groups.items()
    )


def _outcome(value: Ratio | None) -> str:
    return value.outcome.value if value else "uncompared"


def _verdict(outcome: str, where: str, values: Iterable[Ratio | None], say: Language) -> str:
    return say(outcome, where=where, span=_span([value for value in values if value], say))


def _span(values: list[Ratio], say: Language) -> str:
    """One ratio with its interval, or the least and the largest of several."""
    if len(values) == 1:
        return ratio(say, values[0])
    return _range([value.value for value in values], say)


def _range(values: list[float], say: Language) -> str:
    if not values:
        return ""
    low, high = wording.number(min(values)), wording.number(max(values))
    return say("ratio_alone", ratio=low) if low == high else say("span", low=low, high=high)


def _why_not(results: StudyResults, against: Against, say: Language) -> list[str]:
    """Which of the two has no speed, and what became of it."""
    reasons = []
    for engine in (against.engine, against.base):
        rows = results.rows_of(engine)
        states = dict.fromkeys(status(say, row.status) for row in rows) if rows else [say("absent")]
        if not any(row.fps is not None for row in rows):
            reasons.append(say("why_state", engine=engine, state=say.enumerate(states)))
    return reasons or [say("why_no_round")]


def _beside_published(results: StudyResults, against: Against, say: Language) -> str:
    """The ratio of the study's own rows, on the tables that this run has."""
    if against.published is None:
        return ""
    engine, base = against.published
    ratios = [
        ours / theirs
        for model in results.models
        for batch in results.batch_sizes
        if (ours := published_fps(engine, model, batch)) and (theirs := published_fps(base, model, batch))
    ]
    if not ratios:
        return ""
    return say("beside_published", engine=title_of(engine), base=title_of(base), span=_range(ratios, say))


# The order


def order_sentence(found: list[Order], label: str, say: Language) -> str:
    """How many published pairs stand, over all tables."""
    tally = Tally(pair for order in found for pair in order.pairs)
    if not tally.pairs:
        return say("order_none", label=label)
    return say("order_result", label=label, tau=tau(tally), **_counts(tally))


def swaps(found: list[Order], say: Language) -> list[str]:
    """A line for every two rows that swapped, and where."""
    groups: dict[tuple[str, str], list[tuple[Order, Ratio]]] = {}
    for order in found:
        for pair in order.pairs:
            if pair.swapped:
                groups.setdefault((pair.faster, pair.slower), []).append((order, pair.ratio))
    return [
        say(
            "order_swap",
            faster=faster,
            slower=slower,
            span=_span([value for _, value in swapped], say),
            where=_where([order for order, _ in swapped], say),
        )
        for (faster, slower), swapped in groups.items()
    ]


def _where(tables: list[Order], say: Language) -> str:
    batches: dict[str, list[int]] = {}
    for table in tables:
        batches.setdefault(table.model, []).append(table.batch_size)
    return say("semicolon").join(
        say("order_where", model=model, batches=say.enumerate(sizes)) for model, sizes in batches.items()
    )


def _counts(tally: Tally) -> dict[str, object]:
    return {"pairs": tally.pairs, "kept": tally.kept, "swapped": tally.swapped, "open": tally.open}


# What the study compared


def unlike_networks(say: Language) -> list[str]:
    """Each network that the study ran, and which frameworks got it."""
    return [
        say(
            "unlike_network",
            model=model,
            network=f"*{escaped(network)}*",
            frameworks=say.enumerate(map(title_of, engines)),
        )
        for (model, network), engines in networks_as_run().items()
    ]


def blank_frameworks(say: Language) -> str:
    """The rows without a figure for the smaller network."""
    names = dict.fromkeys(figure.engine for figure in figures())
    filled = {figure.engine for figure in figures() if figure.model == MODELS[0]}
    return say.enumerate(title_of(name) for name in names if name not in filled)
