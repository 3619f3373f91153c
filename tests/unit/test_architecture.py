"""The structure that docs/design.md promises, held against the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bakeoff

pytestmark = pytest.mark.unit

SOURCE = Path(bakeoff.__file__).parent
LAYERS = [
    {"cli", "api"},
    {"views"},
    {"race"},
    {"engines", "environments", "models", "worker", "judge", "machine", "store", "report"},
    {"scorecards"},
    {"records", "errors", "paths", "offline", "limited", "__init__"},
]
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnxruntime", "openvino", "caffe2", "jax", "mxnet", "ngraph"}


def layer_of(part: str) -> int:
    return next(i for i, parts in enumerate(LAYERS) if part in parts)


def parts_imported(path: Path) -> set[str]:
    """The parts of bakeoff that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("bakeoff.") and name != "bakeoff.__version__"}


def controller_files() -> list[Path]:
    """Everything that the controller runs: adapters belong to other environments."""
    return [p for p in SOURCE.rglob("*.py") if p.parent.parent != SOURCE / "engines"]


@pytest.mark.parametrize("path", controller_files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own in {"__main__", "__init__"}:  # the two doors: what they open, they import when asked
        return
    for part in parts_imported(path) - {own}:
        assert layer_of(part) > layer_of(own) or part == "__init__", f"{own} may not import {part}"


@pytest.mark.parametrize("path", controller_files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_the_controller_imports_no_framework(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        assert not {module.split(".")[0] for module in modules} & FRAMEWORKS


def test_help_imports_nothing_heavy() -> None:
    heavy = "numpy, onnx, sqlalchemy, alembic, rich, psutil, msgspec"
    code = f"import sys, bakeoff, bakeoff.cli; print([m for m in '{heavy}'.split(', ') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
