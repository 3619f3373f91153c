"""`bakeoff ship`: a measured row as a folder that runs without bakeoff."""

from pathlib import Path

import click

from bakeoff.cli.params import KEY, needs_extra, output_option, store_option


@click.command
@click.argument("run", default="latest")
@click.option("--contender", metavar="NAME", help="A contender of the run.  [default: the fastest]")
@click.option("--model", metavar="NAME", help="A model of the run.  [default: its first]")
@click.option("--batch", type=click.IntRange(min=1), help="A batch size of the run.  [default: the smallest]")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), required=True, help="The folder to write, which must not exist."
)
@click.option("--wheels", is_flag=True, help="Put each package's file into the pack, for machines without network.")
@click.option("--docker", is_flag=True, help="Add a Dockerfile, and with it the wheels, from which it installs.")
@click.option("--sign", type=KEY, metavar="KEY", help="Sign it with this private elliptic key, a PEM file.")
@click.option("--with-factory", is_flag=True, help="Ship a model that code of yours built: lines of it may be in it.")
@output_option
@store_option
def ship(
    run: str,
    contender: str | None,
    model: str | None,
    batch: int | None,
    target: Path,
    wheels: bool,
    docker: bool,
    sign: Path | None,
    with_factory: bool,
    output: Path,
    store_url: str | None,
) -> None:
    """Write the winner of RUN (default: the latest), or another row of it, as a pack: a folder that needs no bakeoff.

    The model as it was raced, with its settings; `run.py`, a class and a command line; every package with the hash of
    the file that was installed; known answers; a certificate of what was measured; and `verify.py`, which checks all of
    that on the machine where it will run.

    \b
    Examples:
      bakeoff ship --to pack
      bakeoff ship latest --contender openvino --model resnet50 --batch 8 --to pack
      bakeoff ship latest --wheels --to pack
    """
    from bakeoff import paths
    from bakeoff.cli.stores import opened
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.judge.results import Results
    from bakeoff.models.library import ModelLibrary
    from bakeoff.race.stored.recipes import choose
    from bakeoff.ship import packing
    from bakeoff.views.racing import watching

    if sign:
        needs_extra("--sign", "model_signing")
    library = ModelLibrary(paths.cache_dir())
    with opened(output, store_url, create=False) as store, watching() as observer:
        record = store.run(run)
        row = choose(Results(record, store.trials(record.name)), contender, model, batch)
        catalogue = Catalogue.load()
        shipment = packing.prepare(record, row, store, catalogue, library, observer, factory=with_factory)
        packing.write(shipment, library, observer, target, with_wheels=wheels, docker=docker, key=sign)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    case = row.case
    click.echo(
        f"{target}: {case.model}, batch {case.batch_size}, on {case.contender.name} ({size / 1e6:.1f} MB), verified"
    )
