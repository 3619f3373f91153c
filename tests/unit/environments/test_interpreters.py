import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakeoff.environments import interpreters, uv_program
from bakeoff.environments.interpreters import find_interpreter, how_to_get, locate
from bakeoff.environments.pip_settings import PackageSettings
from bakeoff.errors import EnvironmentUnavailableError

pytestmark = pytest.mark.unit

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
needs_shell = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    locate.cache_clear()
    yield
    locate.cache_clear()


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def answer(version: str, executable: str, implementation: str = "CPython", *, free_threaded: bool = False) -> str:
    flag = "true" if free_threaded else "false"
    return (
        f'echo \'{{"version": "{version}", "implementation": "{implementation}", "bits": 64, '
        f'"free_threaded": {flag}, "executable": "{executable}"}}\''
    )


@pytest.fixture
def only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but a PATH of two folders: pyenv's shims, then bin."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "shims"), str(tmp_path / "bin")]))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("CONDA_PREFIX", "UV_PYTHON_INSTALL_DIR", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_controllers_own_comes_first() -> None:
    found = locate(THIS)
    assert found is not None
    assert found.resolve() == Path(sys.executable).resolve()


@pytest.mark.usefixtures("only_path")
def test_a_full_version_must_match_fully() -> None:
    full = ".".join(map(str, sys.version_info[:3]))
    assert locate(full) is not None
    assert locate(f"{THIS}.99") is None


@needs_shell
def test_an_installation_of_pyenv_is_found_and_its_shim_is_not_run(only_path: Path) -> None:
    script(only_path / "shims" / "python3.6", f"touch {only_path}/shim-ran; {answer('3.6.15', '/shim')}")
    script(only_path / "pyenv" / "versions" / "3.6.15" / "bin" / "python", answer("3.6.15", "/real/python3.6"))
    assert locate("3.6") == Path("/real/python3.6")
    assert not (only_path / "shim-ran").exists()


@needs_shell
@pytest.mark.parametrize(
    "says",
    [
        "exit 127",
        "echo nonsense",
        "echo 5",
        "echo '{}'",
        "printf '\\377'",
        answer("3.61.0", "/p"),
        answer("3.6.9", "/p", "PyPy"),
        answer("3.6.9", "/p", free_threaded=True),
    ],
)
def test_what_does_not_prove_to_be_the_right_python_is_passed_over(only_path: Path, says: str) -> None:
    script(only_path / "bin" / "python3.6", says)
    assert locate("3.6") is None
    script(only_path / "bin" / "python3", answer("3.6.9", "/good"))
    locate.cache_clear()
    assert locate("3.6") == Path("/good")


@needs_shell
def test_one_of_conda_is_found(only_path: Path) -> None:
    script(only_path / "envs" / "old" / "bin" / "python", answer("3.6.13", "/conda/python"))
    (only_path / ".conda").mkdir()
    (only_path / ".conda" / "environments.txt").write_text(
        f"{only_path}/gone\n{only_path}/envs/old\n", encoding="utf-8"
    )
    assert locate("3.6") == Path("/conda/python")


@needs_shell
def test_uv_downloads_what_the_machine_lacks(only_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = interpreters.download_dir() / "cpython-3.8.20-linux-x86_64-gnu" / "bin" / "python"
    content = f"#!/bin/sh\n{answer('3.8.20', str(real))}\n"
    (only_path / "payload").write_text(content, encoding="utf-8")
    fake = script(
        only_path / "uv",
        f'test "$1 $2" = "python install" && /bin/mkdir -p {real.parent} && '
        f"/bin/cp {only_path}/payload {real} && /bin/chmod +x {real}",
    )
    monkeypatch.setattr(uv_program, "path", lambda: str(fake))
    assert find_interpreter("3.8", PackageSettings()) == real


@needs_shell
def test_what_cannot_be_had_names_the_reason_and_the_command(only_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = script(only_path / "uv", "echo 'error: No download found for request: cpython-3.6' >&2; exit 2")
    monkeypatch.setattr(uv_program, "path", lambda: str(fake))
    with pytest.raises(EnvironmentUnavailableError, match=r"needs Python 3\.6.*No download found") as caught:
        find_interpreter("3.6", PackageSettings())
    assert caught.value.advice == how_to_get("3.6")


@needs_shell
def test_the_advice_names_a_tool_that_is_there(only_path: Path) -> None:
    script(only_path / "bin" / "pyenv", "")
    assert how_to_get("3.6.15") == "get it with: pyenv install 3.6"
    script(only_path / "bin" / "conda", "")
    assert how_to_get("3.6") == "get it with: conda create --name python3.6 python=3.6"
