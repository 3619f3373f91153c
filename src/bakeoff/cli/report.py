"""`bakeoff report`: a run as a document to keep and to show."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.params import DEFAULT_OUTPUT, STDOUT, TARGET, indifference_option, store_option

if TYPE_CHECKING:
    from bakeoff.report.insights import RunReport

say = functools.partial(click.echo, err=True)
FORMATS = click.Choice(["html", "md", "pdf"])


@click.command
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--output",
    "target",
    type=TARGET,
    help="The file to write, or - for stdout.  [default: report.html or report.pdf; Markdown is printed]",
)
@click.option("--format", "format_", type=FORMATS, help="What to write.  [default: by the file's name, else html]")
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="The folder of the store.",
)
@indifference_option
@store_option
def report(
    runs: tuple[str, ...],
    target: Path | None,
    format_: str | None,
    results: Path,
    indifference: float | None,
    store_url: str | None,
) -> None:
    """Write a report of each RUN (default: the latest): one file that needs no other file and no network.

    The verdict in words, throughput with intervals, scaling, latencies, memory and load times, the time line of the
    race, parity, break-even, percent of this machine's peak, the machine and the method, and how to use the winner.
    There is none of a run under load. The peak is measured once per machine, in some seconds. HTML needs
    `pip install 'bakeoff[report]'`, PDF besides a Chromium, Chrome or Edge on this machine; Markdown needs neither.

    \b
    Examples:
      bakeoff report
      bakeoff report before after --output report.html
      bakeoff report latest --format md | less
      bakeoff report 2026-11-23-1 --output report.pdf
    """
    from bakeoff.cli.stores import opened
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.race.stored.reporting import gather
    from bakeoff.report.files import in_place

    kind = format_ or {".md": "md", ".pdf": "pdf"}.get(target.suffix.lower() if target else "", "html")
    catalogue = Catalogue.load()
    with opened(results, store_url, create=False) as store:
        reports = [gather(run, store, catalogue, say, indifference) for run in runs or ("latest",)]
    content = _content(kind, reports)
    target = target or (STDOUT if kind == "md" else Path(f"report.{kind}"))
    if target == STDOUT:
        click.echo(content, nl=False)
        return
    with in_place(target) as beside:
        beside.write_bytes(content)
    click.echo(
        f"{target}: {', '.join(each.results.run.name for each in reports)} ({len(content) / 1e3:.0f} kB)", err=True
    )


def _content(kind: str, reports: "Sequence[RunReport]") -> bytes:
    if kind == "md":
        from bakeoff.report.document import to_document

        return to_document(reports).encode()
    from bakeoff.report.page import to_html

    html = to_html(reports)
    if kind == "html":
        return html.encode()
    from bakeoff.report.pdf import to_pdf

    return to_pdf(html)
