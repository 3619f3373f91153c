"""A package world of our own: tiny wheels in a folder, so that uv builds real environments without a network."""

import base64
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bakeoff import environments
from bakeoff.environments import pip_settings, uv
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.records import EnvironmentSpec, Installed

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(name="write_wheel")
def the_wheel_writer() -> Callable[..., Path]:
    return write_wheel


def write_wheel(folder: Path, name: str, version: str, requires: Iterable[str] = ()) -> Path:
    """A wheel with one module that knows its version."""
    tag = "py3-none-any"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{name}/__init__.py": f'__version__ = "{version}"\n',
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{name}-{version}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},\n"
        for path, text in files.items()
    )
    files[f"{name}-{version}.dist-info/RECORD"] = record + f"{name}-{version}.dist-info/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)  # no time stamp: the same bytes every time
    return wheel


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@dataclass
class Heard:
    """A report that remembers."""

    started_names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    finished_names: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def started(self, spec: EnvironmentSpec) -> None:
        self.started_names.append(spec.name)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finished(self, installed: Installed, seconds: float) -> None:
        assert seconds >= 0
        self.finished_names.append(installed.name)

    def failed(self, name: str, reason: str) -> None:
        self.failures[name] = reason


@pytest.fixture
def report() -> Heard:
    return Heard()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A wheel folder with a numpy of our own, which is all that the smoke test asks for."""
    write_wheel(tmp_path / "wheels", "numpy", "1.0")
    write_wheel(tmp_path / "wheels", "tinyframework", "2.0")
    return tmp_path / "wheels"


@pytest.fixture
def settings(wheels: Path) -> PackageSettings:
    return PackageSettings(find_links=(str(wheels),), no_index=True)


@pytest.fixture
def offline(own_cache: Path, monkeypatch: pytest.MonkeyPatch, settings: PackageSettings) -> Path:
    """No network, and packages from the wheel folder alone. Gives the cache."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.setattr(uv, "COMPILE", "")  # which takes half of the time; `one_built` has it
    monkeypatch.setattr(pip_settings, "read_pip_settings", lambda: settings)
    return own_cache


@pytest.fixture
def make_spec(tmp_path: Path, wheels: Path) -> Callable[..., EnvironmentSpec]:
    """Write a lock, by default of our numpy with its hash, and describe the environment."""

    def make(name: str = "tiny", lock: str | None = None, python: str = THIS_PYTHON) -> EnvironmentSpec:
        digest = sha256(next(wheels.glob("numpy-*.whl")))
        file = tmp_path / f"{name}.lock"
        file.write_text(lock if lock is not None else f"numpy==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
        return EnvironmentSpec(name=name, kind="uv", lock=file, python=python)

    return make


@pytest.fixture(scope="session")
def one_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache after one installation, with the wheel that it was made from beside it; to copy, not to change."""
    home = tmp_path_factory.mktemp("built")
    wheel = write_wheel(home / "wheels", "numpy", "1.0")
    settings = PackageSettings(find_links=(str(wheel.parent),), no_index=True)
    (home / "tiny.lock").write_text(f"numpy==1.0 --hash=sha256:{sha256(wheel)}\n", encoding="utf-8")
    spec = EnvironmentSpec(name="tiny", kind="uv", lock=home / "tiny.lock", python=THIS_PYTHON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAKEOFF_CACHE", str(home / "cache"))
        patch.setenv("UV_OFFLINE", "1")
        patch.setattr(pip_settings, "read_pip_settings", lambda: settings)
        result = environments.install([spec], Heard())["tiny"]
    assert isinstance(result, Installed), result
    return home


@pytest.fixture
def installed(one_built: Path, offline: Path, tmp_path: Path) -> tuple[EnvironmentSpec, Installed]:
    """An environment that stands in this test's own cache."""
    built = one_built / "cache" / "environments"
    shutil.copytree(built, offline / "environments", symlinks=True)
    lock = Path(shutil.copy(one_built / "tiny.lock", tmp_path))
    shutil.copytree(one_built / "wheels", tmp_path / "wheels", dirs_exist_ok=True)
    spec = EnvironmentSpec(name="tiny", kind="uv", lock=lock, python=THIS_PYTHON)
    environment = environments.find(spec)
    assert environment is not None
    return spec, environment
