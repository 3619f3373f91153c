"""Under load, with a driver whose instances and LoadGen are formulas."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_case, a_contender, a_plan

from bakeoff.errors import WorkerDiedError
from bakeoff.race.heats import load
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.load_driver import LoadDriver, Result
from bakeoff.race.ready.runnable import InputSets, Runnable
from bakeoff.records import (
    EngineSpec,
    EnvironmentSpec,
    Installed,
    Load,
    ModelForm,
    ModelRecord,
    Scenario,
    Status,
    TensorSpec,
    Trial,
)
from bakeoff.worker.replies import Framework, Hello, Outputs, UnderLoad

pytestmark = pytest.mark.unit

T = TypeVar("T")
PLAN = a_plan(models=("m",), engines=("a",), batch_sizes=(1,), threads=4, scenario=Scenario.OFFLINE)


class Formula(LoadDriver):
    """Answers a query in `alone_s` seconds with one thread, and loses a tenth of each further one."""

    alone_s = 0.04
    limit: float | None = None
    """the rate up to which a server holds whatever bound"""
    broken: tuple[int, ...] = ()
    """so many instances do not run"""
    answers = 2.0
    last_answer = 2.0
    """what the input is multiplied by: before, and under load"""
    fields: list[tuple[int, int]]

    def __init__(self, runnable: Runnable, context: HeatContext, overlay: Path) -> None:
        super().__init__(runnable, context, overlay)
        self.fields = []
        self.tests: list[dict[str, Any]] = []
        self.hello = Hello(python="3.11.9", framework=Framework(version="1.0"), import_seconds=0.1)

    @property
    def latency_s(self) -> float:
        return self.alone_s / (1 + 0.9 * (self.fields[-1][1] - 1))

    def field(self, instances: int, runnable: Runnable) -> None:
        self.fields.append((instances, runnable.contender.threads or 0))

    def each(self, op: str, reply: type[T], **arguments: Any) -> list[T]:
        instances, threads = self.fields[-1]
        if op == "load" and instances in self.broken:
            raise WorkerDiedError(f"no memory for {instances}")
        content = {"effective": {"threads": threads}, "seconds": 0.5, "latencies": [self.latency_s] * 5}
        assert op != "load" or arguments["settings"]["threads"] == threads
        return [msgspec.convert(content, reply)] * instances

    def lost_files(self) -> str:
        return ""

    def outputs(self, instance: int, k: int | None) -> Outputs:
        assert instance < self.fields[-1][0]
        self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / "0.npy"
        factor = self.last_answer if k is None else self.answers
        np.save(path, factor * np.ones((1, 3), np.float32))
        return Outputs(seconds=self.latency_s, paths=[str(path)], outputs_seconds=0.0, inputs_changed=[])

    @property
    def served(self) -> list[dict[str, Any]]:
        return [test for test in self.tests if test["scenario"] == "server"]

    def test(self, scenario: str, expected_s: float, **arguments: Any) -> Result:
        self.tests.append({"scenario": scenario, "split": self.fields[-1], **arguments})
        instances, _ = self.fields[-1]
        rate = arguments.get("rate", instances / self.latency_s)
        found = UnderLoad(
            rate=rate,
            queries=arguments["queries"],
            latencies=[[self.latency_s]] * instances,
            last=[0] * instances,
            p99_seconds=0.01 if scenario == "server" else None,
            held=self.limit is None or rate <= self.limit,
        )
        return Result(found=found, wall_s=expected_s, cpu_s=expected_s, disturbance=None)


@pytest.fixture
def context(tmp_path: Path) -> HeatContext:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 3))
    np.save(tmp_path / "x.npy", np.ones((1, 3), np.float32))
    material = InputSets(paths=((str(tmp_path / "x.npy"),),), expected=((2 * np.ones((1, 3)),),))
    return HeatContext(
        plan=PLAN,
        round=1,
        model=ModelRecord(name="m", digest="d", weights="seeded", inputs=(tensor,), outputs=(tensor,)),
        inputs={1: material},
        tolerance=1e-4,
        logs=tmp_path / "logs",
        scratch=tmp_path / "scratch",
        time_is_up=lambda: False,
        say=lambda _: None,
    )


def an_entry(name: str, folder: Path) -> Runnable:
    engine = EngineSpec(
        name=name,
        title=name,
        framework="test",
        release="today",
        league="fp32",
        adapter=folder,
        environment=EnvironmentSpec(name="own", kind="uv", lock=folder),
        model=ModelForm(format="onnx"),
    )
    installed = Installed(name="own", digest="d", path=folder, command=("python",))
    return Runnable(
        contender=a_contender(name, threads=4), engine=engine, installed=installed, model_path=folder, overlay=folder
    )


class Fixed:
    """Drivers by engine, kept to be looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Formula] = []
        self.kinds: dict[str, type[Formula]] = {}
        monkeypatch.setattr(load, "LoadDriver", self.make)

    def make(self, runnable: Runnable, context: HeatContext, overlay: Path) -> Formula:
        driver = self.kinds.get(runnable.engine.name, Formula)(runnable, context, overlay)
        self.made.append(driver)
        return driver


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> Fixed:
    return Fixed(monkeypatch)


def one_round(context: HeatContext, names: Sequence[str], before: Sequence[Trial] = ()) -> dict[str, Trial]:
    runnables = [an_entry(name, context.scratch) for name in names]
    wanted = {a_case(engine=name, model="m", batch_size=1, threads=4) for name in names}
    return {trial.case.contender.name: trial for (trial,) in load.run_load(context, runnables, wanted, before)}


def load_of(trial: Trial) -> Load:
    assert trial.status is Status.OK, trial.reason
    assert trial.measurement
    assert trial.measurement.load
    return trial.measurement.load


def with_plan(context: HeatContext, **changes: Any) -> HeatContext:
    return replace(context, plan=msgspec.structs.replace(context.plan, **changes))


def test_the_best_split_is_chosen_in_the_first_round_and_then_measured_afresh(
    context: HeatContext, drivers: Fixed
) -> None:
    trial = one_round(context, "a")["a"]
    found = load_of(trial)
    assert (found.instances, found.threads) == (4, 1)
    assert found.rate == pytest.approx(4 / 0.04)
    assert [(probe.instances, probe.threads) for probe in found.probes] == [(1, 4), (2, 2), (4, 1)]
    assert drivers.made[0].fields == [(1, 4), (2, 2), (4, 1), (4, 1)]
    assert trial.requested["threads"] == 1


def test_later_rounds_keep_the_split(context: HeatContext, drivers: Fixed) -> None:
    first = one_round(context, "a")["a"]
    second = load_of(one_round(replace(context, round=2), "a", [first])["a"])
    assert drivers.made[1].fields == [(4, 1)]
    assert not second.probes


def test_another_model_s_split_is_no_answer(context: HeatContext, drivers: Fixed) -> None:
    first = one_round(context, "a")["a"]
    other = msgspec.structs.replace(first, case=msgspec.structs.replace(first.case, model="n"))
    one_round(replace(context, round=2), "a", [other])
    assert len(drivers.made[1].fields) == 4


def test_what_is_found_out_once_is_not_expected_of_later_heats(context: HeatContext, drivers: Fixed) -> None:
    once: list[float] = []
    one_round(replace(context, happens_once=once.append), "a")
    assert len(once) == 1
    assert len(drivers.made[0].fields) == 4


def test_a_split_that_does_not_run_is_left_out_with_its_reason(context: HeatContext, drivers: Fixed) -> None:
    drivers.kinds["a"] = type("Heavy", (Formula,), {"broken": (4,)})
    found = load_of(one_round(context, "a")["a"])
    assert (found.instances, found.threads) == (2, 2)
    assert [probe.reason for probe in found.probes] == ["", "", "no memory for 4"]


def test_an_engine_of_which_no_split_runs_is_a_row_with_its_reason(context: HeatContext, drivers: Fixed) -> None:
    drivers.kinds["a"] = type("TooHeavy", (Formula,), {"broken": (1, 2, 4)})
    trials = one_round(context, ("a", "b"))
    assert (trials["a"].status, trials["a"].reason) == (Status.FAILED, "no memory for 1")
    assert trials["b"].status is Status.OK


@pytest.mark.parametrize(("field", "when"), [("answers", ""), ("last_answer", " (under load)")])
def test_a_wrong_answer_has_no_figure_under_load_either(
    context: HeatContext, drivers: Fixed, field: str, when: str
) -> None:
    drivers.kinds["a"] = type("Wrong", (Formula,), {field: 3.0})
    trial = one_round(context, "a")["a"]
    assert trial.status is Status.WRONG
    assert trial.reason.endswith(when)
    assert trial.measurement is None


def test_a_server_s_rate_is_searched_for_and_then_confirmed_on_a_full_sample(
    context: HeatContext, drivers: Fixed
) -> None:
    drivers.kinds["a"] = type("Limited", (Formula,), {"limit": 50.0})
    found = load_of(one_round(with_plan(context, scenario=Scenario.SERVER, latency_bound_s=0.05), "a")["a"])
    assert 50.0 / 1.03 <= found.rate <= 50.0
    assert (found.bound_s, found.queries) == (0.05, load.SERVER_QUERIES)
    *search, last = drivers.made[0].served
    assert {test["queries"] for test in search} == {load.PROBE_QUERIES}
    assert last["seed"] not in {test["seed"] for test in search}
    assert len(found.probes) == len(drivers.made[0].served)


def test_the_same_arrivals_come_to_every_engine_of_a_round_and_others_in_the_next(
    context: HeatContext, drivers: Fixed
) -> None:
    server = with_plan(context, scenario=Scenario.SERVER, latency_bound_s=0.05)
    one_round(server, ("a", "b"))
    one_round(replace(server, round=2), "a")
    seeds = [driver.served[0]["seed"] for driver in drivers.made]
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_later_search_begins_where_the_last_one_ended(context: HeatContext, drivers: Fixed) -> None:
    drivers.kinds["a"] = type("Limited", (Formula,), {"limit": 50.0})
    server = with_plan(context, scenario=Scenario.SERVER, latency_bound_s=0.05)
    first = one_round(server, "a")["a"]
    one_round(replace(server, round=2), "a", [first])
    assert drivers.made[1].served[0]["rate"] == load_of(first).rate
    assert len(drivers.made[1].served) <= 6


def test_the_default_bound_is_four_times_a_single_stream_s_latency_and_the_same_for_all(
    context: HeatContext, drivers: Fixed
) -> None:
    for name, seconds in (("a", 0.02), ("b", 0.04), ("c", 0.05)):
        drivers.kinds[name] = type("Timed", (Formula,), {"alone_s": seconds})
    server = with_plan(context, scenario=Scenario.SERVER)
    trials = one_round(server, ("a", "b", "c"))
    (bound,) = {load_of(trial).bound_s for trial in trials.values()}
    assert bound == pytest.approx(4 * 0.04 / 3.7)
    again = one_round(replace(server, round=2), ("a", "b"), list(trials.values()))
    assert {load_of(trial).bound_s for trial in again.values()} == {bound}


def test_a_bound_below_a_query_s_own_time_is_one_that_no_rate_holds(context: HeatContext, drivers: Fixed) -> None:
    server = with_plan(context, scenario=Scenario.SERVER, latency_bound_s=0.001)
    trial = one_round(server, "a")["a"]
    assert trial.status is Status.UNSUPPORTED
    assert trial.reason == "no rate holds a 99th percentile of 1 ms: a query alone takes 10.8 ms"
    assert not drivers.made[0].served


def test_a_server_that_never_holds_its_bound_says_down_to_which_rate(context: HeatContext, drivers: Fixed) -> None:
    drivers.kinds["a"] = type("Late", (Formula,), {"limit": 0.0})
    trial = one_round(with_plan(context, scenario=Scenario.SERVER, latency_bound_s=0.05), "a")["a"]
    assert trial.status is Status.UNSUPPORTED
    assert trial.reason.startswith("no rate that was tried, down to 1.85 queries/s, holds a 99th percentile of 50 ms")


def test_time_that_is_up_leaves_the_rest_of_the_field_for_another_round(context: HeatContext, drivers: Fixed) -> None:
    assert len(one_round(replace(context, time_is_up=lambda: True), ("a", "b", "c"))) == 1
    assert len(drivers.made) == 1
