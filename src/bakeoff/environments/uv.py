"""Environments of the kind `uv`: a virtual environment on a CPython, filled by uv from a lock with hashes.

The lock is made of the `requirements` in engine.toml, resolved for all platforms at once, with the hashes of all files:

- PyTorch's family (torch >= 2, torchvision, torchaudio) stands in it without hashes, and without its CUDA packages: a
  CPU wheel of one's own and the public wheel have different hashes, and both are fine.
- Pins, a complete list of ``name==version`` lines, replace the requirements: hashes are added and nothing is resolved.
  That is how the locks of old Pythons are made, whose packages declare what no resolver can still put together.
- Only the default index is asked, with the user's pip settings for the way there: a lock must not depend on what lies
  in somebody's wheel folder.
"""

import functools
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bakeoff.environments import interpreters, pip_settings, torch_build, uv_program, wheels
from bakeoff.environments.folders import read_lock
from bakeoff.environments.kind import Build, Kind
from bakeoff.environments.programs import ProgramFailedError
from bakeoff.errors import EngineFolderError, UsageError
from bakeoff.records import EnvironmentSpec, Installed

COMPILE = """
import compileall, sysconfig
if __name__ == "__main__":
    compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
"""
"""Compiles all bytecode, so that no import time in a race has compiling in it: for TensorFlow, 4,400 files, 9 s
on two cores. uv's own ``--compile-bytecode`` gives up on Python 3.6 where a package carries files of newer syntax."""
FEW_RETRIES = "1"
"""For a question whose answer may well be no: PyTorch's own index is out of many people's reach."""

_PYTHON = re.compile(r"3\.\d+(\.\d+)?")


class Uv(Kind):
    """Of packages from an index, on a Python of this machine, else one that uv downloads."""

    name = "uv"

    def check(self, spec: EnvironmentSpec) -> None:
        if not _PYTHON.fullmatch(spec.python or ""):
            raise EngineFolderError(f'environments.{spec.name}.python: say which, such as "3.11"')

    def python(self, spec: EnvironmentSpec) -> str:
        return spec.python or ""

    def missing(self, spec: EnvironmentSpec) -> str:
        if interpreters.locate(spec.python or "") is None:
            return f"Python {spec.python} is not on this machine; uv will try to download it"
        return ""

    def command(self, folder: Path) -> tuple[str, ...]:
        venv = folder / "venv"
        python = venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"
        return str(python), "-I"

    def build(self, spec: EnvironmentSpec, build: Build) -> None:
        interpreter = interpreters.find_interpreter(spec.python or "", build.settings)
        fill = functools.partial(self._fill, spec, interpreter, build)
        uv_program.fill(build.folder, fill, build.settings, build.log)
        build.run(*self.command(build.folder), "-c", COMPILE, env=uv_program.environment(build.settings))

    def _fill(self, spec: EnvironmentSpec, interpreter: Path, build: Build) -> None:
        """Make the virtual environment in the build's folder, relocatable, and install exactly what the lock says.

        uv checks each line of a lock that has hashes against them, and takes those without as they are.
        """
        venv = build.folder / "venv"
        uv = functools.partial(uv_program.run, settings=build.settings, cwd=build.folder, log=build.log)
        uv("venv", "--no-project", "--relocatable", "--python", interpreter, venv)
        to = ("--python", self.command(build.folder)[0], *build.settings.uv_flags())
        install = ("pip", "install", *to)
        lock = read_lock(spec)
        pins = torch_build.pins(lock)
        if not pins or not torch_build.from_cpu_index(pins, _would_pick(pins, to, build)):
            uv(*install, "--no-deps", "--requirements", spec.lock)
            return
        rest = build.folder / "without-torch.txt"
        rest.write_text(torch_build.without(lock), encoding="utf-8")
        uv(*install, "--no-deps", "--requirements", rest)
        try:
            uv(*install, "--no-deps", "--torch-backend", "cpu", *pins, retries=FEW_RETRIES)
        except ProgramFailedError as error:
            if uv_program.damaged_package(error):
                raise
            build.report.note(torch_build.fallback_note(spec.name, str(error)))
            uv(*install, *pins)

    def wheels(self, spec: EnvironmentSpec, installed: Installed) -> wheels.Wheels:
        venv = installed.path / "venv"
        site = venv / "Lib" / "site-packages" if os.name == "nt" else next(venv.glob("lib/python3*/site-packages"))
        return wheels.installed_in(site, spec, installed)

    def freeze(self, spec: EnvironmentSpec, pins: str | None = None) -> str:
        wanted = pins if pins is not None else "".join(f"{line}\n" for line in spec.requirements)
        flags = ["--no-deps"] if pins is not None else []
        with tempfile.TemporaryDirectory() as scratch:
            work = Path(scratch)
            if pins is None:
                resolved = torch_build.logical_lines(_resolve(spec, wanted, work))
                names = {torch_build.name_and_version(line)[0] for line in resolved}
                # Left out of a second resolution, the CUDA packages take along what only they need.
                excluded = work / "cuda.txt"
                excluded.write_text("\n".join(filter(torch_build.is_cuda_only, sorted(names))), encoding="utf-8")
                flags += ["--excludes", str(excluded)]
            return torch_build.without_hashes_of_torch(_resolve(spec, wanted, work, "--generate-hashes", *flags))

    def unlocked(self, spec: EnvironmentSpec) -> list[str]:
        locked = set(read_lock(spec).split())
        return [pin for pin in spec.requirements if "==" in pin and _as_locked(pin) not in locked]

    def pins(self, spec: EnvironmentSpec) -> list[str]:
        lines = torch_build.logical_lines(read_lock(spec))
        return [line.partition(" --hash")[0].rstrip() for line in lines if not line.startswith("-")]

    def installation(self, spec: EnvironmentSpec) -> list[str]:
        return [
            f"python{spec.python} -m venv winner",
            "winner/bin/python -m pip install --no-deps --ignore-requires-python --requirement requirements.txt",
        ]


def _would_pick(pins: Sequence[str], to: Sequence[str], build: Build) -> dict[str, str]:
    """Which versions uv would take for `pins` from where packages come from here: ``{"torch": "2.13.0+cpu"}``."""
    ask = ("pip", "compile", "-", "--quiet", "--no-deps", "--no-header", "--no-annotate", *to)
    try:
        answer = uv_program.run(*ask, settings=build.settings, cwd=build.folder, log=build.log, stdin="\n".join(pins))
    except ProgramFailedError:
        return {}
    return dict(torch_build.name_and_version(line) for line in answer.splitlines() if "==" in line)


def _resolve(spec: EnvironmentSpec, wanted: str, work: Path, *flags: str) -> str:
    settings = msgspec.structs.replace(pip_settings.read_pip_settings(), extra_index_urls=(), find_links=())
    ask = ("pip", "compile", "-", "--quiet", "--universal", "--no-config", "--python-version", spec.python or "")
    plain = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
    try:
        return uv_program.run(
            *ask, *plain, *settings.uv_flags(), *flags, settings=settings, cwd=work, log=work / "uv.log", stdin=wanted
        )
    except ProgramFailedError as error:
        raise UsageError(f"environment {spec.name}: no lock can be made: {error}") from error


def _as_locked(requirement: str) -> str:
    """A requirement as a lock has it: ``Some_Package[extra]==1.0`` -> ``some-package==1.0``."""
    name, _, version = requirement.partition("==")
    return f"{torch_build.normal(name.partition('[')[0].strip())}=={version.strip()}"
