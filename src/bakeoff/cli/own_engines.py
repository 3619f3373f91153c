"""`bakeoff engines new` and `check`: an engine of the user's own, from its first line to its promises."""

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.errors import EngineFolderError, ExitCode

if TYPE_CHECKING:
    from bakeoff.race.contract.checks import CheckResult
    from bakeoff.race.contract.subject import EngineUnderTest
    from bakeoff.records import EngineSpec

FILLED = "nothing is left to fill in"
say = functools.partial(click.echo, err=True)
SIGNS = {"ok": "ok", "failed": "FAILED", "skipped": "skipped"}


@click.command
@click.argument("name")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to write, which must not exist.  [default: ./NAME]",
)
def new(name: str, to: Path | None) -> None:
    """Write the folder of an engine of your own: engine.toml, adapter.py and a lock.

    A few lines in it say YOURS: fill them in, make the lock anew if you changed the requirements, and let
    `bakeoff engines check` try the engine. docs/how-to/own-engine.md does all of it once.

    \b
    Examples:
      bakeoff engines new mine
      bakeoff engines new mine --to ~/engines/mine
    """
    from bakeoff.engines import skeleton
    from bakeoff.engines.catalogue import Catalogue

    folder = (to or Path(name)).expanduser()
    for path in skeleton.write(name, folder, Catalogue.load()):
        click.echo(path)
    click.echo(
        f"Fill in the lines that say {skeleton.MARK}, then:\n"
        f"  bakeoff engines lock {name} --engines-dir {folder}\n"
        f"  bakeoff engines check {folder}\n"
        f"  bakeoff run resnet18 --engines {name},onnxruntime --engines-dir {folder} --quick",
        err=True,
    )


@click.command
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_context
def check(ctx: click.Context, folder: Path) -> None:
    """Try what every engine promises, on each engine of a folder, in its real environment.

    The contract suite: a tiny ResNet at several batch sizes against its float64 reference, settings that take effect,
    refusals, a broken model, threads counted at work. Builds the environment if it does not stand. Ends with exit code
    0 if every promise is kept, 1 if any is not, 2 if the folder is no engine's.

    \b
    Examples:
      bakeoff engines check ./mine
    """
    engines = _engines_in(folder)
    findings = [finding for engine in engines for finding in _tell(engine)]
    broken = sum(finding.outcome == "failed" for finding in findings)
    click.echo(f"{broken} of {len(findings)} checks failed" if broken else "every promise is kept")
    ctx.exit(ExitCode.SOME_ROWS_BAD if broken else ExitCode.OK)


def _engines_in(folder: Path) -> "list[EngineSpec]":
    """The engines that `folder` declares, hidden ones aside. Raises `EngineFolderError` if there are none."""
    from bakeoff.engines.catalogue import BUILT_IN, Catalogue

    home = folder.expanduser().resolve()
    built_in = home.is_relative_to(BUILT_IN.resolve())
    catalogue = Catalogue.load([] if built_in else [home])
    found = [engine for engine in catalogue.engines.values() if engine.adapter.resolve().is_relative_to(home)]
    if not found:
        raise EngineFolderError(f"{folder}: its engine.toml declares no engine", "give it a table [engines.NAME]")
    return found


def _tell(engine: "EngineSpec") -> "list[CheckResult]":
    """Check one engine and print each finding as it comes."""
    from bakeoff.engines import skeleton
    from bakeoff.race.contract.checks import CheckResult, examine

    findings = [CheckResult(FILLED, "failed", line) for line in skeleton.unfilled(engine)] or [
        CheckResult(FILLED, "ok")
    ]
    _print(engine, findings)
    if findings[0].outcome == "failed":
        return findings
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as scratch:
        subject = _bench(engine, Path(scratch))
        if isinstance(subject, CheckResult):
            _print(engine, [subject])
            return [*findings, subject]
        for finding in examine(subject):
            _print(engine, [finding])
            findings.append(finding)
        if any(finding.outcome == "failed" for finding in findings):
            _keep(subject.log, engine.name)
    return findings


def _bench(engine: "EngineSpec", scratch: Path) -> "EngineUnderTest | CheckResult":
    """The engine with everything in place, or the environment that cannot be had."""
    from bakeoff import environments, paths
    from bakeoff.models.library import ModelLibrary
    from bakeoff.race.contract.checks import CheckResult
    from bakeoff.race.contract.subject import MODEL, EngineUnderTest
    from bakeoff.records import Installed
    from bakeoff.views.installing import progress

    with progress() as report:
        standing = environments.install(engine.environments, report)
    there = {name: result for name, result in standing.items() if isinstance(result, Installed)}
    lacking = [f"{name}: {result}" for name, result in standing.items() if name not in there]
    if lacking:
        return CheckResult("its environment can be built", "failed", "; ".join(lacking))
    library = ModelLibrary(paths.cache_dir())
    return EngineUnderTest(engine, there, library, library.resolve(MODEL, report=say), scratch, say)


def _print(engine: "EngineSpec", findings: "Sequence[CheckResult]") -> None:
    for finding in findings:
        reason = f": {finding.reason}" if finding.reason else ""
        click.echo(f"{SIGNS[finding.outcome]:<8} {engine.name}: {finding.promise}{reason}")


def _keep(log: Path, name: str) -> None:
    """Keep what the workers wrote, since it has the tracebacks."""
    from bakeoff import paths

    kept = paths.cache_dir() / "checks" / f"{name}.log"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if log.is_file():
        kept.write_bytes(log.read_bytes())
        click.echo(f"tracebacks and all else that its workers wrote: {kept}", err=True)
