"""The report as Markdown: table.md's text, and what only a report tells."""

from collections.abc import Iterator, Sequence

from bakeoff.records import Recipe
from bakeoff.report import insights, wording
from bakeoff.report.insights import RunReport
from bakeoff.report.markdown import to_markdown
from bakeoff.report.markup import as_markdown, bullets, escaped, indented


def to_document(reports: Sequence[RunReport]) -> str:
    """One document for all runs."""
    return "\n".join("\n\n".join(_parts(report)) + "\n" for report in reports)


def _parts(report: RunReport) -> Iterator[str]:
    yield to_markdown(report.results).rstrip("\n")
    if report.break_even:
        yield "## Break-even, start-up included"
        yield bullets(escaped(f"{where}: {said}") for where, said in insights.break_evens(report))
    if report.heats:
        yield "## The time line of the race"
        yield escaped(insights.time_line(report.heats))
    yield "## Percent of this machine's peak"
    yield from _peak(report)
    for recipe in report.recipes:
        yield from recipe_parts(recipe)


def _peak(report: RunReport) -> Iterator[str]:
    if report.peak is None:
        yield escaped(f"Not known: {report.why_no_peak}.")
        return
    yield escaped(f"The peak is {insights.peak(report.peak)}. {insights.PEAK_NOTE}")
    rows = [
        [
            each.case.contender.name,
            each.case.model,
            str(each.case.batch_size),
            insights.giga(each.flops),
            f"{each.share:.0%}",
        ]
        for each in sorted(report.peak_shares, key=lambda each: -each.share)
    ]
    if rows:
        yield as_markdown(["engine", "model", "batch", "reached", "of the peak"], rows, right=(2, 3, 4))


def recipe_parts(recipe: Recipe) -> Iterator[str]:
    """How to use an engine as it was raced, under a heading of its own."""
    case = recipe.case
    yield escaped(f"## Use {case.contender.name} on {case.model}, batch {case.batch_size}")
    yield escaped(f"Settings that took effect: {', '.join(insights.settings(recipe))}.")
    if recipe.requirements:
        yield "requirements.txt:"
        yield indented(recipe.requirements)
        yield indented(recipe.installation)
    if recipe.script:
        yield "recipe.py:"
        yield indented(recipe.script.splitlines())
    else:
        yield escaped(f"No script: {wording.one_line(recipe.why_no_script)}.")


def to_text(recipe: Recipe) -> str:
    """A recipe as `bakeoff recipe` prints it: settings, requirements, installation, script, each under its title."""
    case = recipe.case
    found: list[tuple[str, Sequence[str]]] = [
        ("Settings that took effect", insights.settings(recipe)),
        ("requirements.txt", recipe.requirements),
        ("To install them", recipe.installation if recipe.requirements else ()),
        ("recipe.py", recipe.script.splitlines()),
    ]
    parts = [f"{case.contender.name} on {case.model}, batch {case.batch_size}"]
    parts += [f"{title}:\n{indented(lines)}" for title, lines in found if lines]
    parts += [] if recipe.script else [f"No script: {wording.one_line(recipe.why_no_script)}."]
    return "\n\n".join(parts) + "\n"
