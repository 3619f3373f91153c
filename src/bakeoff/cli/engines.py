"""`bakeoff engines`: list, install and remove engines; `own_engines.py` has the commands for engines of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli import own_engines
from bakeoff.cli.params import FILE, engines_dir_option, exclude_option
from bakeoff.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.environments import OnDisk
    from bakeoff.records import EngineSpec


@click.group()
def engines() -> None:
    """List, install and remove engines; add and check your own.

    \b
    Examples:
      bakeoff engines list
      bakeoff engines install onnxruntime openvino
      bakeoff engines remove --unused
      bakeoff engines new mine
      bakeoff engines check ./mine
    """


engines.add_command(own_engines.new)
engines.add_command(own_engines.check)


@engines.command("list")
@click.argument("names", nargs=-1)
@exclude_option
@engines_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object per engine.")
def list_engines(names: Sequence[str], exclude: Sequence[str], engines_dirs: Sequence[Path], *, as_json: bool) -> None:
    """Show every engine, its environment, and whether it is installed.

    NAMES are engines, frameworks, globs, or groups: study, today, 2019, all, installed, more, and others.

    \b
    Examples:
      bakeoff engines list
      bakeoff engines list today
      bakeoff engines list today --exclude installed
      bakeoff engines list 'pytorch*' --json
    """
    catalogue = _catalogue(engines_dirs)
    rows = [_row(catalogue, engine) for engine in catalogue.select(names, None, exclude, _is_installed)]
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        _print_table(rows)


@engines.command("knobs")
@click.argument("names", nargs=-1)
@engines_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object per knob of an engine.")
def list_knobs(names: Sequence[str], engines_dirs: Sequence[Path], *, as_json: bool) -> None:
    """Show the knobs of engines: their values, their defaults, and what does not hold on this machine.

    `bakeoff run --set ENGINE.KNOB=VALUE` turns them. Every engine has `threads` besides. NAMES are engines, frameworks,
    globs, or groups.

    \b
    Examples:
      bakeoff engines knobs onnxruntime
      bakeoff engines knobs today --json
    """
    from bakeoff.race.asking.contenders import knobs_here, lacking
    from bakeoff.race.asking.machine import this_machine
    from bakeoff.records import word

    machine = this_machine()
    chosen = [engine for engine in _catalogue(engines_dirs).select(names, installed=_is_installed) if not engine.like]
    rows: list[dict[str, Any]] = [
        {
            "engine": engine.name,
            "knob": name,
            "default": knob.default,
            "here": knobs_here(engine, machine).get(name, (knob.default,)),
            "elsewhere": {
                word(value): reason for value in knob.values if (reason := lacking(engine, name, value, machine))
            },
            "applies": knob.applies,
            "changes_answer": knob.changes_answer,
            "needs": knob.needs,
            "help": knob.help,
        }
        for engine in chosen
        for name, knob in engine.knobs.items()
    ]
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    lines = [
        (
            row["engine"],
            row["knob"],
            ", ".join(map(word, row["here"])),
            "; ".join(f"{value}: {reason}" for value, reason in row["elsewhere"].items()),
            row["help"] + "".join(f"; with {name}={word(value)}" for name, value in row["needs"].items()),
        )
        for row in rows
    ]
    _print(("engine", "knob", "values, the default first", "not here", "what it does"), lines)


@engines.command("install")
@click.argument("names", nargs=-1)
@engines_dir_option
@click.option("--jobs", type=click.IntRange(min=1), help="How many environments to build at once.")
@click.pass_context
def install_engines(ctx: click.Context, names: Sequence[str], engines_dirs: Sequence[Path], jobs: int | None) -> None:
    """Build the environments of engines that are not installed yet.

    NAMES are engines, frameworks, globs, or groups: all, today, 2019, study. Without any, the group study: the
    engines of the default race. pip's configuration (mirrors, extra indexes, find-links, certificates) is followed.
    Ends with exit code 1 if some environment cannot be had.

    \b
    Examples:
      bakeoff engines install
      bakeoff engines install onnxruntime 'pytorch*'
      bakeoff engines install 2019
    """
    from bakeoff import environments
    from bakeoff.errors import EnvironmentUnavailableError
    from bakeoff.views.installing import progress

    catalogue = _catalogue(engines_dirs)
    chosen = catalogue.select(names or ["study"])
    with progress() as report:
        results = environments.install([spec for engine in chosen for spec in engine.environments], report, jobs=jobs)
    failed = {name for name, result in results.items() if isinstance(result, EnvironmentUnavailableError)}
    lost = [engine.name for engine in chosen if failed & {spec.name for spec in engine.environments}]
    standing = [engine.name for engine in chosen if engine.name not in lost]
    click.echo(f"ready: {', '.join(standing)}" if standing else "no engine is ready")
    if lost:
        click.echo(f"not available: {', '.join(lost)}", err=True)
        ctx.exit(ExitCode.SOME_ROWS_BAD)


@engines.command("remove")
@click.argument("names", nargs=-1)
@click.option("--unused", is_flag=True, help="Environments that no engine needs any more, such as those of old locks.")
@click.option("--all", "everything", is_flag=True, help="Every environment.")
@engines_dir_option
def remove_engines(names: Sequence[str], engines_dirs: Sequence[Path], *, unused: bool, everything: bool) -> None:
    """Remove the environments of engines from the disk.

    NAMES are engines, frameworks, globs, groups, or environments. An environment that several engines share goes
    with any of them. Downloads stay in uv's cache, so that installing again is quick.

    \b
    Examples:
      bakeoff engines remove tensorflow
      bakeoff engines remove --unused
      bakeoff engines remove --all
    """
    if sum((bool(names), unused, everything)) != 1:
        raise UsageError("say what to remove: NAMES, --unused or --all", "see `bakeoff engines list`")
    from bakeoff import environments

    catalogue = _catalogue(engines_dirs)
    if names:
        doomed = _standing(catalogue, names)
    else:
        doomed = environments.unused(catalogue.environments.values()) if unused else environments.disk_use()
    for entry in doomed:
        click.echo(f"{entry.name}  {entry.path}  {entry.size_mb:,.0f} MB")
    freed = environments.remove(doomed)
    click.echo(f"removed {len(doomed)} environments, {freed:,.0f} MB" if doomed else "nothing to remove")


@engines.command("path")
@click.argument("name")
@engines_dir_option
def path_of_engine(name: str, engines_dirs: Sequence[Path]) -> None:
    """Print the folder of an engine's environment, if it is installed.

    NAME is an engine or an environment.

    \b
    Example:
      cd "$(bakeoff engines path onnxruntime)"
    """
    from bakeoff import environments

    catalogue = _catalogue(engines_dirs)
    spec = catalogue.environments.get(name) or catalogue.select([name])[0].environment
    installed = environments.find(spec)
    if installed is None:
        raise UsageError(f"environment {spec.name} is not installed", f"bakeoff engines install {name}")
    click.echo(installed.path)


@engines.command("lock")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--pins",
    type=FILE,
    help="A complete list of name==version lines to take instead of `requirements`; nothing is resolved.",
)
@engines_dir_option
def lock_environments(names: Sequence[str], pins: Path | None, engines_dirs: Sequence[Path]) -> None:
    """Write the locks of environments anew, for those who add or update engines.

    NAMES are environments. Each one's `requirements` are resolved, and written with hashes to its `lock`.

    \b
    Examples:
      bakeoff engines lock onnxruntime-1-32
      bakeoff engines lock my-environment --engines-dir my-engines
      bakeoff engines lock classic-py36 --pins pins.txt
    """
    from bakeoff.environments import kinds

    catalogue = _catalogue(engines_dirs, before_locking=True)
    unknown = [name for name in names if name not in catalogue.environments]
    if unknown:
        raise UsageError(f"no environment is called {unknown[0]!r}", f"there are: {', '.join(catalogue.environments)}")
    if pins is not None and len(names) > 1:
        raise UsageError("--pins is the list of one environment", "name one environment at a time")
    for name in names:
        spec = catalogue.environments[name]
        text = kinds.of(spec).freeze(spec, pins.read_text(encoding="utf-8") if pins else None)
        spec.lock.write_text(text, encoding="utf-8")
        click.echo(spec.lock)


def _catalogue(engines_dirs: Sequence[Path], *, before_locking: bool = False) -> "Catalogue":
    from bakeoff.engines.catalogue import Catalogue

    return Catalogue.load(engines_dirs, before_locking=before_locking)


def _is_installed(engine: "EngineSpec") -> bool:
    from bakeoff import environments

    return environments.is_installed(engine)


def _standing(catalogue: "Catalogue", names: Sequence[str]) -> "list[OnDisk]":
    """What stands on disk of the environments that `names` mean, those of older locks included."""
    from bakeoff import environments

    on_disk = environments.disk_use()
    meant: set[str] = set()
    for name in names:
        if name in catalogue.environments or any(entry.name == name for entry in on_disk):
            meant.add(name)
        else:
            chosen = catalogue.select([name], installed=_is_installed)
            meant |= {engine.environment.name for engine in chosen}
    return [entry for entry in on_disk if entry.name in meant]


def _row(catalogue: "Catalogue", engine: "EngineSpec") -> dict[str, Any]:
    """One engine, as `list --json` prints it."""
    from bakeoff.environments import kinds

    spec, kind = engine.environment, kinds.of(engine.environment)
    installed = kind.find(spec)
    damage = kind.damage(spec)
    return {
        "engine": engine.name,
        "title": engine.title,
        "framework": catalogue.frameworks[engine.framework],
        "requirement": engine.requirement,
        "release": engine.release,
        "league": engine.league,
        "python": kind.python(spec),
        "environment": spec.name,
        "installed": installed is not None and not damage,
        "missing": damage if installed else kind.missing(spec),
        "path": str(installed.path) if installed else None,
        "size_mb": installed.size_mb if installed else None,
        "download_mb": spec.download_mb,
        "groups": engine.groups,
        "note": engine.note,
    }


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    lines = []
    for row in rows:
        size = f"{row['size_mb']:,.0f}" if row["installed"] else f"({row['download_mb']:,})"
        state = "installed" if row["installed"] else row["missing"] or "not installed"
        lines.append(
            (row["engine"], row["requirement"], row["release"], row["python"], row["environment"], size, state)
        )
    titles = ("engine", "requirement", "release", "Python", "environment", "MB", "state")
    _print(titles, lines, "MB: on disk where installed, else to download in brackets.")


def _print(titles: Sequence[str], lines: Sequence[Sequence[str]], note: str = "") -> None:
    """A table, its figures to the right, and a line beneath it."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title == "MB" else "left", overflow="fold")
    for line in lines:
        table.add_row(*map(escape, line))
    console = Console()
    if not console.is_terminal:
        console.width = 200  # into a pipe or a file, a row stays one line
    console.print(table)
    if note:
        console.print(note, style="dim")
