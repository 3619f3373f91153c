"""`bakeoff study`: the 2019 study, rerun on this machine and written anew."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.params import (
    BatchSizes,
    Duration,
    as_request,
    engines_dir_option,
    exclude_option,
    given,
    output_option,
    store_option,
    strict_option,
)
from bakeoff.errors import UsageError

if TYPE_CHECKING:
    from bakeoff.judge.results import Results

ENGINES = ("study", "modes", "2019")
"""groups: the study's frameworks today, their modes, and everything of release 2019"""
BUDGET_S = 45 * 60.0
BURSTS = 1
"""of each case in a heat: with so many engines, most of a heat goes into loading, and rounds tell more than bursts"""


@click.command
@exclude_option
@click.option(
    "--budget", "budget_s", type=Duration(), default=BUDGET_S, help="Time for the whole race.  [default: 45m]"
)
@click.option("--rounds", type=click.IntRange(min=1), help="At most so many rounds.  [default: what the budget holds]")
@click.option("--batch", "batch_sizes", type=BatchSizes(), default=(), help="Batch sizes.  [default: 1,2,4,8]")
@click.option("--threads", type=click.IntRange(min=1), help="Intra-op threads.  [default: the CPUs we may use]")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="What to print.")
@click.option(
    "--document",
    type=click.Path(path_type=Path),
    help="The English file (.md), the Chinese one beside it, or a folder for both.  [default: the run's folder]",
)
@click.option("--from", "from_", metavar="RUN", help="Race nothing: write the documents from this stored run.")
@strict_option
@output_option
@store_option
@engines_dir_option
@click.pass_context
def study(
    context: click.Context,
    /,
    lang: str,
    document: Path | None,
    from_: str | None,
    output: Path,
    store_url: str | None,
    **asked: Any,
) -> None:
    """Race every engine of the 2019 study, in its own release and in today's, and write the study anew.

    ResNet-18 and ResNet-50, both releases in one race. The documents, study.md in English and study.zh.md in Chinese,
    go to the run's folder; one is printed. Ctrl-C keeps what was measured, and the documents are written from it;
    `bakeoff resume` goes on, and `bakeoff study --from latest` writes them again.

    \b
    Examples:
      bakeoff study
      bakeoff study --budget 3h --lang zh
      bakeoff study --rounds 2 --batch 1 --exclude 'tensorflow-ngraph*'
      bakeoff study --from latest --document docs/study
    """
    if from_ is not None:
        from bakeoff.cli.stores import results_of

        refuse_race_options(context)
        results = results_of(output, store_url, from_)
        write_and_print(results, document or output / results.run.name, lang)
        return

    from bakeoff.cli.racing import leave, raced

    request = as_request(engines=ENGINES, release="all", bursts=BURSTS, profile=False, **asked)
    outcome = raced(request, output, store_url)
    write_and_print(outcome.results, document or outcome.folder, lang)
    leave(outcome)


def refuse_race_options(context: click.Context) -> None:
    """Raise `UsageError` if an option that only a race can honour was given: silence would be a wrong answer."""
    flags = {option.name: option.opts[0] for option in context.command.params}
    names = given(context, "exclude", "budget_s", "rounds", "batch_sizes", "threads", "strict", "engines_dirs")
    if names:
        said = ", ".join(flags[name] for name in names)
        raise UsageError(f"{said}: --from races nothing, so this has no meaning with it")


def write_and_print(results: "Results", place: Path, lang: str) -> None:
    """Write the documents in both languages, print one to stdout, and say on stderr where they are."""
    from bakeoff.report.study import study_documents, write_documents

    run = results.run
    documents = study_documents(results)
    paths = write_documents(documents, place)
    show_markdown(documents[lang])
    click.echo(f"run {run.name}, {run.state}: the study is in {' and '.join(map(str, paths))}", err=True)


def show_markdown(text: str) -> None:
    """Laid out if stdout is a terminal, as it is if not."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(file=sys.stdout)
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        click.echo(text, nl=False)
