import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.environments import folders, kinds, pip_settings, torch_build
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.errors import UsageError
from bakeoff.records import EnvironmentSpec

pytestmark = pytest.mark.unit


@pytest.fixture
def index(
    tmp_path: Path, write_wheel: Callable[..., Path], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """An index of our own on disk, the only one there is; gives a function that adds a package to it."""
    assert str(own_cache)
    simple = tmp_path / "simple"
    simple.mkdir()
    monkeypatch.setattr(pip_settings, "read_pip_settings", lambda: PackageSettings(index_url=simple.as_uri()))

    def add(name: str, version: str, *requires: str) -> Path:
        wheel = write_wheel(simple / name, name.replace("-", "_"), version, requires=requires)
        links = "".join(
            f'<a href="{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}">{file.name}</a>'
            for file in sorted((simple / name).glob("*.whl"))
        )
        (simple / name / "index.html").write_text(f"<!DOCTYPE html><body>{links}</body>", encoding="utf-8")
        return wheel

    return add


def freeze(spec: EnvironmentSpec, pins: str | None = None) -> str:
    return kinds.of(spec).freeze(spec, pins)


def spec_of(tmp_path: Path, *requirements: str) -> EnvironmentSpec:
    return EnvironmentSpec(name="e", kind="uv", lock=tmp_path / "e.lock", python="3.11", requirements=requirements)


def test_a_lock_has_every_dependency_with_its_hash(tmp_path: Path, index: Callable[..., Path]) -> None:
    numpy = index("numpy", "1.0")
    tiny = index("tiny", "2.0", "numpy>=1.0")
    assert torch_build.logical_lines(freeze(spec_of(tmp_path, "tiny==2.0"))) == [
        f"numpy==1.0      --hash=sha256:{hashlib.sha256(numpy.read_bytes()).hexdigest()}",
        f"tiny==2.0      --hash=sha256:{hashlib.sha256(tiny.read_bytes()).hexdigest()}",
    ]


def test_torch_stands_unhashed_and_without_cuda(tmp_path: Path, index: Callable[..., Path]) -> None:
    index("numpy", "1.0")
    index("pathfinder", "1.0")
    index("nvidia-cublas", "13.0", "pathfinder")
    index("torch", "2.13.0", "nvidia-cublas==13.0", "numpy")
    lines = torch_build.logical_lines(freeze(spec_of(tmp_path, "torch==2.13.0")))
    assert [torch_build.name_and_version(line)[0] for line in lines] == ["numpy", "torch"]
    assert lines[1] == "torch==2.13.0"
    assert "--hash" in lines[0]


def test_complete_pins_get_hashes_and_nothing_else(tmp_path: Path, index: Callable[..., Path]) -> None:
    index("torch", "1.1.0", "contradiction==9")
    lines = torch_build.logical_lines(freeze(spec_of(tmp_path), "torch==1.1.0\n"))
    assert [line.split("--")[0].strip() for line in lines] == ["torch==1.1.0"]
    assert "--hash" in lines[0]


@pytest.mark.usefixtures("index")
def test_what_has_no_solution_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"environment e: no lock can be made: .*nosuchpackage") as caught:
        freeze(spec_of(tmp_path, "nosuchpackage==3"))
    assert "\n" not in str(caught.value)


def test_a_debian_lock_is_what_an_installation_brought(tmp_path: Path, own_cache: Path) -> None:
    file = tmp_path / "d.lock"
    file.touch()
    spec = EnvironmentSpec(name="d", kind="debian", lock=file, suite="trixie", requirements=("python3",))
    with pytest.raises(UsageError, match="not installed"):
        freeze(spec)
    assert folders.home().is_relative_to(own_cache)
