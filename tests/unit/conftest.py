"""Shared by the unit tests: a cache of their own, and doubling engines for the real worker."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import ModelError
from bakeoff.models import sandbox

DOUBLER = """
import os, sys, time
import numpy as np

class Engine:
    def describe(self):
        return {"version": "1.0"}
    def load(self, model, settings):
        self.settings = settings
        return {"threads": settings["threads"]}
    def prepare(self, input_sets):
        self.sets = [inputs[0] for inputs in input_sets]
    def run(self, k):
        self.result = self.sets[k] * np.float32(2)
    def outputs(self):
        return [self.result]
    def close(self):
        pass
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("BAKEOFF_CACHE", str(cache))
    return cache


@pytest.fixture
def adapter(tmp_path: Path) -> Callable[..., Path]:
    """Write an adapter that doubles its input; `methods` replaces some of its methods."""

    def write(methods: str = "", name: str = "adapter") -> Path:
        path = tmp_path / "adapters" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(DOUBLER + textwrap.indent(textwrap.dedent(methods), "    "), encoding="utf-8")
        return path

    return write


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model worker's tasks without a process for each, which takes half a second: test_sandbox.py has those."""
    from bakeoff.models.sandboxed import tasks  # noqa: PLC0415 - onnx, for those who ask alone

    def run(
        task: str,
        arguments: dict[str, Any],
        *,
        report: sandbox.Report | None = None,
        what: str = "",
        **_options: object,
    ) -> Any:
        try:
            done = tasks.TASKS[task](report=report or (lambda _: None), **json.loads(json.dumps(arguments)))
        except ModelError as error:
            raise type(error)(f"{what}: {error}", error.advice) from error
        return json.loads(json.dumps(done))

    monkeypatch.setattr(sandbox, "run", run)
