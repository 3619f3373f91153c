from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bakeoff import environments
from bakeoff.environments import interpreters, kinds, programs, torch_build
from bakeoff.environments.kind import Build
from bakeoff.environments.programs import ProgramFailedError
from bakeoff.records import EnvironmentSpec

pytestmark = pytest.mark.unit

LOCK = """# by uv
numpy==2.4.6 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
torch==2.13.0
torchvision==0.28.0 ; python_full_version < '3.15' \\
    --hash=sha256:cc
sympy==1.14.0 --hash=sha256:dd
"""
OLD_LOCK = "numpy==1.16.4\ntorch==1.1.0 \\\n    --hash=sha256:ee\n"


def test_todays_pins_are_found_without_their_hashes() -> None:
    assert torch_build.pins(LOCK) == ("torch==2.13.0", "torchvision==0.28.0 ; python_full_version < '3.15'")


def test_old_wheels_bundle_everything_and_are_taken_as_pinned() -> None:
    assert torch_build.pins(OLD_LOCK) == ()
    assert torch_build.pins("numpy==2.4.6\n") == ()
    assert torch_build.without_hashes_of_torch(OLD_LOCK) == OLD_LOCK


def test_the_rest_of_the_lock_keeps_its_hashes() -> None:
    rest = torch_build.logical_lines(torch_build.without(LOCK))
    assert [torch_build.name_and_version(line) for line in rest] == [("numpy", "2.4.6"), ("sympy", "1.14.0")]
    assert rest[0].count("--hash=") == 2


def test_hashes_of_the_family_are_left_out_of_a_lock() -> None:
    lock = torch_build.without_hashes_of_torch(LOCK)
    assert "cc" not in lock
    assert "torchvision==0.28.0 ; python_full_version < '3.15'\n" in lock
    assert torch_build.without(lock) == torch_build.without(LOCK)


@pytest.mark.parametrize(
    ("picked", "system", "machine", "expected"),
    [
        ({"torch": "2.13.0"}, "linux", "x86_64", True),
        ({"torch": "2.13.0+cpu"}, "linux", "x86_64", False),
        ({"torch": "2.13.0+cpu.cxx11.abi"}, "linux", "x86_64", False),
        ({"torch": "2.13.0+cu130"}, "linux", "x86_64", True),
        ({}, "linux", "x86_64", True),
        ({"torch": "2.13.0"}, "linux", "aarch64", True),
        ({"torch": "2.13.0"}, "linux", "ppc64le", False),
        ({"torch": "2.13.0"}, "darwin", "arm64", False),
        ({"torch": "2.13.0"}, "win32", "AMD64", False),
    ],
)
def test_a_cpu_build_comes_first_wherever_it_can_be_had(
    picked: dict[str, str], system: str, machine: str, *, expected: bool
) -> None:
    assert torch_build.from_cpu_index(("torch==2.13.0",), picked, system, machine) is expected


def test_a_lock_that_names_a_build_itself_is_obeyed() -> None:
    assert not torch_build.from_cpu_index(("torch==2.13.0+cpu",), {}, "linux", "x86_64")
    assert not torch_build.from_cpu_index((), {}, "linux", "x86_64")


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("nvidia-cublas", True),
        ("cuda-toolkit", True),
        ("triton", True),
        ("pytorch-triton", True),
        ("sympy", False),
        ("cudatext", False),
    ],
)
def test_what_serves_cuda_alone_is_known_by_its_name(package: str, *, expected: bool) -> None:
    assert torch_build.is_cuda_only(package) is expected


def build_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, report: Any, settings: Any, *, picked: str, cpu_index: bool
) -> list[tuple[str, ...]]:
    """Build a torch environment with uv replaced; returns what would have been installed."""
    commands: list[tuple[str, ...]] = []

    def run(command: Sequence[str | Path], **_: Any) -> str:
        arguments = tuple(map(str, command))
        if "compile" in arguments:
            return picked
        if "--torch-backend" in arguments and not cpu_index:
            raise ProgramFailedError("Failed to fetch: no route")
        if "install" in arguments:
            commands.append(arguments[arguments.index("unsafe-best-match") + 1 :])
        return ""

    monkeypatch.setattr(programs, "run", run)
    monkeypatch.setattr(interpreters, "find_interpreter", lambda *_: Path("python"))
    monkeypatch.setattr(torch_build.from_cpu_index, "__defaults__", ("linux", "x86_64"))
    (tmp_path / "torch.lock").write_text(LOCK, encoding="utf-8")
    spec = EnvironmentSpec(name="torch", kind="uv", lock=tmp_path / "torch.lock", python="3.11")
    kinds.of(spec).build(spec, Build(tmp_path, tmp_path / "log", settings, report))
    return [tuple(a for a in c if a not in ("--no-index", "--find-links", *settings.find_links)) for c in commands]


def test_a_cpu_wheel_of_ones_own_is_taken_with_the_whole_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, report: Any, settings: Any
) -> None:
    installs = build_with(monkeypatch, tmp_path, report, settings, picked="torch==2.13.0+cpu\n", cpu_index=True)
    assert installs == [("--no-deps", "--requirements", str(tmp_path / "torch.lock"))]


def test_else_torch_comes_from_the_index_of_cpu_builds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, report: Any, settings: Any
) -> None:
    installs = build_with(monkeypatch, tmp_path, report, settings, picked="torch==2.13.0\n", cpu_index=True)
    pins = ("torch==2.13.0", "torchvision==0.28.0 ; python_full_version < '3.15'")
    assert installs[1:] == [("--no-deps", "--torch-backend", "cpu", *pins)]
    assert report.notes == []


def test_without_that_index_the_public_build_comes_with_its_dependencies_and_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, report: Any, settings: Any
) -> None:
    installs = build_with(monkeypatch, tmp_path, report, settings, picked="torch==2.13.0\n", cpu_index=False)
    assert installs[1:] == [("torch==2.13.0", "torchvision==0.28.0 ; python_full_version < '3.15'")]
    assert len(report.notes) == 1
    assert "no route" in report.notes[0]
    assert "5 GB" in report.notes[0]


@pytest.mark.usefixtures("offline")
def test_uv_itself_prefers_the_cpu_wheel_of_a_wheel_folder(
    make_spec: Callable[..., EnvironmentSpec], wheels: Path, report: Any, write_wheel: Callable[..., Path]
) -> None:
    write_wheel(wheels, "torch", "2.13.0")
    write_wheel(wheels, "torch", "2.13.0+cpu")
    installed = environments.install([make_spec("torch", lock="numpy==1.0\ntorch==2.13.0\n")], report)["torch"]
    assert not isinstance(installed, Exception), installed
    assert list(installed.path.rglob("torch-2.13.0+cpu.dist-info"))
    assert report.notes == []
