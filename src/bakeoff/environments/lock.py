"""Makes the locks of environments: what ``bakeoff engines lock NAME... [--pins FILE]`` writes, for committing.

The `requirements` of an environment in engine.toml are resolved for its Python, for every platform at once, and
listed with the hashes of all their files.

- PyTorch's family (torch >= 2, torchvision, torchaudio) stands in the lock without hashes, and without its CUDA
  packages: a CPU wheel of one's own and the public wheel have different hashes, and both are fine.
- Pins, a complete list of ``name==version`` lines, replace them: hashes are added and nothing is resolved. That
  is how the locks of old Pythons are made, whose packages declare what no resolver can still put together.
- For an environment of the kind `debian`, the lock is the list of versions that an installation brought:
  ``versions.txt`` of the installed environment, which must stand (``bakeoff engines install``).

Only the default index is asked, with the user's pip settings for the way there: a lock must not depend on what lies
in somebody's wheel folder.
"""

import tempfile
from pathlib import Path

import msgspec

from bakeoff import environments
from bakeoff.environments import debian, programs, torch_build, uv
from bakeoff.environments.pip_settings import PackageSettings, read_pip_settings
from bakeoff.errors import UsageError
from bakeoff.records import EnvironmentSpec


def compile_lock(spec: EnvironmentSpec, pins: str | None = None) -> str:
    """The text of the lock of `spec`, from its requirements, or from complete `pins` where given.

    Raises `UsageError` where the requirements have no solution or the index cannot be reached.
    """
    if spec.kind == "debian":
        return _versions_that_came(spec)
    wanted = pins if pins is not None else "".join(f"{line}\n" for line in spec.requirements)
    settings = msgspec.structs.replace(read_pip_settings(), extra_index_urls=(), find_links=())
    flags = ["--no-deps"] if pins is not None else []
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        if pins is None:
            resolved = torch_build.logical_lines(_compile(spec, wanted, settings, work))
            names = {torch_build.name_and_version(line)[0] for line in resolved}
            # Left out of a second resolution, the CUDA packages take along what only they need.
            excluded = work / "cuda.txt"
            excluded.write_text("\n".join(filter(torch_build.is_cuda_only, sorted(names))), encoding="utf-8")
            flags += ["--excludes", str(excluded)]
        return torch_build.without_hashes_of_torch(_compile(spec, wanted, settings, work, "--generate-hashes", *flags))


def _compile(spec: EnvironmentSpec, wanted: str, settings: PackageSettings, work: Path, *flags: str) -> str:
    command = [uv.program(), "pip", "compile", "-", "--quiet", "--universal", "--no-config"]
    plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    log = work / "compile.log"
    try:
        return programs.run(
            [*command, *plain, "--python-version", spec.python or "", *settings.uv_flags(), *flags],
            env=uv.environment(settings),
            cwd=work,
            log=log,
            stdin=wanted,
        )
    except programs.ProgramFailedError as error:
        raise UsageError(f"environment {spec.name}: no lock can be made: {error}") from error


def _versions_that_came(spec: EnvironmentSpec) -> str:
    installed = environments.find(spec)
    if installed is None:
        raise UsageError(
            f"environment {spec.name} is not installed, so it is not known which versions Debian serves",
            "run `bakeoff engines install` for an engine that uses it, then try again",
        )
    return (installed.path / debian.VERSIONS).read_text(encoding="utf-8")
