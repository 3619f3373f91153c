"""Shared by the unit tests: a cache of their own, and doubling engines for the real worker."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

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
