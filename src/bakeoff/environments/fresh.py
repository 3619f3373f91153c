"""An environment for one use, of exactly the files that a pack lists: what somebody gets who installs from it."""

import functools
from pathlib import Path

from bakeoff.environments import interpreters, pip_settings, programs, uv_program, wheels
from bakeoff.environments.uv import Uv


def fill(folder: Path, python: str, requirements: Path, from_wheels: Path | None, log: Path) -> tuple[str, ...]:
    """How to run the Python, of the version `python`, of a new environment in `folder` with just `requirements`.

    Each has its hash there. With `from_wheels`, a folder of files, no network is asked. Raises
    `EnvironmentUnavailableError` where something is not to be had, or is another file.
    """
    settings = pip_settings.read_pip_settings()
    interpreter = interpreters.find_interpreter(python, settings)
    command = Uv().command(folder)
    uv = functools.partial(uv_program.run, settings=settings, cwd=folder, log=log)
    install = (
        "pip",
        "install",
        "--no-config",
        "--python",
        command[0],
        "--no-deps",
        "--require-hashes",
        "--requirements",
        requirements,
    )
    flags = ["--offline", "--no-index", "--find-links", str(from_wheels)] if from_wheels else settings.uv_flags()
    try:
        uv("venv", "--no-project", "--python", interpreter, folder / "venv")
        wheels.with_cpu_builds(functools.partial(uv, *install, *flags), requirements.read_text(encoding="utf-8"))
    except programs.ProgramFailedError as error:
        raise programs.unavailable(f"the pack's environment cannot be made: {error}", log) from error
    return command
