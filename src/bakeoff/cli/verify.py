"""`bakeoff verify`: a pack, as who gets it would verify it."""

import functools
from pathlib import Path

import click

from bakeoff.cli.params import KEY, needs_extra


@click.command
@click.argument("pack", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--min-speed", type=click.FloatRange(min=0), metavar="N", help="Fail below so many samples a second.")
@click.option("--key", type=KEY, metavar="KEY", help="It must be signed by the private half of this key, a PEM file.")
@click.option("--seconds", type=click.FloatRange(min=0), metavar="N", help="How long to time.  [default: 2]")
def verify(pack: Path, min_speed: float | None, seconds: float | None, key: Path | None) -> None:
    """Verify PACK in a fresh environment of the files that it lists, by its own verify.py, without network.

    The manifest, the answers within the certificate's limit, the machine's instruction sets, the threads, the speed.
    A pack with wheels is installed from those alone.

    \b
    Exit codes: 0 all holds; 1 a file was changed, an answer is wrong, or it is slower than --min-speed; 2 bad usage, or
    the environment cannot be had.

    \b
    Examples:
      bakeoff verify pack
      bakeoff verify pack --min-speed 100
    """
    from bakeoff.ship.verifying import verify as verified

    if key:
        needs_extra("--key", "model_signing")
    given = {"--min-speed": min_speed, "--seconds": seconds}
    arguments = [word for name, value in given.items() if value is not None for word in (name, f"{value:g}")]
    click.get_current_context().exit(verified(pack, arguments, functools.partial(click.echo, err=True), key))
