"""Packs with wheels, verified in a fresh environment without network: `make ship-all`. test_report.py ships one."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(os.environ.get("BAKEOFF_SHIP") != "all", reason="half a gigabyte of wheels: make ship-all"),
]

ENGINES = (
    *("onnxruntime", "onnxruntime-openvino", "openvino", "pytorch", "tensorflow", "keras"),
    *("jax", "litert", "ncnn", "mnn", "tract"),
)


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory, bakeoff_in: Callable[[Path], Any]) -> Any:
    bakeoff = bakeoff_in(tmp_path_factory.mktemp("ship"))
    result = bakeoff(
        "run", "resnet-tiny", "--engines", ",".join(ENGINES), "--batch", "2", "--rounds", "1", "--no-profile"
    )
    assert result.code == 0, result.err
    return bakeoff


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engines_pack_verifies_from_its_wheels_without_network(raced: Any, tmp_path: Path, engine: str) -> None:
    pack = tmp_path / "pack"
    shipped = raced("ship", "latest", "--contender", engine, "--wheels", "--to", str(pack))
    assert shipped.code == 0, shipped.err
    no_network = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9") | {"UV_OFFLINE": "1"}
    verified = raced("verify", str(pack), "--seconds", "0.5", UV_CACHE_DIR=str(tmp_path / "uv"), **no_network)
    assert verified.code == 0, verified.out + verified.err
    assert "note: " not in verified.out


def test_the_steps_of_the_dockerfile_make_an_environment_in_which_the_pack_verifies(raced: Any, tmp_path: Path) -> None:
    """By hand, in a folder of its own: not every machine that tests has Docker."""
    pack = tmp_path / "pack"
    shipped = raced("ship", "latest", "--contender", "onnxruntime", "--docker", "--to", str(pack))
    assert shipped.code == 0, shipped.err
    lines = [line.partition(" ") for line in (pack / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    assert [word for word, _, _ in lines] == ["FROM", "WORKDIR", "COPY", "RUN", "RUN", "ENTRYPOINT"]
    assert lines[0][2] == "python:3.11-slim"
    subprocess.run(["python3.11", "-m", "venv", str(tmp_path / "image")], check=True)
    for word, _, command in lines:
        if word == "RUN":
            program, *arguments = shlex.split(command)
            assert program == "python"
            subprocess.run([str(tmp_path / "image" / "bin" / program), *arguments], cwd=pack, check=True)
