import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bakeoff import environments
from bakeoff.environments import debian
from bakeoff.errors import EngineFolderError, EnvironmentUnavailableError
from bakeoff.records import EnvironmentSpec

pytestmark = pytest.mark.unit

DEBIAN = debian.Debian()


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


def spec_with(tmp_path: Path, lock: str) -> EnvironmentSpec:
    (tmp_path / "debs.lock").write_text(lock, encoding="utf-8")
    return EnvironmentSpec(
        name="debs", kind="debian", lock=tmp_path / "debs.lock", suite="trixie", requirements=("python3",)
    )


def missing() -> str:
    return DEBIAN.missing(EnvironmentSpec(name="debs", kind="debian", lock=Path("debs.lock")))


@pytest.mark.usefixtures("debian_machine")
def test_a_debian_machine_can_build_it() -> None:
    assert missing() == ""


def test_each_lack_is_named(debian_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (debian_machine / "sources.list").write_text("deb http://u.example/ubuntu noble main\n", encoding="utf-8")
    assert "name no mirror of Debian" in (missing())
    monkeypatch.setattr(debian.shutil, "which", lambda tool: None if tool == "apt-get" else tool)  # type: ignore[attr-defined]
    assert "no apt-get" in (missing())
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "riscv64" in (missing())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux only" in (missing())


@pytest.mark.usefixtures("debian_machine", "offline")
def test_elsewhere_the_environment_is_unavailable_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    error = environments.install([spec_with(tmp_path, "python3=3.13.5-1\n")], report)["debs"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert str(error) == "its packages come from Debian and run on Linux only"


@pytest.mark.usefixtures("debian_machine")
def test_it_runs_under_its_own_loader_with_its_own_libraries(tmp_path: Path) -> None:
    (tmp_path / "root" / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "usr" / "bin" / "python3").symlink_to("python3.13")
    libraries = f"{tmp_path}/root/usr/lib/x86_64-linux-gnu"
    assert DEBIAN.command(tmp_path) == (
        f"{libraries}/ld-linux-x86-64.so.2",
        "--library-path",
        f"{libraries}:{libraries}/blas:{libraries}/lapack",
        f"{tmp_path}/root/usr/bin/python3.13",
        "-s",
    )
    assert DEBIAN.variables(tmp_path) == {"PYTHONHOME": f"{tmp_path}/root/usr"}


def test_the_names_of_package_files_are_understood() -> None:
    assert debian.package_of("python3-numpy_1%3a2.2.4+ds-1_amd64.deb") == ("python3-numpy", "1:2.2.4+ds-1")


def test_a_lock_may_list_versions_or_package_files(tmp_path: Path) -> None:
    lock = "# seen to work\nlibc6=2.41-12\n\npython3-numpy_1%3a2.2.4+ds-1  # epoch\nlibfoo_1.0_amd64.deb\n"
    assert debian.parse_lock(spec_with(tmp_path, lock)) == {
        "libc6": "2.41-12",
        "python3-numpy": "1:2.2.4+ds-1",
        "libfoo": "1.0",
    }


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


def test_a_lock_with_a_line_of_another_kind_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(
        EngineFolderError, match=r"debs\.lock, line 2: neither name=version nor a package's file: libc6$"
    ):
        DEBIAN.pins(spec_with(tmp_path, "python3=3.13.5-1\nlibc6\n"))


def test_its_pins_are_what_apt_takes_and_the_command_names_the_release(tmp_path: Path) -> None:
    spec = spec_with(tmp_path, "libc6_2.41-12\npython3-numpy_1%3a2.2.4+ds-1_amd64.deb\n")
    assert DEBIAN.pins(spec) == ["libc6=2.41-12", "python3-numpy=1:2.2.4+ds-1"]
    assert DEBIAN.installation(spec)[0].endswith("# Debian trixie")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg-deb")
@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "content", [b"", b"no archive at all", b"!<arch>\ndebian-binary   0           0     0     1006"]
)
def test_a_package_that_is_no_archive_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Any, content: bytes
) -> None:
    archive = tmp_path / "libc6_2.41-12_amd64.deb"
    archive.write_bytes(content)

    def fetch(_: EnvironmentSpec, apt: Path, __: Any) -> list[Path]:
        apt.mkdir()
        return [archive]

    monkeypatch.setattr(debian, "_fetch", fetch)
    monkeypatch.setattr(debian.Debian, "missing", lambda *_: "")
    error = environments.install([spec_with(tmp_path, "libc6=2.41-12\n")], report)["debs"]
    assert isinstance(error, EnvironmentUnavailableError)
    assert "libc6" in str(error)
    assert "\n" not in str(error)


def test_it_stands_only_with_its_loader_and_its_python(debian_machine: Path) -> None:
    loader = debian_machine / "root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    python = debian_machine / "root/usr/bin/python3.13"
    for file in (loader, python):
        file.parent.mkdir(parents=True)
        file.touch()
    python.with_name("python3").symlink_to("python3.13")
    assert DEBIAN.runs(debian_machine)
    python.unlink()
    assert not DEBIAN.runs(debian_machine)
