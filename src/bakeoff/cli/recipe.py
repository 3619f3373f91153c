"""`bakeoff recipe`: how to use the winner."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.params import output_option, store_option

if TYPE_CHECKING:
    from bakeoff.records import Recipe

PARTS = click.Choice(["requirements", "script"])


@click.command
@click.argument("run", default="latest")
@click.option("--engine", metavar="NAME", help="An engine of the run.  [default: the fastest]")
@click.option("--model", metavar="NAME", help="A model of the run.  [default: its first]")
@click.option("--batch", type=click.IntRange(min=1), help="A batch size of the run.  [default: the smallest]")
@click.option("--only", type=PARTS, help="Print this alone, for a file.")
@output_option
@store_option
def recipe(
    run: str,
    engine: str | None,
    model: str | None,
    batch: int | None,
    only: str | None,
    output: Path,
    store_url: str | None,
) -> None:
    """Print how to use the winner of RUN (default: the latest) as it was raced, or another engine of that run.

    The settings that took effect; every package of its environment, pinned; and a script of some ten lines that runs
    it: `python recipe.py inputs.npz outputs.npz`.

    \b
    Examples:
      bakeoff recipe
      bakeoff recipe latest --engine openvino --model resnet50 --batch 8
      bakeoff recipe latest --only requirements > requirements.txt
      bakeoff recipe latest --only script > recipe.py
    """
    from bakeoff import paths
    from bakeoff.cli.stores import opened
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.errors import UsageError
    from bakeoff.judge.results import Results
    from bakeoff.models.library import ModelLibrary
    from bakeoff.race.stored.recipes import choose, recipe_of

    with opened(output, store_url, create=False) as store:
        record = store.run(run)
        row = choose(Results(record, store.trials(record.name)), engine, model, batch)
        found = recipe_of(record, row, store, Catalogue.load(), ModelLibrary(paths.cache_dir()))
    if only == "script" and not found.script:
        raise UsageError(found.why_no_script)
    click.echo(_text(found, only), nl=False)


def _text(found: "Recipe", only: str | None) -> str:
    from bakeoff.report.document import to_text

    if only == "script":
        return found.script
    if only == "requirements":
        return "\n".join(found.requirements) + "\n"
    return to_text(found)
