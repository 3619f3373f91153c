import sys
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_contender, a_plan, the_results

from bakeoff.race.budget import Budget
from bakeoff.race.heats import profile
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import (
    Case,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    ModelForm,
    ModelRecord,
    Outcome,
    RunRecord,
    Standing,
    Status,
    Summary,
    TensorSpec,
    Trial,
    Verdict,
)

pytestmark = pytest.mark.unit

PLAN = a_plan(models=("m",), engines=("a", "b", "c"), batch_sizes=(1, 8), threads=1, budget_s=900.0, profile=True)
RUN = RunRecord(name="r", started_at=0.0, plan=PLAN, machine={}, bakeoff_version="0")


def row(case: Case, status: Status = Status.OK, mean_ms: float = 100.0) -> Summary:
    nothing: dict[str, Any] = dict.fromkeys(
        ("fps_ci95", "first_inference_s", "peak_rss_mb", "cores_used", "parity"), None
    )
    return Summary(
        case=case,
        status=status,
        reason="",
        framework_version="",
        requested={},
        effective={},
        fps=10.0,
        latency_ms={"mean": mean_ms},
        load_s=1.0,
        trials=5,
        **nothing,
    )


def verdict(batch_size: int, **outcomes: Outcome) -> Verdict:
    standings = tuple(
        Standing(contender=engine, outcome=outcome, ratio=1.0, interval=None, rounds=5)
        for engine, outcome in outcomes.items()
    )
    return Verdict(
        model="m",
        batch_size=batch_size,
        league="fp32",
        device="cpu",
        leader="a",
        standings=standings,
        sentence="",
    )


def turns(rows: list[Summary], trials: tuple[Trial, ...] = ()) -> list[list[tuple[str, int]]]:
    verdicts = [
        verdict(1, a=Outcome.LEADER, b=Outcome.SLOWER, c=Outcome.UNDECIDED),
        verdict(8, a=Outcome.LEADER, b=Outcome.EQUIVALENT, c=Outcome.SLOWER),
    ]
    found = profile.in_turn(the_results(RUN, rows, verdicts, trials))
    return [[(case.contender.name, case.batch_size) for case in cases] for cases in found]


def test_the_contenders_of_every_verdict_come_first_a_worker_s_batch_sizes_together() -> None:
    rows = [row(case) for case in PLAN.cases()]
    assert turns(rows) == [[("a", 1), ("a", 8)], [("c", 1)], [("b", 8)], [("b", 1)], [("c", 8)]]


def test_neither_what_failed_nor_what_has_its_profile_is_profiled() -> None:
    rows = [row(case, Status.FAILED if case.contender.name == "b" else Status.OK) for case in PLAN.cases()]
    done = Trial(round=5, case=rows[0].case, status=Status.OK, profile=True)
    assert turns(rows, (done,)) == [[("c", 1)], [("a", 8)], [("c", 8)]]


def test_the_first_rounds_owe_profiles_nothing() -> None:
    assert [profile.reserve_s(PLAN, round_) for round_ in (1, 5, 6)] == [0, 0, 45]
    assert profile.reserve_s(msgspec.structs.replace(PLAN, profile=False), 6) == 0


def test_heats_leave_what_is_reserved() -> None:
    budget = Budget(100.0, spent_before_s=70.0)
    assert budget.holds(15.0)
    budget.reserved_s = 20.0
    assert not budget.holds(15.0)
    assert budget.left_s > 29


def test_profiles_stay_within_their_share_and_the_budget() -> None:
    fits = Budget(100.0).allow(20.0)
    assert fits(19.0)
    assert not fits(21.0)
    assert not Budget(100.0, spent_before_s=95.0).allow(20.0)(6.0)


def test_a_slow_case_is_expected_to_take_longer() -> None:
    fast, slow = (profile.seconds_of(row(PLAN.cases()[0], mean_ms=ms)) for ms in (50.0, 90.0))
    assert fast == pytest.approx(9.5)
    assert slow == pytest.approx(14.7)


def test_one_worker_profiles_its_batch_sizes_with_memory_read_before_and_after_every_burst(
    adapter: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "long_enough", lambda calls, _: calls > 40)
    starts: list[str] = []
    start = HeatWorker.start

    def counted(self: HeatWorker) -> None:
        starts.append(self.name)
        start(self)

    monkeypatch.setattr(HeatWorker, "start", counted)
    context = course_on(tmp_path)
    runnable = entry_of(adapter())
    cases = [msgspec.structs.replace(PLAN.cases()[0], batch_size=size) for size in (1, 8, 2)]
    trials = list(profile.run_profiles(context, runnable, cases, lambda case: case.batch_size != 8))
    assert [trial.case.batch_size for trial in trials] == [1, 2]
    assert starts == ["a"]
    for trial in trials:
        assert trial.profile
        assert trial.status is Status.OK
        assert trial.measurement
        assert len(trial.measurement.latencies) > 1
        assert len(trial.measurement.rss_mb) == 1 + len(trial.measurement.latencies)
        assert all(5 < held < 500 for held in trial.measurement.rss_mb)


def course_on(folder: Any) -> HeatContext:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 3))
    materials = {}
    for size in (1, 2):
        array = np.ones((size, 3), np.float32)
        np.save(folder / f"{size}.npy", array)
        materials[size] = InputSets(paths=((str(folder / f"{size}.npy"),),), expected=((2 * array.astype(float),),))
    return HeatContext(
        plan=PLAN,
        round=5,
        model=ModelRecord(name="m", digest="d", weights="seeded", inputs=(tensor,), outputs=(tensor,)),
        inputs=materials,
        tolerance=1e-4,
        logs=folder / "logs",
        scratch=folder / "scratch",
        time_is_up=lambda: False,
        say=lambda _: None,
    )


def entry_of(adapter: Any) -> Runnable:
    environment = EnvironmentSpec(name="own", kind="uv", lock=adapter)
    engine = EngineSpec(
        name="a",
        title="a",
        framework="test",
        release="today",
        league="fp32",
        adapter=adapter,
        environment=environment,
        model=ModelForm(format="onnx"),
    )
    installed = Installed(name="own", digest="d1", path=adapter, command=(sys.executable, "-I"))
    return Runnable(contender=a_contender(engine.name), engine=engine, installed=installed, model_path=adapter)
