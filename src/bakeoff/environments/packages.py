"""A package's files without installing it: some carry trained weights."""

import sys
from pathlib import Path

from bakeoff.environments import pip_settings, programs, uv
from bakeoff.errors import EnvironmentUnavailableError


def unpack(requirement: str, folder: Path) -> None:
    """Put the files of the package into `folder`, which exists: from where pip's configuration says, and no others'.

    Wheels alone are taken, so that nothing of it runs. Raises `EnvironmentUnavailableError`.
    """
    settings = pip_settings.read_pip_settings()
    install = [uv.program(), "pip", "install", "--python", sys.executable, "--target", str(folder)]
    install += ["--no-deps", "--only-binary", ":all:", *settings.uv_flags(), requirement]
    try:
        programs.run(install, env=uv.environment(settings), cwd=folder, log=folder / "uv.log")
    except programs.ProgramFailedError as error:
        raise EnvironmentUnavailableError(f"{requirement} cannot be had: {error}") from error
