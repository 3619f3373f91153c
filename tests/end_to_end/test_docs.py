"""Every command that the documents show is run, page by page, in the order in which a reader would; the site builds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.end_to_end.documented import PAGES, ROOT, Step, steps

pytestmark = pytest.mark.end_to_end

BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None or sys.platform == "win32", reason="the documents' commands are for a POSIX shell")
@pytest.mark.parametrize("page", [page for page in PAGES if any(not step.cannot_run for step in steps(page))])
def test_the_commands_of_a_page_do_what_it_says(
    page: str, tmp_path: Path, rogues: str, request: pytest.FixtureRequest
) -> None:
    values = {"engines": rogues}
    if any("postgresql://" in step.text for step in steps(page)):
        values["postgres"] = request.getfixturevalue("postgres_url")
    a_users_files(tmp_path)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done: set[str] = set()
    for step in steps(page):
        command = step.substituted(**values)
        if step.cannot_run or command in done:
            continue
        done.add(command)
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            environment[name] = value.strip("'")
            done.clear()  # what follows is not the same any more
            continue
        result = run(step, command, tmp_path, environment)
        assert result.returncode in step.codes, f"{step.text}\n{command}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr, result.stderr


def run(step: Step, command: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """As it is typed into a shell, or given to Python."""
    # A notebook's later cells have what its first one imported.
    words = [sys.executable, "-c", f"import bakeoff\n{command}"] if step.python else [str(BASH), "-ec", command]
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=550
    )


def a_users_files(folder: Path) -> None:
    """A network with open height and width, and samples for it, by all the names that pages call them."""
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w"], ["features"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["features"], ["output"]),
        ],
        "net",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, "height", "width"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 4, 1, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "models").mkdir()
    onnx.save(model, folder / "model.onnx")
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = 32
    graph.input[0].type.tensor_type.shape.dim[3].dim_value = 32
    onnx.save(helper.make_model(graph, opset_imports=model.opset_import, ir_version=8), folder / "models" / "mine.onnx")
    np.savez(folder / "data.npz", input=np.random.default_rng(1).random((8, 3, 32, 32), np.float32))


def test_the_site_builds_without_a_warning_and_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    built = subprocess.run(
        [*sphinx, "-d", str(tmp_path / "doctrees"), "docs", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in ("index", "cli", "method", "reference/python", "reference/columns", "tutorial/first-table"):
        assert (tmp_path / "site" / f"{page}.html").is_file()
    api = (tmp_path / "site" / "reference" / "python.html").read_text(encoding="utf-8")
    assert 'id="bakeoff.race"' in api
    assert 'id="bakeoff.Run.verdict"' in api
    assert "images per second: geometric mean over trials" in api
