"""The whole document, in either language, as a pure function of a run and what was measured in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bakeoff.judge.results import Results
from bakeoff.records import Plan, RunRecord
from bakeoff.report import notes as report_notes
from bakeoff.report import wording
from bakeoff.report.command import command_line
from bakeoff.report.files import write_texts
from bakeoff.report.machine_line import machine_line
from bakeoff.report.markup import bullets, escaped
from bakeoff.report.study.language import LANGUAGES, Language
from bakeoff.report.study.order import orders
from bakeoff.report.study.published import SOURCE
from bakeoff.report.study.results import ENOUGH_ROUNDS, StudyResults, cell_of
from bakeoff.report.study.rows import FRAMEWORKS, engines_of_the_study
from bakeoff.report.study.sentences import (
    blank_frameworks,
    headline,
    order_sentence,
    paragraph,
    swaps,
    unlike_networks,
)
from bakeoff.report.study.tables import PROVISIONAL, Notes, SpeedTable, order_table, parity_table


def study_documents(results: Results) -> dict[str, str]:
    """The document in each language ("en", "zh"), Markdown.

    Raises `UsageError` if the run has none of the study's networks.
    """
    found = StudyResults(results)
    return {code_: "\n\n".join(_parts(found, Language(code_))) + "\n" for code_ in LANGUAGES}


def write_documents(documents: Mapping[str, str], place: Path) -> list[Path]:
    """Write the documents (language -> text) to `place`, all or none, and return their paths.

    A place that ends in .md is the English file, with the other languages beside it: study.md, study.zh.md. Any
    other place is a folder that gets files of these names. Raises `StoreError` that names what cannot be written.
    """
    english = place if place.suffix == ".md" else place / "study.md"
    names = {code: english.name if code == "en" else f"{english.stem}.{code}.md" for code in documents}
    return write_texts(english.parent, {names[code]: text for code, text in documents.items()})


def _parts(results: StudyResults, say: Language) -> Iterator[str]:
    yield f"# {say('title')}"
    yield headline(results, say)
    yield bullets(_circumstances(results, say))
    yield from _speeds(results, say)
    yield f"## {say('head_moved')}"
    yield say("moved_intro", indifference=wording.percent(results.indifference))
    yield from (paragraph(results, title, comparisons, say) for title, comparisons in FRAMEWORKS.items())
    yield from _order(results, say)
    yield from _unlike_things(say)
    yield f"## {say('head_method')}"
    yield say("method")
    yield f"## {say('head_parity')}"
    yield say("parity_intro")
    yield parity_table(results, say)
    yield from _cautions(results, say)
    yield from _reproduce(results.run, say)


def _circumstances(results: StudyResults, say: Language) -> Iterator[str]:
    """Where, when, how long, and with what settings."""
    run, plan = results.run, results.run.plan
    yield say("machine", machine=escaped(machine_line(run.machine)))
    if digest := run.machine.get("digest"):
        yield say("fingerprint", digest=digest)
    yield say(
        "settings", threads=plan.threads, precision=plan.precision, device=plan.device, weights=escaped(plan.weights)
    )
    models = [
        say("network", name=model.name, digest=f"`{model.digest[:12]}`")
        for model in run.models
        if model.name in results.models
    ]
    if models:
        yield say("networks", models=say.enumerate(models))
    yield say("command", command=command_line(plan))
    yield say("date", date=wording.date(run))
    yield say(
        "measured",
        rounds=_range_of_rounds(results),
        minutes=f"{run.elapsed_s / 60:.1f}",
        state=say(f"state_{run.state}"),
        version=escaped(run.bakeoff_version),
    )
    others = [engine for engine in plan.names if engine not in engines_of_the_study()]
    if others:
        yield say("also_raced", engines=say.enumerate(f"`{engine}`" for engine in others))


def _range_of_rounds(results: StudyResults) -> str:
    """Of the measured cells, the least and the most, as in "3-5"."""
    rounds = [count for row in results.summaries if (count := results.rounds(*cell_of(row)))]
    if not rounds:
        return "0"
    low, high = min(rounds), max(rounds)
    return f"{low}" if low == high else f"{low}-{high}"


def _speeds(results: StudyResults, say: Language) -> Iterator[str]:
    """A table for each batch size, and the notes to all of them."""
    yield f"## {say('head_speed')}"
    yield say("legend", source=SOURCE, blank=say("blank"), mark=PROVISIONAL, enough=ENOUGH_ROUNDS)
    notes = Notes()
    for batch_size in results.batch_sizes:
        yield f"### {say('head_batch', batch=batch_size)}"
        yield str(SpeedTable(results, batch_size, say, notes))
    if lines := notes.lines(say):
        yield f"### {say('head_notes')}"
        yield bullets(lines)


def _order(results: StudyResults, say: Language) -> Iterator[str]:
    yield f"## {say('head_order')}"
    yield say("order_intro", indifference=wording.percent(results.indifference))
    for release, label in (("2019", "order_then"), ("today", "order_today")):
        found = orders(results, release)
        yield order_sentence(found, say(label), say)
        if found:
            yield order_table(found, say)
        if lines := swaps(found, say):
            yield say("order_differs")
            yield bullets(lines)


def _unlike_things(say: Language) -> Iterator[str]:
    yield f"## {say('head_unlike')}"
    yield say("unlike_networks")
    yield bullets(unlike_networks(say))
    yield say("ours_alike")
    yield say("unlike_arrays")
    yield say("unlike_means", blank=blank_frameworks(say))


def _cautions(results: StudyResults, say: Language) -> Iterator[str]:
    yield f"## {say('head_cautions')}"
    lines = report_notes.cautions(results.summaries)
    if lines:
        yield say("cautions_intro")
        yield bullets(map(escaped, lines))
    else:
        yield say("no_cautions")


def _reproduce(run: RunRecord, say: Language) -> Iterator[str]:
    yield f"## {say('head_reproduce')}"
    yield say("reproduce_all")
    yield f"```\n{_study_command(run.plan)}\n```"
    yield say("reproduce_this")
    yield "```\nbakeoff study --from latest\n```"


def _study_command(plan: Plan) -> str:
    """`bakeoff study` with this plan's budget and batch sizes, on as many threads as the reader has."""
    rounds = "" if plan.rounds is None else f" --rounds {plan.rounds}"
    return f"bakeoff study --budget {plan.budget_s / 60:g}m --batch {','.join(map(str, plan.batch_sizes))}{rounds}"
