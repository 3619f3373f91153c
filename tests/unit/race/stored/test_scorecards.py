import math
from pathlib import Path

import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.judge.between_runs.scorecard import scorecard
from bakeoff.judge.case.cautions import rests_on_disturbed
from bakeoff.judge.case.summary import summarise
from bakeoff.judge.figures.statistics import t_quantile
from bakeoff.race.stored.scorecards import from_file, with_absolute_paths, with_relative_paths
from bakeoff.records import Disturbance, Plan, RunRecord, Shaping, Status, Trial

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


def a_results_file(folder: Path, caution: str) -> Path:
    contender = {"name": "a", "engine": "a", "settings": [["threads", 2]], "precision": "fp32", "device": "cpu"}
    canary = {"model": "m", "batch_size": 1, "threads": 1, "version": 2, "started_at": 0.0}
    plan = {"models": ["m"], "contenders": [contender], "batch_sizes": [1], "threads": 2}
    document = {
        "schema": "bakeoff-results/2",
        "run": {"name": "then", "started_at": "2026-11-23T00:00:00+00:00", "bakeoff_version": "0", "plan": plan}
        | {"models": [], "engines": []},
        "machine": {},
        "cases": [
            {
                "contender": contender,
                "model": "m",
                "batch_size": 1,
                "status": "ok",
                "reason": "",
                "framework_version": "1",
                "league": "fp32",
                "fps": 10.0,
                "fps_ci95": [9.0, 11.0],
                "trials": 5,
                "cautions": [caution],
            }
        ],
        "canary": [{"round": number, "calls_per_s": 100.0 + number, **canary} for number in (1, 2, 3)],
    }
    path = folder / "results.json"
    path.write_bytes(msgspec.json.encode(document))
    return path


@pytest.mark.parametrize(
    ("caution", "disturbed"),
    [
        ("disturbed: others used up to 45% of the CPU time in 5 of 5 rounds", True),
        ("disturbed: 2 of 7 rounds left out, since others used the CPUs in them", False),
        ("provisional: 3 rounds", False),
    ],
)
def test_of_a_results_file_the_canary_and_what_others_disturbed_are_known(
    tmp_path: Path, caution: str, disturbed: bool
) -> None:
    card = from_file(a_results_file(tmp_path, caution)).run
    (canary,) = card.canary
    assert (canary.version, canary.threads, sorted(canary.rounds)) == (2, 1, [1, 2, 3])
    assert canary.rounds[2] == pytest.approx(math.log(102.0))
    (score,) = card.scores
    assert score.cautions == (caution,)
    assert score.moments
    assert score.moments.disturbed is disturbed


def test_an_interval_of_a_results_file_is_read_by_its_degrees_of_freedom(tmp_path: Path) -> None:
    def sd(**more: int) -> float:
        path = a_results_file(tmp_path, "")
        document = msgspec.json.decode(path.read_bytes())
        document["cases"][0] |= more
        path.write_bytes(msgspec.json.encode(document))
        moments = from_file(path).run.scores[0].moments
        assert moments
        return moments.sd

    assert sd() == sd(fps_df=4)
    assert sd(fps_df=6) == pytest.approx(sd() * t_quantile(0.975, 4) / t_quantile(0.975, 6))


def test_the_caution_is_the_one_that_a_row_bears() -> None:
    seen = Disturbance(others_cpu_s=1.0, steal_s=0.0, wall_s=1.0, cpus=2.0, resolution_s=0.01)
    case = a_case("a", "m", 1)
    trials = [
        Trial(round=number, case=case, status=Status.OK, measurement=a_measurement([[0.1]]), disturbance=seen)
        for number in (1, 2, 3)
    ]
    run = RunRecord(
        name="r",
        started_at=0.0,
        plan=a_plan(models=("m",), engines=("a",), batch_sizes=(1,)),
        machine={},
        bakeoff_version="0",
    )
    (row,) = summarise(run, trials)
    assert rests_on_disturbed(row.cautions)
    (score,) = scorecard(run, [row], trials).scores
    assert score.disturbed == (1, 2, 3)
    assert score.cautions == row.cautions
