import importlib.util
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_contender, a_plan

from bakeoff.engines.catalogue import BUILT_IN, Catalogue
from bakeoff.errors import EnvironmentUnavailableError, UsageError
from bakeoff.judge.case.parity import compare
from bakeoff.race.heats import canary
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.heat import run_heat
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import CANARY, Installed, ModelRecord, Status, TensorSpec, Trial

pytestmark = pytest.mark.unit

SPEC = Catalogue.load().hidden[CANARY]
CASES = {a_case(engine=engine, model="m", batch_size=size, threads=1) for engine in "ab" for size in (1, 8)}


@pytest.fixture
def canary_runnable(tmp_path: Path) -> Runnable:
    here = Installed(name="canary", digest="d", path=tmp_path, command=(sys.executable, "-I"))
    runnable = canary.runnable(SPEC, {SPEC.environment.name: here}, tmp_path)
    assert runnable
    return runnable


def test_it_is_no_contender() -> None:
    catalogue = Catalogue.load()
    assert CANARY not in catalogue.engines
    assert CANARY not in catalogue.frameworks
    assert SPEC.environment.name in catalogue.environments  # so that `engines remove --unused` spares it
    with pytest.raises(UsageError):
        catalogue.select([CANARY])


def test_it_runs_on_one_thread_whatever_is_raced(canary_runnable: Runnable) -> None:
    """Its runner has no word of the plan's threads: as many in every run, and a version that says so."""
    assert canary_runnable.settings(8) == {"threads": 1, "version": 2, "precision": "fp32", "batch_size": 8}
    assert canary_runnable.env["OMP_NUM_THREADS"] == "1"


def test_its_adapter_gives_the_float64_answers(canary_runnable: Runnable) -> None:
    spec = importlib.util.spec_from_file_location("canary_adapter", BUILT_IN / "canary" / "adapter.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    engine, task = module.Engine(), canary_runnable.task
    assert task
    engine.prepare([[np.load(path) for path in task.sets.paths[0]]])
    engine.run(0)
    found, fault = compare([output[np.newaxis] for output in engine.outputs()], task.sets.expected[0])
    assert not fault
    assert found.max_rel_error is not None
    assert found.max_rel_error < task.tolerance / 10


def test_its_work_is_the_same_in_every_run(canary_runnable: Runnable) -> None:
    assert canary_runnable.task
    product, convolution = canary_runnable.task.sets.expected[0]
    assert product[0, 0, 0] == pytest.approx(-7.667633, abs=1e-4)
    assert convolution[0, 0, 0, 0] == pytest.approx(-3.321677, abs=1e-4)


def test_it_runs_under_the_name_and_batch_size_of_the_heat(canary_runnable: Runnable, tmp_path: Path) -> None:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 3))
    context = HeatContext(
        plan=a_plan(models=("m",), engines=(), batch_sizes=(1, 8), threads=1, timeout_s=20.0),
        round=3,
        model=ModelRecord(name="m", digest="d0", weights="seeded", inputs=(tensor,), outputs=(tensor,), classes=3),
        inputs=dict.fromkeys((1, 8), InputSets(paths=(), expected=())),
        tolerance=0.0,
        logs=tmp_path / "logs",
        scratch=tmp_path / "scratch",
        time_is_up=lambda: False,
        say=lambda _: None,
        repeats_help=lambda: False,
    )
    _, cases = canary.join(canary_runnable, [], set(), [])
    assert cases == set()
    wanted = {msgspec.structs.replace(case, contender=canary_runnable.contender) for case in CASES}
    trials = [trial for batch in run_heat(context, [canary_runnable], wanted) for trial in batch]
    assert {trial.case for trial in trials} == wanted
    assert [(trial.round, trial.status, trial.reason) for trial in trials] == [(3, Status.OK, "")] * 2


def test_every_part_of_a_heat_has_it_at_the_sizes_that_the_part_races(canary_runnable: Runnable) -> None:
    a = Runnable(
        contender=a_contender("a"),
        engine=msgspec.structs.replace(SPEC, name="a"),
        installed=canary_runnable.installed,
        model_path=canary_runnable.model_path,
    )
    runnables, cases = canary.join(
        canary_runnable, [a], {case for case in CASES if case.contender.name == "b" or case.batch_size == 8}, []
    )
    assert [runnable.name for runnable in runnables] == ["a", CANARY]
    assert {case.batch_size for case in cases if case.contender.name == CANARY} == {8}


def test_once_it_has_failed_it_is_left_out(canary_runnable: Runnable) -> None:
    failed = Trial(
        round=1, case=a_case(engine=CANARY, model="m", batch_size=1, threads=1), status=Status.FAILED, reason="why"
    )
    assert canary.join(canary_runnable, [], CASES, [failed]) == ([], CASES)


def test_without_its_environment_the_race_goes_on(tmp_path: Path) -> None:
    gone = {SPEC.environment.name: EnvironmentUnavailableError("no network")}
    assert canary.runnable(SPEC, gone, tmp_path) is None
    assert canary.runnable(None, {}, tmp_path) is None
    assert canary.join(None, [], CASES, []) == ([], CASES)
