from pathlib import Path

import msgspec
import pytest
from tests.unit.made import a_case, a_plan, a_row, the_results

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.models.library import ModelLibrary
from bakeoff.race.stored.recipes import choose, recipe_of, winners
from bakeoff.records import Case, Load, ModelRecord, RunRecord, Status, Summary, Verdict
from bakeoff.store import Store

pytestmark = pytest.mark.unit

PLAN = a_plan(models=("small", "large"), engines=("a", "b"), batch_sizes=(1, 8), threads=2)
RUN = RunRecord(name="r", started_at=0.0, plan=PLAN, machine={}, bakeoff_version="0")
LEADERS = {("small", 1): "a", ("small", 8): "b", ("large", 1): "b", ("large", 8): "b"}
VERDICTS = [
    Verdict(
        model=model,
        batch_size=size,
        league="fp32",
        device="cpu",
        leader=leader,
        standings=(),
        sentence="",
    )
    for (model, size), leader in LEADERS.items()
]


def row(case: Case) -> Summary:
    measured = (case.contender.name, case.model, case.batch_size) != ("a", "large", 8)
    return a_row(
        case,
        status=Status.OK if measured else Status.FAILED,
        framework_version="1",
        fps=1.0 if measured else None,
        trials=1,
    )


RESULTS = the_results(RUN, [row(case) for case in PLAN.cases()], VERDICTS)


def key(found: Summary) -> tuple[str, str, int]:
    return found.case.contender.name, found.case.model, found.case.batch_size


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ((None, None, None), ("a", "small", 1)),
        ((None, None, 8), ("b", "small", 8)),
        ((None, "large", None), ("b", "large", 1)),
        (("a", "large", None), ("a", "large", 1)),
    ],
)
def test_what_is_not_named_is_the_first_model_the_smallest_batch_and_its_leader(
    wanted: tuple[str | None, str | None, int | None], chosen: tuple[str, str, int]
) -> None:
    assert key(choose(RESULTS, *wanted)) == chosen


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("openvno", None, None), "no engine openvno"),
        ((None, "larg", None), "no model larg"),
        ((None, None, 3), "no batch size 3"),
        (("a", "large", 8), "a, large, batch 8 is failed in run r"),
        (("a", "medium", None), "no model medium"),
    ],
)
def test_what_a_run_did_not_measure_is_an_error(
    wanted: tuple[str | None, str | None, int | None], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose(RESULTS, *wanted)


def test_a_report_has_each_winner_once_for_a_model() -> None:
    found = [key(each) for each in winners(RESULTS)]
    assert found == [("a", "small", 1), ("b", "small", 8), ("b", "large", 1)]


def test_a_recipe_has_the_threads_of_one_instance_where_several_shared_them_under_load(tmp_path: Path) -> None:
    raced = msgspec.structs.replace(
        row(a_case(engine="onnxruntime", model="small", batch_size=1, threads=4)),
        load=Load(scenario="offline", instances=2, threads=2, rate=10.0, queries=100),
    )
    model = ModelRecord(name="small", digest="1" * 64, weights="seeded", inputs=(), outputs=())
    run = msgspec.structs.replace(RUN, models=(model,))
    with Store.open(tmp_path) as store:
        script = recipe_of(run, raced, store, Catalogue.load(), ModelLibrary(tmp_path)).script
    assert "with 2 threads, one of 2 instances" in script
    assert "\nTHREADS = 2\n" in script
