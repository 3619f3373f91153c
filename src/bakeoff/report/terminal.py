"""The table on a terminal."""

import io
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bakeoff.judge.results import Results
from bakeoff.records import Summary
from bakeoff.report import markup, notes, standings, wording
from bakeoff.report.grid import Cell, Grid, lay_out
from bakeoff.report.machine_line import machine_line

LEGEND = "{figure} ± half of the 95% interval · error: largest relative error against float64"


def to_text(results: Results, *, width: int = 100, color: bool = False) -> str:
    """What `laid_out` gives, as text, with colour codes only if `color`."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(laid_out(results, width))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def laid_out(results: Results, width: int) -> RenderableType:
    """The study's table and what belongs beneath it, for a console `width` columns wide.

    One table where all models fit side by side, else one for each model.
    """
    return Group(*_parts(results, width))


def _parts(results: Results, width: int) -> Iterator[RenderableType]:
    run, rows = results.run, results.rows
    for line in notes.answer_lines(results):
        yield Text(line, style="bold")
    yield Text()
    headline = f"run {run.name} · {wording.setting(run.plan)} · {wording.progress(run, rows)}"
    yield Text(headline)
    yield Text(machine_line(run.machine))
    for table in _speeds(rows, width):
        yield Text()
        yield table
    yield Text()
    legend = LEGEND.format(figure=wording.FIGURE[run.plan.scenario])
    yield Text("\n".join([legend, *notes.tolerances(run), *notes.load(rows), *notes.accuracy(run)]), style="dim")
    verdicts = standings.lay_out(results)
    for each in verdicts:
        yield Text()
        yield Text(each.title, style="bold")
        yield Text(markup.as_text(each.header, each.rows, width=width, whole=(0,)))
    if verdicts:
        yield Text()
        yield Text("\n".join([standings.legend(results), *standings.waits(results)]), style="dim")
    yield from _lines("Not ok:", notes.failures(rows))
    for title, lines in notes.caution_groups(results):
        yield from _lines(f"{title}:", lines)
    yield from _lines("The machine, before the race:", notes.findings(run))


def _lines(title: str, lines: Sequence[str]) -> Iterator[RenderableType]:
    """Notes, indented under their title; nothing without any."""
    if lines:
        yield Text()
        yield Text(title, style="bold")
        for line in lines:
            yield Padding(Text(line), (0, 0, 0, 2))


def _speeds(rows: Sequence[Summary], width: int) -> list[Table]:
    together = _table(lay_out(rows))
    unbounded = Console(file=io.StringIO(), width=10_000)
    if Measurement.get(unbounded, unbounded.options, together).maximum <= width:
        return [together]
    models = dict.fromkeys(row.case.model for row in rows)
    return [_table(lay_out(rows, model), model) for model in models]


def _table(grid: Grid, only_model: str | None = None) -> Table:
    """A table of all models, each model's name over its first column; that of an only one stands above it."""
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        title=only_model and Text(only_model, style="bold"),
        title_justify="left",
    )
    table.add_column("engine", no_wrap=True, vertical="bottom")
    before = only_model
    for model, batch_size in grid.columns:
        above = "" if only_model else f"{model if model != before else ''}\n"
        table.add_column(Text(f"{above}batch {batch_size}", justify="right"), justify="right", no_wrap=True)
        before = model
    for heading in grid.extras:
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    for engine, cells, extras in grid.rows:
        table.add_row(Text(engine), *map(_text, cells), *extras)
    return table


def _text(cell: Cell) -> Text:
    if not cell.ok:
        return Text(cell.value, style="red")
    beside = (f" {cell.beside}", "dim") if cell.beside else ""
    return Text.assemble((cell.value, "bold green" if cell.best else ""), beside)
