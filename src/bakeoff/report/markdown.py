"""table.md: the study's table, and the figures behind it."""

from collections.abc import Iterator, Sequence

from bakeoff.judge.results import Results
from bakeoff.records import Status, Summary
from bakeoff.report import notes, standings, wording
from bakeoff.report.command import command_line
from bakeoff.report.grid import Cell, lay_out
from bakeoff.report.machine_line import machine_line
from bakeoff.report.markup import as_markdown, bullets, escaped

LEGEND = (
    "± is half of the 95% interval; bold is the highest figure of its column and league; error is the largest relative "
    "error against the float64 reference."
)

UNPROFILED = "A p50 latency that is missing below had no time for its profile trial."


def to_markdown(results: Results) -> str:
    """The whole document."""
    run, rows = results.run, results.rows
    models = dict.fromkeys(row.case.model for row in rows)
    parts = [
        f"# bakeoff {escaped(run.name)}",
        bullets(f"**{escaped(model)}**: {escaped(said)}" for model, said in notes.answers(results)),
        bullets(
            [
                f"machine: {escaped(machine_line(run.machine))}",
                f"settings: {escaped(wording.setting(run.plan))}",
                f"command: `{command_line(run.plan)}`",
                f"date: {wording.date(run)}",
                f"measured: {wording.progress(run, rows)}, by bakeoff {escaped(run.bakeoff_version)}",
            ]
        ),
        f"## {wording.TITLE[run.plan.scenario]}",
        _study_table(rows),
        LEGEND,
        bullets(map(escaped, [*notes.tolerances(run), *notes.load(rows), *notes.accuracy(run)])),
        *_verdicts(results),
    ]
    for title, lines in (
        ("Not ok", notes.failures(rows)),
        *notes.caution_groups(results),
        ("The machine, before the race", notes.findings(run)),
    ):
        if lines:
            parts += [f"## {title}", bullets(map(escaped, lines))]
    unprofiled = [row for row in rows if row.status is Status.OK and not row.load]
    parts += [UNPROFILED] * any(row.latency_ms.get("p50") is None for row in unprofiled)
    for model in models:
        parts += [f"## {escaped(model)}", _details(results, [row for row in rows if row.case.model == model])]
    return "\n\n".join(parts) + "\n"


def _verdicts(results: Results) -> Iterator[str]:
    found = standings.lay_out(results)
    for each in found:
        yield f"## {escaped(each.title)}: who is faster"
        yield as_markdown(each.header, each.rows, range(1, len(each.header)))
    if found:
        yield bullets(map(escaped, [standings.legend(results), *standings.waits(results)]))


def _study_table(rows: Sequence[Summary]) -> str:
    grid = lay_out(rows)
    header = ["engine", *(f"{model}, batch {batch}" for model, batch in grid.columns), *grid.extras]
    body = [[engine, *map(_emphasised, cells), *extras] for engine, cells, extras in grid.rows]
    return as_markdown(header, body, range(1, len(header)))


def _emphasised(cell: Cell) -> str:
    return f"**{cell.value}** {cell.beside}".strip() if cell.best else str(cell)


def _details(results: Results, rows: Sequence[Summary]) -> str:
    header = (
        *("engine", "version", "release", "batch", wording.FIGURE[results.run.plan.scenario], "p50 latency", "load"),
        *("first inference", "peak memory", "cores used", "error", "top-1", "accuracy", "trials"),
    )
    body = [_detail(row, results.releases.get(row.case.contender.build, "")) for row in rows]
    return as_markdown(header, body, range(1, len(header)))


def _detail(row: Summary, release: str) -> list[str]:
    p50 = row.latency_ms.get("p50")
    if row.status is Status.OK:
        speed = f"{wording.number(row.fps)} {wording.plus_minus(row.fps_ci95)}".strip()
    else:
        speed = wording.status(row.status)
    return [
        row.case.contender.name,
        row.framework_version or wording.NONE,
        release or wording.NONE,
        str(row.case.batch_size),
        speed,
        wording.number(p50, " ms"),
        wording.seconds(row.load_s),
        wording.seconds(row.first_inference_s),
        wording.number(row.peak_rss_mb, " MB"),
        wording.number(row.cores_used),
        wording.error(row.parity.max_rel_error if row.parity else None),
        wording.NONE if row.parity is None or row.parity.top1_agreement is None else f"{row.parity.top1_agreement:.0%}",
        str(row.accuracy or wording.NONE),
        str(row.trials),
    ]
