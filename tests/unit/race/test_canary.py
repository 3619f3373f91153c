import importlib.util
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bakeoff.engines.catalogue import BUILT_IN, Catalogue
from bakeoff.errors import EnvironmentUnavailableError, UsageError
from bakeoff.judge.parity import compare
from bakeoff.race import canary
from bakeoff.race.course import Course, Entry, Material
from bakeoff.race.heat import run_heat
from bakeoff.records import CANARY, Case, Installed, ModelRecord, Plan, Status, TensorSpec, Trial

pytestmark = pytest.mark.unit

SPEC = Catalogue.load().hidden[CANARY]
CASES = {Case(engine=engine, model="m", batch_size=size, threads=1) for engine in "ab" for size in (1, 8)}


@pytest.fixture
def bird(tmp_path: Path) -> Entry:
    here = Installed(name="canary", digest="d", path=tmp_path, command=(sys.executable, "-I"))
    entry = canary.entry(SPEC, {SPEC.environment.name: here}, tmp_path)
    assert entry
    return entry


def test_it_is_no_contender() -> None:
    catalogue = Catalogue.load()
    assert CANARY not in catalogue.engines
    assert CANARY not in catalogue.frameworks
    assert SPEC.environment.name in catalogue.environments  # so that `engines remove --unused` spares it
    with pytest.raises(UsageError):
        catalogue.select([CANARY])


def test_its_adapter_gives_the_float64_answers(bird: Entry) -> None:
    spec = importlib.util.spec_from_file_location("canary_adapter", BUILT_IN / "canary" / "adapter.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    engine, task = module.Engine(), bird.task
    assert task
    engine.prepare([[np.load(path) for path in task.material.paths[0]]])
    engine.run(0)
    found, fault = compare([output[np.newaxis] for output in engine.outputs()], task.material.expected[0])
    assert not fault
    assert found.max_rel_error is not None
    assert found.max_rel_error < task.tolerance / 10


def test_its_work_is_the_same_in_every_run(bird: Entry) -> None:
    assert bird.task
    product, convolution = bird.task.material.expected[0]
    assert product[0, 0, 0] == pytest.approx(-7.667633, abs=1e-4)
    assert convolution[0, 0, 0, 0] == pytest.approx(-3.321677, abs=1e-4)


def test_it_runs_under_the_name_and_batch_size_of_the_heat(bird: Entry, tmp_path: Path) -> None:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 3))
    course = Course(
        plan=Plan(models=("m",), engines=(), batch_sizes=(1, 8), threads=1, timeout_s=20.0),
        round=3,
        model=ModelRecord(name="m", digest="d0", weights="seeded", inputs=(tensor,), outputs=(tensor,), classes=3),
        materials=dict.fromkeys((1, 8), Material(paths=(), expected=())),
        tolerance=0.0,
        logs=tmp_path / "logs",
        scratch=tmp_path / "scratch",
        time_is_up=lambda: False,
        say=lambda _: None,
        repeats_help=lambda: False,
    )
    _, cases = canary.join(bird, [], set(), [])
    assert cases == set()
    wanted = {msgspec.structs.replace(case, engine=CANARY) for case in CASES}
    trials = [trial for batch in run_heat(course, [bird], wanted) for trial in batch]
    assert {trial.case for trial in trials} == wanted
    assert [(trial.round, trial.status, trial.reason) for trial in trials] == [(3, Status.OK, "")] * 2


def test_every_part_of_a_heat_has_it_at_the_sizes_that_the_part_races(bird: Entry) -> None:
    a = Entry(engine=msgspec.structs.replace(SPEC, name="a"), installed=bird.installed, model_path=bird.model_path)
    entries, cases = canary.join(bird, [a], {case for case in CASES if case.engine == "b" or case.batch_size == 8}, [])
    assert [entry.engine.name for entry in entries] == ["a", CANARY]
    assert {case.batch_size for case in cases if case.engine == CANARY} == {8}


def test_once_it_has_failed_it_is_left_out(bird: Entry) -> None:
    failed = Trial(
        round=1, case=Case(engine=CANARY, model="m", batch_size=1, threads=1), status=Status.FAILED, reason="why"
    )
    assert canary.join(bird, [], CASES, [failed]) == ([], CASES)


def test_without_its_environment_the_race_goes_on(tmp_path: Path) -> None:
    gone = {SPEC.environment.name: EnvironmentUnavailableError("no network")}
    assert canary.entry(SPEC, gone, tmp_path) is None
    assert canary.entry(None, {}, tmp_path) is None
    assert canary.join(None, [], CASES, []) == ([], CASES)
