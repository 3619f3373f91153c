import datetime as dt
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from bakeoff.errors import StoreError
from bakeoff.records import Accuracy, Disturbance, EngineInfo, Finding, RunRecord, Status, Trial
from bakeoff.store import Store

pytestmark = pytest.mark.unit

MakeRun = Callable[..., RunRecord]
MakeTrial = Callable[..., Trial]


def test_a_run_comes_back_as_it_was_stored(store: Store, a_run: MakeRun) -> None:
    store.create_run(a_run())
    assert store.run("2026-11-23-1") == a_run()


def test_what_the_audit_found_is_kept_beside_the_machine_and_may_change(store: Store, a_run: MakeRun) -> None:
    finding = Finding(topic="battery", found="in use", advice="plug it in")
    run = msgspec.structs.replace(a_run(), audit=(finding,))
    store.create_run(run)
    assert store.run() == run
    more = (finding, Finding(topic="load", found="9.9", advice="wait"))
    store.update_run(run.name, audit=more)
    longer = msgspec.structs.replace(run.plan, budget_s=run.plan.budget_s + 60)
    store.update_run(run.name, plan=longer)
    assert store.run() == msgspec.structs.replace(run, audit=more, plan=longer)


def test_a_trial_keeps_its_disturbance(store: Store, a_run: MakeRun, a_trial: MakeTrial) -> None:
    store.create_run(a_run())
    seen = Disturbance(others_cpu_s=0.5, steal_s=0.1, wall_s=1.0, cpus=2.0, resolution_s=0.04)
    trial = msgspec.structs.replace(a_trial(), disturbance=seen, repeat=True, accuracy=Accuracy(right=18, pictures=20))
    store.add_trials("latest", [trial])
    assert store.trials() == [trial]


def test_trials_come_back_as_they_were_stored_in_the_order_they_came(
    store: Store, a_run: MakeRun, a_trial: MakeTrial
) -> None:
    store.create_run(a_run())
    trials = [a_trial(2, 8), a_trial(1, 1), a_trial(3, status=Status.FAILED)]
    store.add_trials("2026-11-23-1", trials[:2])
    store.add_trials("2026-11-23-1", trials[2:])
    assert store.trials("2026-11-23-1") == trials


def test_trials_without_latencies_keep_all_the_rest(store: Store, a_run: MakeRun, a_trial: MakeTrial) -> None:
    store.create_run(a_run())
    store.add_trials("latest", [a_trial()])
    (trial,) = store.trials(latencies=False)
    assert trial.measurement
    assert (trial.measurement.latencies, trial.measurement.warm_up) == ((), ())
    original = a_trial()
    assert original.measurement
    bare = msgspec.structs.replace(original.measurement, latencies=(), warm_up=())
    assert trial == msgspec.structs.replace(original, measurement=bare)


def test_trials_of_other_runs_stay_apart(store: Store, a_run: MakeRun, a_trial: MakeTrial) -> None:
    store.create_run(a_run("first"))
    store.create_run(a_run("second"))
    store.add_trials("first", [a_trial(1)])
    store.add_trials("second", [a_trial(2)])
    assert [trial.round for trial in store.trials("first")] == [1]


def test_a_run_without_trials_has_none(store: Store, a_run: MakeRun) -> None:
    store.create_run(a_run())
    store.add_trials("latest", [])
    assert store.trials() == []


def test_the_latest_run_is_the_one_begun_last(store: Store, a_run: MakeRun) -> None:
    store.create_run(a_run("later", started_at=2e9))
    store.create_run(a_run("earlier", started_at=1e9))
    assert store.run().name == "later"
    assert [run.name for run in store.runs()] == ["later", "earlier"]


def test_an_update_changes_what_is_given_and_nothing_else(store: Store, a_run: MakeRun) -> None:
    store.create_run(a_run())
    engines = (EngineInfo(name="e", title="E", framework="f", release="today", league="fp32"),)
    store.update_run("2026-11-23-1", state="finished", elapsed_s=12.5, engines=engines, models=())
    store.update_run("2026-11-23-1")
    assert store.run() == msgspec.structs.replace(a_run(), state="finished", elapsed_s=12.5, engines=engines, models=())


@pytest.mark.parametrize("use", [Store.run, Store.trials, lambda s, n: s.update_run(n, state="finished")])
def test_an_unknown_run_is_answered_with_those_there_are(
    store: Store, a_run: MakeRun, use: Callable[[Store, str], object]
) -> None:
    store.create_run(a_run())
    with pytest.raises(StoreError, match="no run '2026-11-23-2'; it holds 1: 2026-11-23-1"):
        use(store, "2026-11-23-2")


def test_trials_of_an_unknown_run_are_refused(store: Store, a_trial: MakeTrial) -> None:
    with pytest.raises(StoreError, match="holds no run yet"):
        store.add_trials("nosuch", [a_trial()])


@pytest.mark.parametrize("name", ["", "latest"])
def test_a_name_that_could_not_be_asked_for_is_refused(store: Store, a_run: MakeRun, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be named"):
        store.create_run(a_run(name))


def test_a_second_run_of_one_name_is_refused(store: Store, a_run: MakeRun) -> None:
    store.create_run(a_run())
    with pytest.raises(StoreError, match="already has a run 2026-11-23-1"):
        store.create_run(a_run())


def test_a_batch_with_one_bad_trial_leaves_none(store: Store, a_run: MakeRun, a_trial: MakeTrial) -> None:
    store.create_run(a_run())
    bad = msgspec.structs.replace(a_trial(), framework_version=None)
    with pytest.raises(StoreError, match=r"(?i)not.null"):
        store.add_trials("latest", [a_trial(), bad])
    assert store.trials() == []


def test_names_count_up_each_day_and_pass_over_those_taken(store: Store, a_run: MakeRun) -> None:
    store.create_run(a_run("2026-11-23-2"))
    days = [dt.date(2026, 11, 23), dt.date(2026, 11, 23), dt.date(2026, 11, 24)]
    assert [store.new_run_name(day) for day in days] == ["2026-11-23-1", "2026-11-23-3", "2026-11-24-1"]


def test_no_two_callers_ever_get_the_same_name(target: str) -> None:
    def take(_: int) -> list[str]:
        with Store.open(target) as store:
            return [store.new_run_name(dt.date(2026, 11, 23)) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        names = [name for taken in pool.map(take, range(4)) for name in taken]
    assert sorted(names) == sorted(f"2026-11-23-{n}" for n in range(1, 21))


def write_many(target: str, run: str, trial: Trial) -> None:
    with Store.open(target) as store:
        for number in range(20):
            trials = [msgspec.structs.replace(trial, round=4 * number + n) for n in range(4)]
            store.add_trials(run, trials)


def test_two_processes_that_write_at_once_lose_nothing(
    target: str, store: Store, a_run: MakeRun, a_trial: MakeTrial
) -> None:
    store.create_run(a_run("one"))
    store.create_run(a_run("two"))
    spawn: Any = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    writers = [spawn.Process(target=write_many, args=(target, run, a_trial())) for run in ("one", "two")]
    store.close()  # a connection must not be carried over a fork
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert (len(store.trials("one")), len(store.trials("two"))) == (80, 80)
