import math
import statistics
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.judge.case.summary import summarise
from bakeoff.judge.results import Results
from bakeoff.records import (
    Case,
    Load,
    Measurement,
    ModelRecord,
    Parity,
    Probe,
    RunRecord,
    Scenario,
    Status,
    Summary,
    TensorSpec,
    Tolerances,
    Trial,
)

pytestmark = pytest.mark.unit


def a_run(**plan: Any) -> RunRecord:
    fields: dict[str, Any] = {"models": ("m",), "engines": ("a",), "batch_sizes": (4,), "threads": 2} | plan
    return RunRecord(name="1", started_at=0.0, plan=a_plan(**fields), machine={}, bakeoff_version="0", state="finished")


def case(engine: str = "a", model: str = "m", batch_size: int = 4) -> Case:
    return a_case(engine=engine, model=model, batch_size=batch_size, threads=2)


def measured(*latencies: float, **fields: Any) -> Measurement:
    """One burst of the given latencies on two busy threads."""
    wall = sum(latencies)
    usual: dict[str, Any] = {
        "latencies": (latencies,),
        "warm_up": (9.0,),
        "load_s": 1.0,
        "first_inference_s": 0.5,
        "import_s": 0.1,
        "cpu_s": ({"1": wall, "2": wall},),
        "peak_rss_mb": 100.0,
    }
    return a_measurement(**(usual | fields))


def ok(round_: int, *latencies: float, at: Case | None = None, **fields: Any) -> Trial:
    return Trial(
        round=round_,
        case=at or case(),
        status=Status.OK,
        framework_version="1.0",
        requested={"threads": 2},
        effective={"threads": 2},
        parity=Parity(max_rel_error=1e-7 * round_, top1_agreement=1.0),
        measurement=measured(*(latencies or (0.1, 0.1)), **fields),
    )


def bad(round_: int, status: Status, reason: str = "why", at: Case | None = None) -> Trial:
    return Trial(round=round_, case=at or case(), status=status, reason=reason)


def summary(*trials: Trial, run: RunRecord | None = None) -> Summary:
    return summarise(run or a_run(), trials)[0]


def kinds(row: Summary) -> set[str]:
    return {caution.partition(":")[0] for caution in row.cautions}


# Which rows there are


def test_every_case_has_a_row_in_the_plan_s_order() -> None:
    run = a_run(models=("m", "n"), engines=("b", "a"), batch_sizes=(4, 1))
    rows = summarise(run, [ok(1)])
    assert [row.case for row in rows] == run.plan.cases()
    assert [row.status for row in rows if row.case != case()] == [Status.NOT_RUN] * 7


@pytest.mark.parametrize(
    ("state", "reason"), [("finished", "budget"), ("interrupted", "interrupted"), ("running", "not measured")]
)
def test_a_case_without_trials_says_why(state: str, reason: str) -> None:
    row = summary(run=msgspec.structs.replace(a_run(), state=state))
    assert row.status is Status.NOT_RUN
    assert row.reason.startswith(reason)


def test_a_case_behind_the_failure_of_its_worker_says_so() -> None:
    run = a_run(batch_sizes=(1, 4))
    first, second = summarise(run, [bad(1, Status.FAILED, "out of memory", at=case(batch_size=4))])
    assert (first.status, first.reason) == (Status.NOT_RUN, "its worker failed before it: out of memory")
    assert second.status is Status.FAILED


def test_an_environment_that_is_missing_is_missing_for_all_of_the_engine_s_cases() -> None:
    run = a_run(models=("m", "n"))
    rows = summarise(run, [bad(0, Status.UNAVAILABLE, "no Python 3.6")])
    assert {(row.status, row.reason) for row in rows} == {(Status.UNAVAILABLE, "no Python 3.6")}


# What became of a case


def test_one_wrong_answer_makes_a_case_wrong_and_no_speed_is_published() -> None:
    row = summary(ok(1), ok(2), bad(3, Status.WRONG, "error 1e-1"), ok(4))
    assert (row.status, row.reason) == (Status.WRONG, "error 1e-1")
    assert {row.fps, row.fps_ci95, row.load_s, row.first_inference_s, row.peak_rss_mb, row.cores_used} == {None}
    assert set(row.latency_ms.values()) == {None}
    assert row.trials == 0


def test_a_failure_in_few_rounds_is_a_caution() -> None:
    row = summary(ok(1), bad(2, Status.FAILED, "segfault"), ok(3))
    assert (row.status, row.trials) == (Status.OK, 2)
    assert "failures: 1 of 3 trials failed: segfault" in row.cautions


def test_a_failure_in_half_of_the_rounds_is_a_failure() -> None:
    row = summary(ok(1), bad(2, Status.TIMED_OUT, "no answer"))
    assert (row.status, row.reason, row.fps) == (Status.TIMED_OUT, "no answer", None)


def test_a_case_that_succeeds_when_retried_alone_is_ok() -> None:
    row = summary(bad(1, Status.FAILED, "killed"), ok(1))
    assert row.status is Status.OK
    assert "failures" in kinds(row)


def test_a_case_that_became_ready_later_is_judged_by_its_race() -> None:
    assert summary(bad(0, Status.UNAVAILABLE), ok(1)).status is Status.OK


def test_trials_that_were_not_run_do_not_count_as_failures() -> None:
    assert summary(ok(1), bad(2, Status.NOT_RUN), bad(3, Status.NOT_RUN)).status is Status.OK
    assert summary(bad(1, Status.NOT_RUN, "budget")).reason == "budget"


@pytest.mark.parametrize("latencies", [(), ((),)])
def test_an_ok_trial_without_latencies_is_no_measurement(latencies: tuple[Any, ...]) -> None:
    row = summary(ok(1, latencies=latencies))
    assert (row.status, row.reason) == (Status.FAILED, "its trials hold no measurement")


@given(st.lists(st.sampled_from(list(Status)), max_size=8), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_speed_is_published_of_ok_rows_and_of_no_other(statuses: list[Status], rounds: list[int]) -> None:
    trials = [
        ok(round_) if status is Status.OK else bad(round_, status)
        for status, round_ in zip(statuses, rounds, strict=False)
    ]
    row = summary(*trials)
    assert (row.fps is not None) == (row.status is Status.OK)
    assert row.status is Status.WRONG or not any(t.status is Status.WRONG and t.round for t in trials)
    assert bool(row.reason) == (row.status is not Status.OK)


# The figures


def test_fps_is_the_geometric_mean_of_images_over_measured_time() -> None:
    row = summary(ok(1, 0.1, 0.3), ok(2, 0.1, 0.1))
    assert row.fps == pytest.approx(math.sqrt(20 * 40))
    assert row.fps_ci95
    low, high = row.fps_ci95
    assert low < math.sqrt(20 * 40) < high


def test_one_trial_has_no_interval() -> None:
    row = summary(ok(1))
    assert row.fps == pytest.approx(40)
    assert row.fps_ci95 is None


def profile(*latencies: float, **fields: Any) -> Trial:
    return msgspec.structs.replace(ok(2, *latencies, **fields), profile=True)


def test_percentiles_come_from_the_profile_trial_alone() -> None:
    race = (ok(1, *[0.1] * 50), ok(2, *[0.2] * 50))
    without = summary(*race).latency_ms
    assert without == {
        "mean": pytest.approx(150),
        "p50": None,
        "p90": None,
        "p95": None,
        "p99": None,
        "min": pytest.approx(100),
    }
    with_ = summary(*race, profile(*[0.3] * 70)).latency_ms
    assert with_ == {**without, "p50": pytest.approx(300), "p90": pytest.approx(300)}


def test_percentiles_are_refused_below_their_sample() -> None:
    assert summary(ok(1), profile(*[0.2] * 10)).latency_ms["p50"] is None
    assert summary(ok(1), profile(*[0.2] * 11)).latency_ms["p50"] == pytest.approx(200)


def test_a_profile_trial_counts_neither_as_speed_nor_as_a_trial() -> None:
    plain = summary(ok(1), ok(2))
    row = summary(ok(1), ok(2), profile(*[9.0] * 200))
    assert (row.fps, row.fps_ci95, row.trials) == (plain.fps, plain.fps_ci95, plain.trials)


def test_a_profile_trial_that_failed_is_a_caution_and_one_that_was_wrong_is_wrong() -> None:
    failed = msgspec.structs.replace(bad(2, Status.FAILED, "out of memory"), profile=True)
    row = summary(ok(1), ok(2), failed)
    assert row.status is Status.OK
    assert "profile: its long trial failed: out of memory" in row.cautions
    assert "failures" not in kinds(row)
    wrong = msgspec.structs.replace(bad(2, Status.WRONG, "error 1e-1"), profile=True)
    assert summary(ok(1), ok(2), wrong).status is Status.WRONG


def test_what_a_profile_shows_is_a_caution_on_the_row() -> None:
    slowing = [0.1 * (1 + 0.3 * i / 200) for i in range(200)]
    assert "unsettled" in kinds(summary(ok(1), profile(*slowing)))


def test_cold_start_and_memory_come_from_the_trials_that_ran_first_in_their_process() -> None:
    row = summary(
        ok(1, load_s=3.0, first_inference_s=0.3, peak_rss_mb=300.0),
        ok(2, load_s=1.0, first_inference_s=0.1, peak_rss_mb=100.0),
        ok(3, load_s=2.0, first_inference_s=0.2, peak_rss_mb=200.0),
        ok(4, load_s=9.0, first_inference_s=9.0, peak_rss_mb=900.0, cold=False),
    )
    assert (row.load_s, row.first_inference_s, row.peak_rss_mb) == (2.0, 0.2, 200.0)
    warm = summary(ok(1, cold=False))
    assert (warm.load_s, warm.first_inference_s, warm.peak_rss_mb) == (None, None, None)


def test_memory_that_the_platform_does_not_tell_is_null_with_a_caution() -> None:
    row = summary(ok(1, peak_rss_mb=None))
    assert row.peak_rss_mb is None
    assert row.load_s == 1.0
    assert "memory" in kinds(row)


def test_cores_used_is_cpu_time_over_burst_time() -> None:
    used = [({"1": 0.9, "2": cpu}, {"1": 1.0}) for cpu in (0.9, 1.1, 5.0)]
    row = summary(*(ok(n, burst_s=(1.0, 1.0), cpu_s=cpu_s) for n, cpu_s in enumerate(used)))
    assert row.cores_used == pytest.approx(1.5)
    assert summary(ok(1, cpu_s=({},))).cores_used is None


def test_the_worst_parity_of_all_trials_is_told() -> None:
    row = summary(ok(1), ok(3), ok(2))
    assert row.parity == Parity(max_rel_error=1e-7 * 3, top1_agreement=1.0)


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=20), st.integers(1, 64))
def test_one_trial_s_fps_is_the_study_s_batch_size_over_mean_latency(latencies: list[float], batch: int) -> None:
    row = summary(ok(1, *latencies, at=case(batch_size=batch)), run=a_run(batch_sizes=(batch,)))
    assert row.fps == pytest.approx(batch / statistics.fmean(latencies))


# Cautions


def test_five_calm_rounds_deserve_no_caution() -> None:
    assert summary(*(ok(n) for n in range(1, 6))).cautions == ()


def test_fewer_than_five_rounds_are_provisional() -> None:
    assert summary(ok(1), ok(2)).cautions == ("provisional: 2 rounds",)


def test_spikes_that_the_median_hides_are_a_caution() -> None:
    row = summary(*(ok(n, 0.1, 0.1, 0.1, 0.2) for n in range(1, 6)))
    assert row.cautions == ("spread: 40 images/s by the median latency, 32 by the mean",)


def test_drift_between_trials_is_no_spread() -> None:
    assert summary(*(ok(n, 0.1 * n, 0.1 * n) for n in range(1, 6))).cautions == ()


def test_writing_to_stdout_or_stderr_while_timed_is_a_caution() -> None:
    row = summary(*(ok(n, log_bytes=50) for n in range(1, 6)))
    assert row.cautions == ("chatter: 25 bytes go to stdout or stderr with each inference while timed",)


def test_trials_of_unlike_versions_are_a_caution() -> None:
    trials = [msgspec.structs.replace(ok(n), framework_version=f"1.{n // 3}") for n in range(1, 6)]
    assert summary(*trials).cautions == ("versions: trials of 1.0, 1.1",)


def test_an_error_of_the_size_of_bf16_moves_the_row_to_that_league_with_a_caution() -> None:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 3))
    tolerances = Tolerances(fp32=1e-4, fp16=1e-2, bf16=0.1, rounding={"fp32": 1e-6, "fp16": 1e-2, "bf16": 2e-2})
    model = ModelRecord(
        name="m", digest="", weights="seeded", inputs=(tensor,), outputs=(tensor,), tolerances=tolerances
    )
    run = msgspec.structs.replace(a_run(), models=(model,))
    once = msgspec.structs.replace(ok(3), parity=Parity(max_rel_error=0.03, top1_agreement=1.0))
    row = summary(ok(1), ok(2), once, ok(4), ok(5), run=run)
    assert (row.status, row.league) == (Status.OK, "bf16")
    assert row.cautions == ("precision: fp32 asked, error 3.0e-02: ranked in the bf16 league",)
    assert summary(*(ok(n) for n in range(1, 6)), run=run).league == "fp32"


def test_an_engine_that_only_itself_could_judge_has_no_error_a_caution_and_no_recommendation() -> None:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 3))
    model = ModelRecord(name="m", digest="", weights="seeded", inputs=(tensor,), outputs=(tensor,), reference="a alone")
    judged = msgspec.structs.replace(model, reference="the middle of what a, b answer")
    trials = [msgspec.structs.replace(ok(n), parity=Parity(max_rel_error=0.0, top1_agreement=1.0)) for n in range(1, 6)]
    runs = [msgspec.structs.replace(a_run(), models=(found,)) for found in (model, judged)]
    lone, among_others = (summary(*trials, run=run) for run in runs)
    assert (lone.status, lone.parity, kinds(lone)) == (Status.OK, None, {"judged by nobody"})
    assert among_others.parity is not None
    assert not kinds(among_others)
    [answer], [advice] = (Results(run, trials).answers for run in runs)
    assert answer.sentence.startswith("nothing is recommended")
    assert not advice.sentence.startswith("nothing")


def under_load(rate: float, **fields: object) -> Measurement:
    """Two instances that answered three queries each, or a server's if a bound is among `fields`."""
    usual: dict[str, Any] = {"scenario": "offline", "instances": 2, "threads": 1, "queries": 6}
    found = Load(**(usual | {"rate": rate} | fields))
    return measured(0.1, 0.1, 0.1, cold=False, load=found, latencies=((0.1, 0.1, 0.1), (0.1, 0.1, 0.3)))


def test_under_load_the_figure_is_what_loadgen_found() -> None:
    trials = [ok(round_, 1.0) for round_ in (1, 2)]
    rates = (20.0, 5.0)
    loaded = [
        msgspec.structs.replace(trial, measurement=under_load(rate)) for trial, rate in zip(trials, rates, strict=True)
    ]
    (row,) = summarise(a_run(scenario=Scenario.OFFLINE), loaded)
    assert row.fps == pytest.approx(4 * 10.0)
    assert row.load
    assert (row.load.instances, row.load.rate) == (2, 5.0)
    assert row.latency_ms["min"] == pytest.approx(100)
    assert not any(caution.startswith("spread") for caution in row.cautions)


def test_a_server_that_waits_for_queries_is_not_said_to_leave_its_threads_idle() -> None:
    server = under_load(20.0, scenario="server", bound_s=0.5, p99_s=0.4)
    idle = msgspec.structs.replace(server, cpu_s=({"instances": 0.01},), burst_s=(10.0,))
    (row,) = summarise(a_run(), [msgspec.structs.replace(ok(1, 1.0), measurement=idle)])
    assert [caution.partition(":")[0] for caution in row.cautions] == ["provisional"]


def test_a_split_that_was_left_out_is_a_caution() -> None:
    probe = Probe(instances=4, threads=1, rate=0.0, held=False, reason="no memory")
    measurement = under_load(20.0, probes=(probe,))
    (row,) = summarise(a_run(), [msgspec.structs.replace(ok(1, 1.0), measurement=measurement)])
    assert "split 4 x 1: left out, no memory" in row.cautions
    assert row.load
    assert not row.load.probes


DENORMALS = {"d": 1, "a": 7, "c": 2, "b": 5}


@pytest.mark.parametrize(
    ("effective", "flush"), [({}, ""), ({"flush_denormals": False}, "; flush_denormals=true takes them for zero")]
)
def test_denormal_weights_are_a_caution_that_names_the_tensors_with_most(effective: dict[str, Any], flush: str) -> None:
    trials = [msgspec.structs.replace(ok(n), effective={"threads": 2} | effective) for n in range(1, 6)]
    model = ModelRecord(name="m", digest="", weights="", inputs=(), outputs=(), denormals=DENORMALS)
    row = summarise(msgspec.structs.replace(a_run(), models=(model,)), trials)[0]
    said = "denormals: 15 of the weights are denormal numbers, on which most processors are many times slower "
    assert row.cautions == (f"{said}(a 7, b 5, c 2 and 1 more){flush}",)


def test_who_takes_denormals_for_zero_is_not_cautioned_of_them() -> None:
    trials = [msgspec.structs.replace(ok(n), effective={"threads": 2, "flush_denormals": True}) for n in range(1, 6)]
    model = ModelRecord(name="m", digest="", weights="", inputs=(), outputs=(), denormals=DENORMALS)
    assert summarise(msgspec.structs.replace(a_run(), models=(model,)), trials)[0].cautions == ()
