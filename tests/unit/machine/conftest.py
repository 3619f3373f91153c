"""Roots with recorded files in them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture
def record(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Write files, by their paths under a root, and return the root; what was there before stays."""

    def write(files: Mapping[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return tmp_path / "root"

    return write
