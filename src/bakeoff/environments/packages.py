"""Packages' files without an environment: some carry trained weights, and LoadGen lies beside what is raced."""

import sys
from pathlib import Path

from bakeoff.environments import pip_settings, programs, uv_program
from bakeoff.errors import EnvironmentUnavailableError


def unpack(requirement: str, folder: Path) -> None:
    """Put the files of the package into `folder`, which exists. Raises `EnvironmentUnavailableError`."""
    try:
        unpack_into(folder, requirement, log=folder / "uv.log")
    except programs.ProgramFailedError as error:
        raise EnvironmentUnavailableError(f"{requirement} cannot be had: {error}") from error


def unpack_into(folder: Path, *wanted: str | Path, log: Path, timeout_s: float | None = None) -> None:
    """Put the files of what is `wanted`, in words of `uv pip install`, into `folder`, which exists.

    They come from where pip's configuration says. Wheels alone are taken, so that none of their code runs. Raises
    `ProgramFailedError`.
    """
    settings = pip_settings.read_pip_settings()
    into = ("pip", "install", "--python", sys.executable, "--target", str(folder), *settings.uv_flags())
    only = ("--no-deps", "--only-binary", ":all:")

    def install() -> None:
        uv_program.run(*into, *only, *wanted, settings=settings, cwd=folder, log=log, timeout_s=timeout_s)

    uv_program.fill(folder, install, settings, log)
