"""`history`, `compare`, `baseline` and `gate` on stored runs, as typed: what they print and how they leave."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.cli import bakeoff
from bakeoff.errors import BakeoffError
from bakeoff.records import CANARY, Disturbance, EngineInfo, ModelRecord, RunRecord, Status, Trial
from bakeoff.store import Spool, Store

pytestmark = pytest.mark.unit

MACHINE = {"cpu": "one", "usable_cpus": 2, "digest": "abcdef012345"}
NOON = 1_699_963_200.0
"""of 14 November 2023, UTC"""
NOISE = (0.004, -0.004, 0.002, -0.002, 0.0)
Write = Callable[..., str]


QUIET = Disturbance(others_cpu_s=0.0, steal_s=0.0, wall_s=1.0, cpus=2.0, resolution_s=0.01)
BUSY = msgspec.structs.replace(QUIET, others_cpu_s=0.9)


def a_trial(engine: str, round_: int, log_speed: float, seen: Disturbance = QUIET) -> Trial:
    seconds = math.exp(-log_speed)
    measurement = a_measurement(
        latencies=((seconds,) * 4,),
        load_s=1.0,
        first_inference_s=seconds,
        import_s=0.1,
        burst_s=(4 * seconds,),
        cpu_s=({"1": 8 * seconds},),
        peak_rss_mb=100.0,
    )
    case = a_case(engine=engine, model="tiny", batch_size=1, threads=2)
    return Trial(
        round=round_, case=case, status=Status.OK, measurement=measurement, started_at=float(round_), disturbance=seen
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Store a run: engine -> log throughput."""

    def stored(
        name: str,
        speeds: dict[str, float],
        *,
        canary: bool = True,
        digest: str = "1" * 64,
        tags: Sequence[str] = (),
        day: int = 1,
        seen: Disturbance = QUIET,
    ) -> str:
        engines = tuple(
            EngineInfo(name=e, title=e, framework=e, release="2019" if "2019" in e else "today", league="fp32")
            for e in speeds
        )
        run = RunRecord(
            name=name,
            started_at=NOON + day * 86_400,
            plan=a_plan(models=("tiny",), engines=tuple(speeds), batch_sizes=(1,), threads=2),
            machine=MACHINE,
            bakeoff_version="0.1.0",
            models=(ModelRecord(name="tiny", digest=digest, weights="seeded", inputs=(), outputs=()),),
            engines=engines,
            state="finished",
            elapsed_s=60.0,
            tags=tuple(tags),
        )
        field = {**speeds, **({CANARY: 0.0} if canary else {})}
        with Store.open(tmp_path) as store:
            store.create_run(run)
            store.add_trials(
                name,
                [
                    a_trial(engine, i, speed + (noise if engine != CANARY else 0.0), seen)
                    for engine, speed in field.items()
                    for i, noise in enumerate(NOISE, 1)
                ],
            )
        return name

    return stored


@pytest.fixture
def typed(tmp_path: Path) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(bakeoff, [*arguments, "--output", str(tmp_path)])

    return run


Typed = Callable[..., Result]


def test_history_lists_the_latest_first_and_filters(write: Write, typed: Typed) -> None:
    write("first", {"keras": 1.0}, tags=["nightly"], day=1)
    write("second", {"jax": 1.0}, day=2)
    names = [run["name"] for run in json.loads(typed("history", "--json").output)]
    assert names == ["second", "first"]
    for flags in (("--engine", "keras"), ("--tag", "nightly"), ("--limit", "1", "--engine", "keras")):
        assert [run["name"] for run in json.loads(typed("history", "--json", *flags).output)] == ["first"], flags
    assert len(json.loads(typed("history", "--json", "--machine", "abcdef").output)) == 2
    assert "nightly" in typed("history").output
    assert "no run is like that" in typed("history", "--model", "resnet18").output


def test_runs_are_compared_by_name_tag_date_and_order(write: Write, typed: Typed) -> None:
    write("first", {"keras": 1.0}, tags=["v1"], day=1)
    write("second", {"keras": 1.5}, day=2)
    for first, second in (("first", "second"), ("v1", "latest"), ("latest~1", "abcdef"), ("2023-11-15", "second")):
        report = json.loads(typed("compare", first, second, "--format", "json").output)
        assert (report["before"], report["after"]) == ("first", "second"), (first, second)
        (case,) = report["cases"]
        assert (case["method"], case["change"]) == ("canary", "faster")
        assert case["ratio"] == pytest.approx(math.exp(0.5))


def test_a_results_file_and_a_baseline_compare_like_runs(write: Write, typed: Typed, tmp_path: Path) -> None:
    write("first", {"keras": 1.0}, day=1)
    write("second", {"keras": 1.5}, day=2)
    (tmp_path / "results.json").write_text(typed("show", "first", "--format", "json").output)
    assert typed("baseline", "second", "--to", str(tmp_path / "b" / "base.json")).exit_code == 0
    files = str(tmp_path / "results.json"), str(tmp_path / "b" / "base.json")
    for pair in (files, (files[0], "second"), ("first", files[1])):
        report = json.loads(typed("compare", *pair, "--format", "json").output)
        assert report["cases"][0]["ratio"] == pytest.approx(math.exp(0.5), rel=1e-4)
    assert (tmp_path / "b" / "base.json").stat().st_size < 20_000


def test_engines_and_releases_of_the_latest_run_are_compared_round_by_round(write: Write, typed: Typed) -> None:
    write("first", {"keras": 1.0, "keras-2019": 0.5, "jax": 2.0})
    report = json.loads(typed("compare", "keras", "jax", "--format", "json").output)
    assert [(case["after"]["contender"]["name"], case["method"]) for case in report["cases"]] == [("jax", "paired")]
    assert "faster in 1" in typed("compare", "2019", "today", "--run", "first").output


def failing(result: Result) -> str:
    assert isinstance(result.exception, BakeoffError), result.output
    assert result.exception.exit_code == 2
    return str(result.exception)


def test_unlike_networks_are_refused_by_compare_and_gate(write: Write, typed: Typed) -> None:
    write("first", {"keras": 1.0}, digest="1" * 64, day=1)
    write("second", {"keras": 1.0}, digest="2" * 64, day=2)
    assert "not the same network" in failing(typed("compare", "first", "second"))
    assert "not the same network" in failing(typed("gate", "--baseline", "first"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare", "first", "nosuch"), "no run 'nosuch'"),
        (("gate", "--baseline", "first"), "is the baseline itself"),
        (("gate", "--baseline", "nosuch"), "no run 'nosuch'"),
        (("gate", "first", "--baseline", "first", "--rerace"), "no use for run"),
        (("gate", "--baseline", "first", "--budget", "5m"), "without --rerace"),
        (("gate", "--baseline", "first", "--rerace"), "engine 'keras-of-mine' is not here"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_line(
    write: Write, typed: Typed, arguments: tuple[str, ...], said: str
) -> None:
    write("first", {"keras-of-mine": 1.0})
    assert said in failing(typed(*arguments))


def test_a_file_that_is_neither_results_nor_baseline_is_refused(write: Write, typed: Typed, tmp_path: Path) -> None:
    write("first", {"keras": 1.0})
    for text in ("{}", "no json", '{"schema": "bakeoff-baseline/99"}'):
        (tmp_path / "file.json").write_text(text)
        assert "file.json is no results.json and no baseline" in failing(
            typed("gate", "--baseline", str(tmp_path / "file.json"))
        )


@pytest.mark.parametrize(("now", "code", "said"), [(1.0, 0, "PASS"), (0.5, 1, "FAIL"), (0.84, 3, "UNDECIDED")])
def test_a_gate_leaves_with_its_outcome(write: Write, typed: Typed, now: float, code: int, said: str) -> None:
    write("first", {"keras": 1.0}, day=1)
    write("second", {"keras": now}, day=2)
    result = typed("gate", "--baseline", "first", "--max-slowdown", "10%")
    assert (result.exit_code, result.output.partition(":")[0]) == (code, said)


@pytest.mark.parametrize("busy", ["first", "second"])
def test_a_busy_hour_fails_no_gate_not_even_by_a_results_file(
    write: Write, typed: Typed, tmp_path: Path, busy: str
) -> None:
    write("first", {"keras": 1.0}, day=1, seen=BUSY if busy == "first" else QUIET)
    write("second", {"keras": 0.2}, day=2, seen=BUSY if busy == "second" else QUIET)
    (tmp_path / "results.json").write_text(typed("show", "first", "--format", "json").output)
    for baseline in ("first", str(tmp_path / "results.json")):
        result = typed("gate", "--baseline", baseline, "--max-slowdown", "10%")
        assert (result.exit_code, result.output.partition(":")[0]) == (3, "UNDECIDED")
        said = " ".join(result.output.split())
        assert said.index(f"load: others used the CPUs in {busy}") < said.index("remark")
        assert (
            f"{busy}, keras, tiny, batch 1: disturbed: others used up to 45% of the CPU time in 5 of 5 rounds" in said
        )
        compared = " ".join(typed("compare", baseline, "second").output.split())
        assert compared.index("load: others used the CPUs") < compared.index("ratio")
        assert "second is undecided in 1" in compared


def test_a_gate_writes_for_ci_and_says_it_too(write: Write, typed: Typed, tmp_path: Path) -> None:
    write("first", {"keras": 1.0}, day=1)
    write("second", {"keras": 0.5}, day=2)
    target = tmp_path / "out" / "gate.xml"
    result = typed("gate", "--baseline", "first", "--format", "junit", "--to", str(target))
    assert "<failure" in target.read_text()
    assert result.output.startswith("FAIL")


@pytest.mark.parametrize("tag", ["latest", "latest~1", "2026-11-23", "a b", "", "-x"])
def test_a_tag_that_would_be_taken_for_something_else_is_refused(typed: Typed, tag: str) -> None:
    result = typed("run", f"--tag={tag}")
    assert result.exit_code == 2
    assert "--tag" in result.output


def test_what_waits_in_the_spool_is_delivered_by_the_next_command(write: Write, typed: Typed, tmp_path: Path) -> None:
    write("first", {"keras": 1.0})
    with Store.open(tmp_path) as store:
        late = msgspec.structs.replace(a_trial("keras", 6, 1.0), started_at=99.0)
        Spool(tmp_path).keep(store, store.run("first"), [late])
    result = typed("history")
    assert "1 trials that waited" in result.output
    with Store.open(tmp_path) as store:
        assert late in store.trials("first")
