from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.made import a_plan

from bakeoff.cli.run import run
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.race import race
from bakeoff.race.asking.machine import Machine, this_machine
from bakeoff.race.asking.plan import make_plan, with_more_time
from bakeoff.records import EngineSpec, Plan, Request, RunRecord, Scenario
from bakeoff.report.command import command_line

pytestmark = pytest.mark.unit


def planned(machine: Machine | None = None, **asked: Any) -> Plan:
    return make_plan(Request(**asked), Catalogue.load(), machine or this_machine())


def without_request(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, request=None)


def test_a_file_goes_by_its_own_name_and_is_remembered_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = planned(models=("resnet18", "./net.onnx", "net.onnx"))
    assert plan.models == ("resnet18", "net.onnx")
    assert plan.files == {"net.onnx": str(tmp_path / "net.onnx")}


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match=r"two models are called net\.onnx: .*\ba\W+net\.onnx and .*\bb\W+net\.onnx"):
        planned(models=("a/net.onnx", "b/net.onnx"))


@pytest.mark.parametrize(("elapsed_s", "budget_s"), [(40, 130), (100, 130), (112, 142)])
def test_more_time_comes_on_top_of_what_is_left_of_the_budget(elapsed_s: float, budget_s: float) -> None:
    run = RunRecord(
        name="r",
        started_at=0.0,
        plan=planned(budget_s=100),
        machine={},
        bakeoff_version="0",
        elapsed_s=elapsed_s,
    )
    assert with_more_time(run, 30).budget_s == budget_s
    assert with_more_time(run, 0) == run.plan


def test_shapes_without_a_model_of_ones_own_are_refused() -> None:
    with pytest.raises(UsageError, match="--shape, --batch-axis and --input are for models of your own"):
        planned(models=("resnet18",), batch_axis=("none",))


def test_weights_for_models_that_have_their_own_are_refused(tmp_path: Path) -> None:
    own = tmp_path / "mine.onnx"
    own.write_bytes(b"")
    with pytest.raises(UsageError, match="--weights trained: a model of your own has weights of its own"):
        planned(models=(str(own),), weights="trained")
    assert planned(models=(str(own), "resnet18"), weights="trained").weights == "trained"


def test_labelled_pictures_are_refused_where_the_weights_know_nothing() -> None:
    with pytest.raises(UsageError, match="--data: seeded weights recognise nothing"):
        planned(models=("resnet18",), data="pictures")


def test_what_is_installed_is_a_group_and_can_be_left_out() -> None:
    def installed(engine: EngineSpec) -> bool:
        return engine.name in {"onnxruntime", "jax"}

    machine = Machine(cpus=2, installed=installed)
    assert planned(machine, engines=("installed",)).names == ("jax", "onnxruntime")
    left = planned(machine, engines=("study", "jax"), exclude=("installed",)).names
    assert "openvino" in left
    assert not {"onnxruntime", "jax"} & {*left}


def test_a_model_without_a_batch_axis_has_one_case_an_engine() -> None:
    plan = a_plan(models=("a", "b"), engines=("x",), batch_sizes=(1, 2), threads=1, fixed_batches={"b": 7})
    assert [(case.model, case.batch_size) for case in plan.cases()] == [("a", 1), ("a", 2), ("b", 7)]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"scenario": Scenario.OFFLINE, "batch_sizes": (1, 2)}, "--scenario offline sends samples one by one"),
        ({"scenario": Scenario.SERVER, "profile": True}, "--scenario server has no profile trials"),
        ({"scenario": Scenario.OFFLINE, "latency_bound_s": 0.05}, "--latency-bound is for --scenario server"),
        ({"scenario": "sometimes"}, "no scenario 'sometimes'"),
        ({"scenario": Scenario.SERVER, "latency_bound_s": 0.0}, "nothing answers in no time"),
        ({"latency_bound_s": 0.05}, "--latency-bound is for --scenario server"),
        ({"scenario": Scenario.OFFLINE, "data": "p"}, "--data: --scenario offline classifies no pictures"),
    ],
)
def test_flags_that_a_scenario_cannot_mean_are_refused(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        planned(**wish)


def test_under_load_samples_come_one_by_one_and_there_are_no_profiles() -> None:
    plan = planned(scenario=Scenario.OFFLINE)
    assert (plan.batch_sizes, plan.profile) == ((1,), False)


@pytest.mark.parametrize(
    "load", [{"scenario": Scenario.OFFLINE}, {"scenario": Scenario.SERVER, "latency_bound_s": 0.05}]
)
def test_the_command_line_of_a_load_scenario_makes_its_plan_again(
    load: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(models=("resnet18",), engines=("onnxruntime",), **load)
    assert plan_of(command_line(plan), tmp_path, monkeypatch) == without_request(plan)


@pytest.mark.parametrize("given", ["python", "requirements"])
def test_the_command_line_of_a_model_that_code_builds_makes_its_plan_again(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    plan = planned(models=("shop.nets:detector",), machine=None, **{given: str(tmp_path / "file")})
    assert plan_of(command_line(plan), tmp_path, monkeypatch) == without_request(plan)


def plan_of(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """What `bakeoff run` makes of a command line."""
    made: list[Plan] = []

    def keep(given: Plan, *_: object) -> None:
        made.append(given)
        raise KeyboardInterrupt

    monkeypatch.setattr(race, "start", keep)
    CliRunner().invoke(run, [*command.split()[2:], "--output", str(folder / "results")])
    return without_request(made[0])


def test_the_command_line_of_a_plan_makes_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.npz").touch()
    plan = planned(
        models=(str(tmp_path / "net.onnx"), "resnet18"),
        batch_sizes=(1,),
        shapes={"x": (1, 3), "t": (9,)},
        batch_axis=("x=0",),
        inputs=str(tmp_path / "data.npz"),
        weights="trained",
        data=str(tmp_path / "pictures"),
        indifference=0.05,
        target_ci=0.01,
    )
    assert plan_of(command_line(plan), tmp_path, monkeypatch) == without_request(plan)


def test_a_race_is_as_precise_as_what_its_user_would_act_on() -> None:
    assert (planned().indifference, planned().target_ci) == (0.02, 0.02)
    wide = planned(indifference=0.1)
    assert (wide.indifference, wide.target_ci) == (0.1, 0.1)
    assert planned(indifference=0.1, target_ci=0.0).target_ci == 0.0
