"""`import bakeoff`: what programs and notebooks get of stored runs."""

import inspect
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.stored_runs import keep

import bakeoff
from bakeoff import api
from bakeoff.cli import bakeoff as command
from bakeoff.cli.run import run as run_command
from bakeoff.cli.tune import tune as tune_command
from bakeoff.judge.results import Results
from bakeoff.records import Accuracy, Load, Scenario, Trial
from bakeoff.report import columns, json_file

pytestmark = pytest.mark.unit

RENAMED = {
    "store_url": "store",
}
ONLY_TYPED = {"as_json"}
"""options that say how to print"""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    keep(tmp_path / "out", "2026-11-23-1", 10.0, "before")
    keep(tmp_path / "out", "2026-11-23-2", 20.0, "after")
    return tmp_path / "out"


def test_a_stored_run_tells_its_table_its_verdict_and_its_cases(output: Path) -> None:
    run = bakeoff.stored("before", output=output)
    assert run.name == "2026-11-23-1"
    assert [(case.case.contender.name, case.trials) for case in run.cases] == [("fast", 6), ("slow", 6)]
    assert run.table().startswith("tiny: use fast; slow is at least 2.0x slower\n\nrun 2026-11-23-1")
    assert run.answer() == "tiny: use fast; slow is at least 2.0x slower"
    assert run.verdict().startswith("tiny, batch 1: fast is 2.0")
    assert run.verdicts[0].leader == "fast"
    assert "| fast |" in run._repr_markdown_()
    assert repr(run) == "<Run 2026-11-23-1, finished: 2 engines on tiny>"


def test_runs_and_engines_are_compared_as_the_command_does(output: Path) -> None:
    found = bakeoff.compare("before", bakeoff.stored("after", output=output), output=output)
    assert [case.ratio for case in found.cases] == pytest.approx([2.0, 2.0])
    arguments = ["compare", "before", "after", "--format", "json", "--output", str(output)]
    said = json.loads(CliRunner().invoke(command, arguments).stdout)
    assert [case["ratio"] for case in said["cases"]] == [case.ratio for case in found.cases]
    assert "faster" in found.table()
    (engines,) = bakeoff.stored(output=output).compare("fast", "slow").cases
    assert engines.ratio == pytest.approx(0.5, rel=0.01)


def test_frames_hold_every_case_trial_and_call_with_the_documented_columns(output: Path) -> None:
    summary = bakeoff.load("after", output=output)
    assert summary["engine"].to_list() == ["fast", "slow"]
    assert summary["fps"][1] == pytest.approx(10.0)
    run = bakeoff.stored("after", output=output)
    trials = bakeoff.load(run, "trials")
    assert trials.columns == [column.name for column in columns.TRIALS]
    assert len(trials) == 18
    assert trials["cpu_s"].to_list() == [3.0] * 18
    assert trials["counted"].all()
    assert trials["scenario"].to_list() == ["latency"] * 18
    assert trials["accuracy"].is_null().all()
    calls = run.frame("latencies")
    assert calls.columns == [column.name for column in columns.LATENCIES]
    assert len(calls) == 18 * 4
    slow = calls.filter(engine="slow", round=1)
    assert slow["latency_ms"].to_list() == pytest.approx([200.0, 100.0, 100.0, 100.0])
    assert list(zip(slow["burst"], slow["call"], strict=True)) == [(0, 1), (1, 1), (1, 2), (2, 1)]


def test_a_trial_under_load_tells_what_its_figure_is_of(output: Path) -> None:
    run = bakeoff.stored("after", output=output)
    first = run.trials[0]
    assert first.measurement
    load = Load(scenario="server", instances=1, threads=2, rate=7.0, queries=662, bound_s=0.05, p99_s=0.04)
    under = msgspec.structs.replace(first, measurement=msgspec.structs.replace(first.measurement, load=load))
    asked = msgspec.structs.replace(under, accuracy=Accuracy(right=18, pictures=20))
    plan = msgspec.structs.replace(run.record.plan, scenario=Scenario.SERVER)
    frame = api.Run(Results(msgspec.structs.replace(run.record, plan=plan), [asked])).frame("trials")
    told = frame.select("scenario", "instances", "threads_each", "bound_ms", "p99_ms", "fps", "accuracy").row(0)
    assert told == ("server", 1, 2, 50.0, 40.0, 7.0, 0.9)


@pytest.mark.parametrize("kind", ["trials", "latencies"])
def test_export_writes_what_load_gives(output: Path, kind: str, tmp_path: Path) -> None:
    import polars as pl  # noqa: PLC0415 - slow to import

    to = tmp_path / "table.parquet"
    arguments = ["export", "after", f"--{kind}", "--to", str(to), "--output", str(output)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert pl.read_parquet(to).equals(bakeoff.load("after", kind, output=output))  # type: ignore[arg-type]
    as_json = CliRunner().invoke(command, [*arguments[:3], "--format", "json", *arguments[5:]], catch_exceptions=False)
    assert json.loads(as_json.stdout) == pl.read_parquet(to).to_dicts()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--format", "parquet"), "say where"), (("--to", "table.xlsx"), "says no format")],
)
def test_export_refuses_what_has_no_place_or_no_format(output: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(bakeoff.UsageError, match=message):
        CliRunner().invoke(command, ["export", *arguments, "--output", str(output)], catch_exceptions=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rounds": 0},
        {"threads": 0},
        {"batch_sizes": (0,)},
        {"budget_s": math.nan},
        {"timeout_s": -1.0},
        {"target_ci": 2.0},
        {"indifference": 0.0},
        {"release": "2020"},
        {"tags": "latest"},
        {"engines": "nosuch"},
    ],
)
def test_what_a_command_refuses_a_program_is_refused_too(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(bakeoff.UsageError):
        bakeoff.race("resnet-tiny", output=tmp_path / "out", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_race_takes_every_option_of_the_command_and_its_defaults() -> None:
    options = {RENAMED.get(p.name or "", p.name): p for p in run_command.params if p.name not in ONLY_TYPED}
    parameters = inspect.signature(api.race).parameters
    assert set(options) == set(parameters) - {"progress"}
    for name in ("seed", "weights", "timeout_s"):
        option = options[name]
        assert isinstance(option, click.Option)
        assert parameters[name].default == option.default


def test_tune_takes_what_the_command_takes() -> None:
    options = {RENAMED.get(p.name or "", p.name): p for p in tune_command.params if p.name not in ONLY_TYPED}
    parameters = inspect.signature(api.tune).parameters
    assert set(options) == set(parameters) - {"progress"}
    for name in ("objective", "seed", "weights", "timeout_s"):
        assert parameters[name].default == getattr(options[name], "default", None)


def test_everything_public_is_there_and_nothing_is_imported_before_it_is_used() -> None:
    assert all(getattr(bakeoff, name) is not None for name in bakeoff.__all__)
    assert callable(bakeoff.race)
    with pytest.raises(AttributeError, match="nosuch"):
        _ = bakeoff.nosuch
    code = "import sys, bakeoff; print([m for m in ('bakeoff.api', 'numpy', 'rich', 'msgspec') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_and_frames_hold_the_verdicts_with_their_intervals(output: Path) -> None:
    run = bakeoff.stored("before", output=output)
    done = CliRunner().invoke(command, ["show", "before", "--format", "json", "--output", str(output)])
    document = json.loads(done.output)
    schema = json.loads(Path(json_file.__file__).with_name("results.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    (verdict,), (answer,) = document["verdicts"], document["answers"]
    assert (document["indifference"], answer["sentence"]) == (0.02, "use fast; slow is at least 2.0x slower")
    fast, slow = verdict["standings"]
    assert (fast["outcome"], slow["outcome"]) == ("leader", "slower")
    assert slow["interval"][0] > 2.0
    frame = run.frame()
    assert frame["outcome"].to_list() == ["leader", "slower"]
    assert frame["ratio_low"].to_list() == [each["interval"][0] for each in verdict["standings"]]


def test_a_table_tells_ratio_interval_and_outcome_of_every_comparison(output: Path) -> None:
    table = bakeoff.stored("before", output=output).table()
    assert re.search(r"fast +leads\n", table)
    assert re.search(r"slow +2\.0\dx \[2\.\d\d–2\.\d\d\]\n", table)  # noqa: RUF001
    assert "= equivalent (±2%)" in table


def test_verdicts_stand_in_the_order_of_the_plan_whatever_was_raced_first(output: Path) -> None:
    run = bakeoff.stored("before", output=output)

    def at(size: int) -> list[Trial]:
        return [msgspec.structs.replace(t, case=msgspec.structs.replace(t.case, batch_size=size)) for t in run.trials]

    record = msgspec.structs.replace(run.record, plan=msgspec.structs.replace(run.record.plan, batch_sizes=(1, 8)))
    assert [verdict.batch_size for verdict in Results(record, [*at(8), *at(1)]).verdicts] == [1, 8]
