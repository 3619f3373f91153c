"""What an environment was filled with, from what uv says of where its packages come from."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from bakeoff.environments import fresh, kinds, wheels
from bakeoff.environments.programs import ProgramFailedError
from bakeoff.errors import EnvironmentUnavailableError, UsageError
from bakeoff.records import EnvironmentSpec, Installed

pytestmark = pytest.mark.unit

A, B, C = "a" * 64, "b" * 64, "c" * 64
PYLOCK = f"""lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "alpha-one"
version = "1.0"
wheels = [
    {{ url = "https://wheels.example/alpha_one-1.0-py2-none-any.whl", hashes = {{ sha256 = "{C}" }} }},
    {{ url = "https://me:secret@wheels.example/alpha_one-1.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }},
]

[[packages]]
name = "torch"
version = "2.0+cpu"
sdist = {{ url = "file:///home/me/w%20heels/torch-2.0%2Bcpu.tar.gz", hashes = {{ sha256 = "{B}" }} }}
"""


def package(site: Path, name: str, version: str, *files: str, said: str = "") -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{said}")
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(file)
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nTag: py3-none-any\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def an_environment(tmp_path: Path) -> Installed:
    return Installed(name="e", digest="0", path=tmp_path / "e", command=("python",))


def spec(tmp_path: Path, lock: str) -> EnvironmentSpec:
    (tmp_path / "e.lock").write_text(lock)
    return EnvironmentSpec(kind="uv", python="3.11", name="e", lock=tmp_path / "e.lock")


def test_it_is_what_is_installed_with_hashes_and_licences(
    tmp_path: Path, an_environment: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def locate(pins: list[str], _installed: Installed) -> str:
        asked.extend(pins)
        return PYLOCK

    monkeypatch.setattr(wheels, "_locate", locate)
    site = tmp_path / "site"
    licence, notice = "alpha_one-1.0.dist-info/licenses/LICENSE", "alpha_one/ThirdPartyNotices.txt"
    package(
        site,
        "alpha_one",
        "1.0",
        licence,
        notice,
        "alpha_one/license.py",
        "alpha_one/data/licensed.bin",
        said="License: MIT\n",
    )
    package(site, "torch", "2.0+cpu", "../../bin/LICENSE")
    lock = f"alpha-one==1.0 \\\n    --hash=sha256:{B} \\\n    --hash=sha256:{A}\ntorch==2.0\n"
    found = wheels.installed_in(site, spec(tmp_path, lock), an_environment)
    assert asked == ["alpha_one==1.0", "torch==2.0+cpu"]
    assert found.requirements == f"alpha-one==1.0 --hash=sha256:{A}\ntorch==2.0+cpu --hash=sha256:{B}\n"
    assert found.licences == {f"alpha_one-1.0/{file}": site / file for file in (licence, notice)}
    assert found.terms == {"alpha-one==1.0": "MIT"}
    assert "secret" not in found.pylock
    assert C not in found.pylock
    assert [len(each.get("wheels", ())) for each in tomllib.loads(found.pylock)["packages"]] == [1, 0]
    assert 'url = "https://wheels.example/alpha_one-1.0-py3-none-any.whl"' in found.pylock
    assert 'path = "wheels/torch-2.0+cpu.tar.gz"' in found.pylock
    assert "/home" not in found.pylock
    assert found.files == (
        f"https://me:secret@wheels.example/alpha_one-1.0-py3-none-any.whl#sha256={A}",
        f"file:///home/me/w%20heels/torch-2.0%2Bcpu.tar.gz#sha256={B}",
    )
    assert 'path = "wheels/alpha_one-1.0-py3-none-any.whl"' in wheels.without_this_machine(PYLOCK, local=True)


def test_a_file_that_the_lock_does_not_allow_is_refused(
    tmp_path: Path, an_environment: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "_locate", lambda _pins, _installed: PYLOCK)
    with pytest.raises(EnvironmentUnavailableError, match=r"alpha-one==1\.0 of environment e is another file"):
        wheels.installed_in(tmp_path, spec(tmp_path, f"alpha_one==1.0 --hash=sha256:{B}\n"), an_environment)


def test_what_was_installed_is_downloaded_and_installed_again_from_those_files_alone(
    installed: tuple[EnvironmentSpec, Installed], tmp_path: Path
) -> None:
    spec, environment = installed
    found = kinds.of(spec).wheels(spec, environment)
    folder, pack = tmp_path / "pack" / "wheels", tmp_path / "pack"
    folder.mkdir(parents=True)
    pylock = wheels.download(found, environment, folder)
    assert [file.name for file in folder.iterdir()] == ["numpy-1.0-py3-none-any.whl"]
    assert 'path = "wheels/numpy-1.0-py3-none-any.whl"' in pylock

    requirements = pack / "requirements.txt"
    requirements.write_text(found.requirements)
    (tmp_path / "new").mkdir()
    command = fresh.fill(tmp_path / "new", spec.python or "", requirements, folder, tmp_path / "log")
    asked = [*command, "-c", "import numpy; print(numpy.__version__)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "1.0\n"

    requirements.write_text(f"numpy==1.0 --hash=sha256:{A}\n")
    (tmp_path / "newer").mkdir()
    with pytest.raises(EnvironmentUnavailableError, match=r"the pack's environment cannot be made: .*[Hh]ash"):
        fresh.fill(tmp_path / "newer", spec.python or "", requirements, folder, tmp_path / "log")


def test_cpu_builds_of_pytorch_are_looked_for_on_its_own_index_where_nobody_else_has_them() -> None:
    asked: list[tuple[str, ...]] = []

    def ask(*flags: str) -> str:
        asked.append(flags)
        if not flags:
            raise ProgramFailedError("no such version")
        return "found"

    assert wheels.with_cpu_builds(ask, "torch==2.0+cpu") == "found"
    assert asked == [(), ("--torch-backend", "cpu")]
    with pytest.raises(ProgramFailedError):
        wheels.with_cpu_builds(ask, "numpy==1.0")


def test_debians_packages_are_no_wheels(tmp_path: Path, an_environment: Installed) -> None:
    debian = EnvironmentSpec(kind="debian", suite="trixie", name="d", lock=tmp_path / "d.lock")
    with pytest.raises(UsageError, match="environment d is unpacked from Debian's packages"):
        kinds.of(debian).wheels(debian, an_environment)
