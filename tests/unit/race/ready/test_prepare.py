"""What cannot be made of a model for one engine, or in float64, does not end the race."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.unit.made import a_plan

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import EnvironmentUnavailableError, ModelError
from bakeoff.models import sandbox
from bakeoff.models.library import ModelLibrary
from bakeoff.models.sandbox import Limits
from bakeoff.models.sandboxed import tasks
from bakeoff.race.ready import arbitration, prepare
from bakeoff.race.ready.exam import Exam, exam
from bakeoff.records import (
    UNCALIBRATED,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    ModelForm,
    ModelRecord,
    Status,
    TensorSpec,
)

pytestmark = pytest.mark.unit

Run = Callable[..., Any]
REAL: Run = sandbox.run
ANSWER = [np.ones((8, 3, 1), np.float32)]
WAYS: dict[str, tuple[Run, str]] = {
    "time-out": (
        lambda task, arguments, **options: REAL(task, arguments, **options | {"limits": Limits(seconds=0.05)}),
        r"net: stopped after the 0\.05 s that a model may take",
    ),
    "too little memory": (
        lambda task, arguments, **options: REAL(task, arguments, **options | {"limits": Limits(memory_mb=1)}),
        r"net: the model worker died \(.*; it may use 0\.0 GB\)",
    ),
    "unexpected error": (
        lambda task, arguments, **options: REAL(task, arguments | {"colour": "red"}, **options),
        r"net: TypeError: .* unexpected keyword argument 'colour'",
    ),
}
"""how a task fails -> what fails it in a model worker, and what is said of it"""


class Watcher:
    """Remembers what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @contextmanager
    def installing(self) -> Iterator[Any]:
        yield None

    def say(self, what: str) -> None:
        del what

    def note(self, what: str) -> None:
        self.notes.append(what)


FAILURES: dict[str, ModelError] = {}
"""how a task fails -> what came of it the first time: another process would take its time to say the same"""


def fail(task: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `task` fail in a model worker; all others are done, without a process for each."""

    def run(name: str, arguments: dict[str, Any], **options: Any) -> Any:
        if name == task:
            if way not in FAILURES:
                with pytest.raises(ModelError) as caught:
                    WAYS[way][0](name, arguments, **options)
                FAILURES[way] = caught.value
            raise FAILURES[way]
        return tasks.TASKS[name](report=lambda _: None, **arguments)

    monkeypatch.setattr(sandbox, "run", run)
    monkeypatch.setattr(prepare, "install", lambda engines, _: {engine.environment.name: None for engine in engines})
    monkeypatch.setattr(arbitration, "unoptimised", lambda _: "the arbiter")
    monkeypatch.setattr(arbitration, "answers", lambda *_: ANSWER)
    monkeypatch.setattr(arbitration, "answers_to", lambda *_: [[ANSWER[0][:3]]])


def engine(name: str, form: str, folder: Path) -> EngineSpec:
    return EngineSpec(
        name=name,
        title=name,
        framework="test",
        release="today",
        league="fp32",
        adapter=folder,
        environment=EnvironmentSpec(name="here", kind="uv", lock=folder),
        model=ModelForm(format=form),
    )


def prepared(folder: Path, watcher: Watcher) -> prepare.Preparation:
    """Of a network whose ReduceMean reduces over a constant list of no axes, for an engine of each form."""
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, size]) for name, size in (("x", 8), ("y", 1))
    )
    nodes = [
        helper.make_node("ReduceMean", ["x", "none"], ["mean"]),
        helper.make_node("ReduceMean", ["x", "last"], ["means"]),
        helper.make_node("Add", ["mean", "means"], ["y"]),
    ]
    axes = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in (("none", []), ("last", [2]))]
    graph = helper.make_graph(nodes, "g", [x], [y], axes)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), folder / "net.onnx")
    library = ModelLibrary(folder / "cache")
    model = library.add(folder / "net.onnx", name="net")
    engines = [engine("graph", "plain", folder), engine("reader", "onnx", folder)]
    here = Installed(name="here", digest="d", path=folder, command=("python",))
    standing: dict[str, Installed | EnvironmentUnavailableError] = {"here": here}
    plan = a_plan(models=("net",), engines=("graph", "reader"), batch_sizes=(1, 2), threads=1)
    by_name = {engine.name: engine for engine in engines}
    catalogue = Catalogue({**by_name, prepare.ARBITER: by_name["reader"]}, {}, {})
    return prepare.prepare(plan, {"net": model}, catalogue, standing, library, watcher)


@pytest.mark.parametrize("way", WAYS)
def test_a_form_that_is_not_made_is_a_failed_row_of_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    _, reason = WAYS[way]
    fail("lower", way, monkeypatch)
    ready = prepared(tmp_path, Watcher())
    assert [runnable.name for runnable in ready.runnables["net"]] == ["reader"]
    assert [(trial.case.contender.name, trial.case.batch_size) for trial in ready.unready] == [
        ("graph", 1),
        ("graph", 2),
    ]
    assert {trial.status for trial in ready.unready} == {Status.FAILED}
    assert ready.exams["net"].model.reference == "float64, each batch as a whole"
    assert re.search(reason, ready.unready[0].reason)


@pytest.mark.parametrize("way", WAYS)
def test_without_a_float64_reference_the_arbiter_judges_and_a_note_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    _, reason = WAYS[way]
    fail("extend_reference", way, monkeypatch)
    watcher = Watcher()
    ready = prepared(tmp_path, watcher)
    assert [runnable.name for runnable in ready.runnables["net"]] == ["graph", "reader"]
    assert not ready.unready
    assert ready.exams["net"].model.reference == "ONNX Runtime without optimisations"
    assert ready.exams["net"].reference == ANSWER
    assert re.search(f"^no float64 reference: {reason}", watcher.notes[0])


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_cannot_be_calibrated_has_fixed_tolerances_and_a_note_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    _, reason = WAYS[way]
    fail("extend_rounded", way, monkeypatch)
    watcher = Watcher()
    ready = prepared(tmp_path, watcher)
    assert not ready.unready
    assert ready.exams["net"].model.tolerances == UNCALIBRATED
    assert ready.exams["net"].model.reference == "float64, each batch as a whole"  # a mean over no axes is over all
    assert re.search(f"{reason}.*; its tolerance is a fixed number$", watcher.notes[0])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 12])
def test_every_sample_given_is_raced_or_kept_back(size: int, tmp_path: Path) -> None:
    """At batch 1 a stride over eight alternating samples would meet those of one kind alone."""
    np.save(tmp_path / "x.npy", np.arange(8.0, dtype=np.float32).reshape(8, 1))
    model = ModelRecord(
        name="m",
        digest="",
        weights="",
        inputs=(TensorSpec(name="x", dtype="float32", shape=(None, 1)),),
        outputs=(TensorSpec(name="y", dtype="float32", shape=(None, 1)),),
    )
    made = Exam(model, [tmp_path / "x.npy"], [np.arange(8.0).reshape(8, 1)]).input_sets(size, tmp_path)
    assert made.fresh is not None
    assert made.fresh.sets == 1
    assert made.sets >= 3
    sets = [*zip(made.paths, made.expected, strict=True), *zip(made.fresh.paths, made.fresh.expected, strict=True)]
    rows = [np.load(path).ravel() for [path], _ in sets]
    assert {*np.concatenate(rows)} == {*range(8)}
    assert all(np.array_equal(row, expected.ravel()) for row, (_, [expected]) in zip(rows, sets, strict=True))
    assert len({tuple(row) for row in rows}) == len(rows)


def centred(folder: Path) -> ModelRecord:
    """A network that takes the mean over its batch away, and one output that does not."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8]) for name in ("x", "y", "z")]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0]),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
        helper.make_node("Relu", ["x"], ["z"]),
    ]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "net.onnx")
    return ModelLibrary(folder / "cache").add(folder / "net.onnx", name="net")


def test_where_an_answer_depends_on_the_batch_each_batch_is_judged_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail("nothing", "never", monkeypatch)
    model, watcher = centred(tmp_path), Watcher()

    def made(*sizes: int, model: ModelRecord = model) -> Exam:
        plan = a_plan(models=("net",), engines=(), batch_sizes=sizes, threads=1)
        samples = ModelLibrary(tmp_path / "cache").samples(model, 0, 8)
        return exam(plan, samples, [], watcher, lambda: (Status.UNAVAILABLE, ""))

    assert made(1).by_batch is None
    assert not watcher.notes
    both = made(1, 4)
    assert both.model.reference == "float64, each batch as a whole"
    assert watcher.notes == ["net: an answer depends on the others in its batch, so each batch is judged as a whole"]
    for size in (1, 4):
        sets = both.input_sets(size, tmp_path / str(size))
        for [file], (y, z) in zip(sets.paths, sets.expected, strict=True):
            x = np.load(file).astype(np.float64)
            np.testing.assert_allclose(y.astype(np.float64), x - x.mean(axis=0), atol=1e-15)
            np.testing.assert_array_equal(z, np.maximum(x, 0))
    # A run that goes on says the same of it, and computes nothing again.
    monkeypatch.setattr(sandbox, "run", None)
    again = made(1, 4, model=both.model)
    assert again.model == both.model
    assert all(map(np.array_equal, again.input_sets(4, tmp_path / "again").expected[0], sets.expected[0]))
