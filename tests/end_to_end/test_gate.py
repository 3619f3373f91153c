"""Run, change something, run, compare, gate: with a store in SQLite and in PostgreSQL, and one that goes away."""

import json
import re
import shutil
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.end_to_end

TINY = ("run", "resnet-tiny", "--engines", "delayed", "--engines-dir", "engines", "--batch", "1")
RERACE = ("gate", "--baseline", "base.json", "--rerace", "--engines-dir", "engines", "--format", "json")


@pytest.fixture
def engines(bakeoff: Any, rogues: str) -> Path:
    """A copy of the rogues' folder, to change."""
    return Path(shutil.copytree(rogues, bakeoff.folder / "engines"))


def delay(engines: Path, share: float) -> None:
    """Make the delayed engine slower by this share of its own time."""
    file = engines / "engine.toml"
    changed, count = re.subn(r"delay = [\d.]+", f"delay = {share}", file.read_text(encoding="utf-8"))
    assert count == 1
    file.write_text(changed, encoding="utf-8")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_run_change_the_thread_count_run_compare_gate(
    bakeoff: Any, engines: Path, database: str, request: pytest.FixtureRequest
) -> None:
    assert engines.is_dir()
    where = {} if database == "sqlite" else {"BAKEOFF_STORE": request.getfixturevalue("postgres_url")}
    for flags in (("--tag", "before"), ("--threads", "1", "--tag", "after")):
        result = bakeoff(*TINY, "--rounds", "2", *flags, **where)
        assert result.code == 0, result.err
    assert (bakeoff.folder / "results" / "bakeoff.sqlite").exists() == (database == "sqlite")

    runs = json.loads(bakeoff("history", "--tag", "before", "--json", **where).out)
    assert [(run["tags"], run["state"]) for run in runs] == [(["before"], "finished")]
    compared = bakeoff("compare", "before", "after", **where)
    assert compared.code == 0, compared.err
    assert re.search(r"threads: \d+, now 1", compared.out)
    gated = bakeoff("gate", "after", "--baseline", "before", "--max-slowdown", "50%", **where)
    assert gated.code in (0, 1, 3), gated.err
    assert gated.out.split(":")[0] == {0: "PASS", 1: "FAIL", 3: "UNDECIDED"}[gated.code]


def test_a_rerace_fails_what_became_slower_and_passes_what_did_not(bakeoff: Any, engines: Path) -> None:
    assert bakeoff(*TINY, "--rounds", "2").code == 0
    assert bakeoff("baseline", "--to", "base.json").code == 0
    shutil.rmtree(bakeoff.folder / "results")  # as on another machine: the file is all there is

    same = bakeoff(*RERACE, "--max-slowdown", "60%", "--budget", "2m")
    assert same.code == 0, same.err
    delay(engines, 3.0)
    slower = bakeoff(*RERACE, "--max-slowdown", "5%", "--budget", "2m")
    assert slower.code == 1, slower.err
    (case,) = json.loads(slower.out)["cases"]
    assert case["ratio"] == pytest.approx(0.25, abs=0.1)

    junit = bakeoff(*RERACE[:-2], "--format", "junit", "--to", "gate.xml", "--budget", "2m")
    assert junit.code == 1, junit.err
    assert ET.parse(bakeoff.folder / "gate.xml").find(".//failure") is not None  # noqa: S314 - our own


def test_a_network_of_ones_own_is_raced_again_in_another_checkout_and_refused_once_it_has_changed(
    bakeoff: Any, bakeoff_in: Any, engines: Path
) -> None:
    write_network(bakeoff.folder / "net.onnx", seed=0)
    ran = bakeoff("run", "net.onnx", *TINY[2:], "--rounds", "2")
    assert ran.code == 0, ran.err
    assert bakeoff("baseline", "--to", "base.json").code == 0
    other = bakeoff_in(bakeoff.folder / "other")
    other.folder.mkdir()
    for name in ("net.onnx", "base.json"):
        shutil.move(bakeoff.folder / name, other.folder / name)
    shutil.move(engines, other.folder / "engines")

    gated = other(*RERACE, "--max-slowdown", "60%", "--budget", "2m")
    assert gated.code in {0, 3}, gated.err  # 3, undecided, is what it says of a machine that is busy throughout
    write_network(other.folder / "net.onnx", seed=1)
    changed = other(*RERACE)
    assert changed.code == 2
    assert "net.onnx is not the baseline's network any more" in " ".join(changed.err.split())


def write_network(path: Path, seed: int) -> None:
    """One dense layer, wide enough to take a while."""
    weights = np.random.default_rng(seed).standard_normal((1024, 1024), np.float32) / 32
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1024])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1024])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.zeros(1024, np.float32), "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_a_server_that_goes_away_in_the_middle_of_a_run_costs_no_trial(
    bakeoff: Any, engines: Path, postgres: Any, postgres_url: str
) -> None:
    assert engines.is_dir()
    process = bakeoff.start(*TINY, "--rounds", "6", "--budget", "5m", BAKEOFF_STORE=postgres_url)
    read_until(process, "measured in round 1")
    postgres.stop()
    try:
        read_until(process, "trials wait in")
        assert (bakeoff.folder / "results" / "spool.jsonl").exists()
        read_until(process, "measured in round 4")
    finally:
        postgres.start()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "6 rounds" in out
    again = json.loads(bakeoff("show", "--format", "json", BAKEOFF_STORE=postgres_url).out)
    assert [case["trials"] for case in again["cases"]] == [6]
    assert again["run"]["state"] == "finished"
    assert not (bakeoff.folder / "results" / "spool.jsonl").exists()


def read_until(process: Any, words: str) -> None:
    deadline = time.monotonic() + 120
    seen = ""
    while words not in " ".join(seen.split()):
        assert time.monotonic() < deadline, seen
        line = process.stderr.readline()
        assert line or process.poll() is None, seen
        seen += line
