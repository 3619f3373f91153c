"""The installed command in a process of its own, as a user types it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).with_name("bakeoff"))


@dataclass(frozen=True)
class Result:
    """What a user sees of a finished command."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> dict[tuple[str, int], dict[str, Any]]:
        """The cases of `--json`, by engine and batch size."""
        return {(case["engine"], case["batch_size"]): case for case in json.loads(self.out)["cases"]}


@dataclass(frozen=True)
class Bakeoff:
    """`bakeoff` as typed in `folder`."""

    folder: Path

    def __call__(self, *arguments: str, **env: str) -> Result:
        """Run it to its end."""
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=550)
        return Result(process.returncode, out, err)

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        """Start it and go on."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )


@pytest.fixture(scope="session")
def bakeoff_in() -> Callable[[Path], Bakeoff]:
    return Bakeoff


@pytest.fixture
def bakeoff(tmp_path: Path) -> Bakeoff:
    return Bakeoff(tmp_path)


@pytest.fixture(scope="session")
def rogues() -> str:
    """The folder of engines that misbehave, and an honest one."""
    return str(Path(__file__).parents[1] / "rogues")
