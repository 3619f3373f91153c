"""`bakeoff run --scenario offline` and `server`: from a command line to a table, with MLPerf's LoadGen."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import bakeoff.report

pytestmark = pytest.mark.end_to_end

SCHEMA = json.loads(Path(bakeoff.report.__file__).with_name("results.schema.json").read_text(encoding="utf-8"))
ENGINES = """
title = "Under load"

[environments.rogues]
kind = "uv"
python = "3.11"
requirements = ["numpy==2.4.6"]
lock = "rogues.lock"
"""
ENGINE = """
[engines.{name}]
title = "{name}"
release = "today"
league = "fp32"
adapter = "{name}.py"
environment = "rogues"
model = {{ format = "plain" }}
"""
MORTAL = """
import os
from honest import Engine as Honest

class Engine(Honest):
    answered = 0
    def run(self, k):
        Honest.run(self, k)
        self.answered += 1
        if self.answered > 330:
            os._exit(4)
"""


@pytest.fixture
def folder(tmp_path: Path, rogues: str) -> str:
    """An honest engine, and one that dies after some hundred answers."""
    place = tmp_path / "engines"
    place.mkdir()
    for name in ("honest.py", "rogues.lock"):
        shutil.copy(Path(rogues) / name, place)
    (place / "mortal.py").write_text(MORTAL, encoding="utf-8")
    engines = [ENGINE.format(name=name) for name in ("honest", "mortal")]
    (place / "engine.toml").write_text(ENGINES + "".join(engines), encoding="utf-8")
    return str(place)


def test_offline_tells_the_best_split_and_its_rate(bakeoff: Any, rogues: str) -> None:
    arguments = ("run", "resnet-tiny", "--engines", "honest,onnxruntime", "--engines-dir", rogues, "--rounds", "2")
    result = bakeoff(*arguments, "--scenario", "offline", "--threads", "1", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    jsonschema.validate(document, SCHEMA)
    for engine in ("honest", "onnxruntime"):
        row = result.rows[engine, 1]
        assert row["status"] == "ok", row["reason"]
        assert row["trials"] == 2
        assert row["parity"]["max_rel_error"] < 1e-4
        low, high = row["fps_ci95"]
        assert low < row["fps"] < high
        assert (row["load"]["instances"], row["load"]["threads_each"]) == (1, 1)
    assert document["run"]["command"].endswith(f"--scenario offline --engines-dir {rogues}")

    shown = bakeoff("show")
    assert "samples/s" in shown.out
    assert "instances x threads: " in shown.out
    assert json.loads(bakeoff("show", "--format", "json").out) == document
    report = bakeoff("report", "--format", "md")
    assert report.code == 2
    assert "is of the offline scenario" in report.err


def test_a_server_s_rate_holds_its_bound(bakeoff: Any, rogues: str) -> None:
    """One that a busy machine holds as well; where a search ends is tried without one."""
    arguments = ("run", "resnet-tiny", "--engines", "honest", "--engines-dir", rogues, "--rounds", "1")
    result = bakeoff(*arguments, "--scenario", "server", "--latency-bound", "3s", "--json")
    assert result.code == 0, result.err
    jsonschema.validate(json.loads(result.out), SCHEMA)
    row = result.rows["honest", 1]
    assert row["status"] == "ok", row["reason"]
    assert 0 < row["load"]["p99_ms"] <= row["load"]["bound_ms"] == 3000
    assert row["fps"] > 0
    assert row["load"]["queries"] == 662


def test_an_instance_that_dies_under_load_is_a_row_with_its_reason(bakeoff: Any, folder: str) -> None:
    arguments = ("run", "resnet-tiny", "--engines", "honest,mortal", "--engines-dir", folder, "--rounds", "1")
    result = bakeoff(*arguments, "--scenario", "offline", "--threads", "1", "--json")
    assert result.code == 1
    assert result.rows["honest", 1]["status"] == "ok"
    dead = result.rows["mortal", 1]
    assert dead["status"] == "failed"
    assert dead["reason"] == "InstanceDied: instance 1 of 1 exited with code 4 during `query`"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "sometimes"], "offline"),
        (["--scenario", "offline", "--batch", "1,2"], "leave out --batch"),
        (["--scenario", "server", "--latency-bound", "0ms"], "like 50ms"),
        (["--latency-bound", "50ms"], "is for --scenario server"),
    ],
)
def test_what_a_scenario_cannot_mean_is_one_clear_line(bakeoff: Any, arguments: list[str], said: str) -> None:
    result = bakeoff("run", "resnet-tiny", *arguments)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err
