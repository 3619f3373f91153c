"""The structure that docs/design.md promises, held against the code."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bakeoff

pytestmark = pytest.mark.unit

SOURCE = Path(bakeoff.__file__).parent
LAYERS = [
    {"cli", "api"},
    {"views", "ship"},
    {"race"},
    {"report"},
    {"engines", "models", "worker", "judge", "machine", "store"},
    {"environments", "scorecards"},
    {"records", "errors", "paths", "locks", "interrupts", "fenced", "processes", "__init__"},
    {"printable"},
]
ENGINES = SOURCE / "engines"
SANDBOXED = SOURCE / "models" / "sandboxed"


def layer_of(part: str) -> int:
    return next(i for i, parts in enumerate(LAYERS) if part in parts)


def statements(of: ast.AST) -> Iterator[ast.AST]:
    """The statements in one, however deep; no expression, which is where most of a tree's nodes are, imports."""
    for node in ast.iter_child_nodes(of):
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield node
            yield from statements(node)


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """The dotted names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def parts_imported(path: Path) -> set[str]:
    """The parts of bakeoff that a file imports."""
    names = imported(path)
    return {name.split(".")[1] for name in names if name.startswith("bakeoff.") and name != "bakeoff.__version__"}


def own_files() -> list[Path]:
    """Every file that runs in bakeoff's own environment; those in engines' folders run in environments of theirs."""
    return [path for path in SOURCE.rglob("*.py") if path.parent.parent != ENGINES]


def controller_files() -> list[Path]:
    """Every file that the controller runs; the model worker runs the others of our own."""
    return [path for path in own_files() if not path.is_relative_to(SANDBOXED)]


def frameworks() -> set[str]:
    """The packages that engines' folders import, without the standard library, numpy and the folders' own files."""
    files = list(ENGINES.glob("*/*.py"))
    names = {name.split(".")[0] for path in files for name in imported(path)}
    return names - sys.stdlib_module_names - {"numpy", "bakeoff"} - {path.stem for path in files}


def test_imports_point_one_way() -> None:
    assert len(own_files()) > 200
    for path in own_files():
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if own in {"__main__", "__init__"}:  # the two doors: what they open, they import when asked
            continue
        for part in parts_imported(path) - {own}:
            assert layer_of(part) > layer_of(own) or part == "__init__", f"{path}: {own} may not import {part}"


def test_the_controller_opens_no_model_and_imports_no_framework() -> None:
    others = {"onnx"} | frameworks()
    for path in controller_files():
        names = imported(path)
        assert not {name.split(".")[0] for name in names} & others, path
        assert not [name for name in names if name.startswith("bakeoff.models.sandboxed")], path


def test_the_frameworks_are_those_of_the_engines_folders() -> None:
    known = {"torch", "tensorflow", "keras", "onnxruntime", "openvino", "caffe2", "jax", "mxnet", "ngraph"}
    assert known < frameworks()


def test_help_imports_nothing_heavy() -> None:
    heavy = "numpy, onnx, sqlalchemy, alembic, rich, psutil, msgspec"
    code = f"import sys, bakeoff, bakeoff.cli; print([m for m in '{heavy}'.split(', ') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
