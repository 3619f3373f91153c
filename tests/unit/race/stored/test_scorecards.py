from pathlib import Path

import pytest
from tests.unit.made import a_plan

from bakeoff.race.stored.scorecards import with_absolute_paths, with_relative_paths
from bakeoff.records import Plan, Shaping

pytestmark = pytest.mark.unit


def a_plan_of_files(root: Path, elsewhere: Path) -> Plan:
    return a_plan(
        models=("mine.onnx", "theirs.onnx"),
        engines=("e",),
        batch_sizes=(1,),
        threads=1,
        weights=str(root / "weights.pth"),
        engines_dirs=(str(root / "engines"),),
        files={"mine.onnx": str(root / "models" / "mine.onnx"), "theirs.onnx": str(elsewhere / "theirs.onnx")},
        python=str(root / ".venv" / "bin" / "python"),
        requirements=str(root / "requirements.txt"),
        shaping=Shaping(data=str(root / "data.npz")),
    )


def test_files_of_a_repository_are_found_in_another_checkout_of_it(tmp_path: Path) -> None:
    first, second, elsewhere = tmp_path / "first", tmp_path / "second", tmp_path / "elsewhere"
    there = with_relative_paths(a_plan_of_files(first, elsewhere), first)
    assert (there.files["mine.onnx"], there.weights, there.shaping.data) == (
        "models/mine.onnx",
        "weights.pth",
        "data.npz",
    )
    assert (there.python, there.requirements) == (".venv/bin/python", "requirements.txt")
    assert with_absolute_paths(there, second) == with_absolute_paths(a_plan_of_files(second, elsewhere), second)


def test_the_weights_that_bakeoff_knows_by_name_are_no_file(tmp_path: Path) -> None:
    plan = a_plan(models=("resnet18",), engines=("e",), batch_sizes=(1,), threads=1)
    assert with_absolute_paths(with_relative_paths(plan, tmp_path), tmp_path) == plan
