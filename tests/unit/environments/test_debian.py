import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from bakeoff import environments
from bakeoff.environments import debian
from bakeoff.errors import EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec

pytestmark = pytest.mark.unit


@pytest.fixture
def debian_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian of 64 bits with all its tools and one mirror; gives its /etc/apt."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    monkeypatch.setattr(debian.shutil, "which", lambda tool: f"/usr/bin/{tool}")  # type: ignore[attr-defined]
    monkeypatch.setattr(debian, "ETC_APT", tmp_path)
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n", encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("debian_machine")
def test_a_debian_machine_can_build_it() -> None:
    assert debian.why_not() is None


def test_each_lack_is_named(debian_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (debian_machine / "sources.list").write_text("deb http://u.example/ubuntu noble main\n", encoding="utf-8")
    assert "name no mirror of Debian" in (debian.why_not() or "")
    monkeypatch.setattr(debian.shutil, "which", lambda tool: None if tool == "apt-get" else tool)  # type: ignore[attr-defined]
    assert "no apt-get" in (debian.why_not() or "")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "riscv64" in (debian.why_not() or "")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux only" in (debian.why_not() or "")


@pytest.mark.usefixtures("debian_machine")
def test_elsewhere_the_environment_is_unavailable_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (tmp_path / "debs.lock").write_text("python3=3.13.5-1\n", encoding="utf-8")
    spec = EnvironmentSpec(
        name="debs", kind="debian", lock=tmp_path / "debs.lock", suite="trixie", requirements=("python3",)
    )
    error = environments.install([spec], report)["debs"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert str(error) == "its packages come from Debian and run on Linux only"


@pytest.mark.usefixtures("debian_machine")
def test_it_runs_under_its_own_loader_with_its_own_libraries(tmp_path: Path) -> None:
    (tmp_path / "root" / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "usr" / "bin" / "python3").symlink_to("python3.13")
    libraries = f"{tmp_path}/root/usr/lib/x86_64-linux-gnu"
    assert debian.command(tmp_path) == (
        f"{libraries}/ld-linux-x86-64.so.2",
        "--library-path",
        f"{libraries}:{libraries}/blas:{libraries}/lapack",
        f"{tmp_path}/root/usr/bin/python3.13",
        "-s",
    )
    assert debian.variables(tmp_path) == {"PYTHONHOME": f"{tmp_path}/root/usr"}


def test_the_names_of_package_files_are_understood() -> None:
    assert debian.package_of("python3-numpy_1%3a2.2.4+ds-1_amd64.deb") == ("python3-numpy", "1:2.2.4+ds-1")


def test_a_lock_may_list_versions_or_package_files() -> None:
    lock = "# seen to work\nlibc6=2.41-12\n\npython3-numpy_1%3a2.2.4+ds-1  # epoch\nlibfoo_1.0_amd64.deb\n"
    assert debian.parse_lock(lock) == {"libc6": "2.41-12", "python3-numpy": "1:2.2.4+ds-1", "libfoo": "1.0"}


def test_a_difference_from_the_lock_is_one_line() -> None:
    locked = {"a": "1", "b": "1", "c": "1", "d": "1"}
    assert debian.describe_difference(locked, locked) == ""
    came = {"a": "2", "b": "1", "c": "2", "e": "1"}
    assert debian.describe_difference(locked, came) == (
        "4 of 4 packages differ from those last seen to work: a 1 -> 2, c 1 -> 2, without d and 1 more"
    )


def test_of_the_machines_apt_only_the_way_to_its_mirrors_is_taken() -> None:
    dump = (
        'APT::Update::Post-Invoke:: "rm -rf /";\nAcquire::http::Proxy "http://proxy:3142";\n'
        'DPkg::Post-Invoke:: "hook";\nAcquire::IndexTargets::deb::DEP-11 "";\n'
    )
    assert debian.network_settings(dump) == 'Acquire::http::Proxy "http://proxy:3142";\n'
