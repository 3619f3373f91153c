"""The driver, with a LoadGen of our own in place of MLPerf's, and real workers."""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bakeoff.worker import worker

pytestmark = pytest.mark.unit

scenarios: Any = importlib.import_module("bakeoff.worker.scenarios")  # it is not typed

MODEL = {"path": "", "format": "onnx", "inputs": [], "outputs": []}
SETTINGS = {"threads": 1, "precision": "fp32", "batch_size": 1}


class LoadGen:
    """Issues its queries all at once, waits for the answers, and writes a log as MLPerf's does."""

    TestScenario = SimpleNamespace(Offline="offline", Server="server")
    TestMode = SimpleNamespace(PerformanceOnly="performance")

    def __init__(self) -> None:
        self.completed: list[int] = []

    def TestSettings(self) -> SimpleNamespace:  # noqa: N802 - LoadGen's own names
        return SimpleNamespace()

    def LogSettings(self) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(log_output=SimpleNamespace())

    def ConstructSUT(self, issue: Any, _flush: Any) -> Any:  # noqa: N802
        return issue

    def ConstructQSL(self, count: int, *_: Any) -> int:  # noqa: N802
        return count

    def DestroySUT(self, _: Any) -> None:  # noqa: N802
        pass

    DestroyQSL = DestroySUT

    def QuerySampleResponse(self, identity: int, *_: Any) -> int:  # noqa: N802
        return identity

    def QuerySamplesComplete(self, responses: list[int]) -> None:  # noqa: N802
        self.completed += responses

    def StartTestWithLogSettings(self, issue: Any, sets: int, settings: Any, logs: Any) -> None:  # noqa: N802
        count = settings.min_query_count
        issue([SimpleNamespace(id=i, index=i % sets) for i in range(count)])
        while len(self.completed) < count:
            pass
        entry = {"key": "result_samples_per_second", "value": 25.0}
        log = f':::MLLOG {json.dumps(entry)}\n:::MLLOG {{"key": "loadgen_version", "value": "6"}}\n'
        (Path(logs.log_output.outdir) / "mlperf_log_detail.txt").write_text(log, encoding="utf-8")


@pytest.fixture
def driver_of(adapter: Callable[..., Path], tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    drivers: list[Any] = []

    def start(methods: str) -> Any:
        path = tmp_path / "set.npy"
        np.save(path, np.ones((1, 3), np.float32))
        driver = scenarios.Driver(worker.PROTOCOL, str(adapter(methods)))
        driver.loadgen = LoadGen()
        drivers.append(driver)
        driver.start(2, [sys.executable, "-I"], None)
        driver.each({"op": "load", "model": MODEL, "settings": SETTINGS})
        driver.each({"op": "prepare", "input_sets": [[str(path)]] * 3})
        return driver

    yield start
    for driver in drivers:
        driver.close()


def test_every_query_is_answered_by_one_of_the_instances(driver_of: Callable[[str], Any]) -> None:
    driver = driver_of("")
    found = driver.offline(sets=3, queries=20, seed=1)
    assert found["rate"] == 25.0
    assert found["queries"] == sum(map(len, found["latencies"])) == 20
    assert sorted(driver.loadgen.completed) == [*range(20)]
    assert all(k in (0, 1, 2, None) for k in found["last"])


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux tells which CPUs are ours")
def test_instances_share_out_our_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 1, 3, 5, 8})
    assert scenarios.shares(1) == [[1, 3, 5, 7, 8]]
    assert scenarios.shares(2) == [[1, 3], [5, 7]]
    assert scenarios.shares(6) == [[]] * 6


def test_an_instance_that_dies_ends_the_test_and_is_named(driver_of: Callable[[str], Any]) -> None:
    driver = driver_of("""
    def run(self, k):
        self.runs = getattr(self, "runs", 0) + 1
        if self.runs == 5:
            os._exit(4)
    """)
    with pytest.raises(scenarios.InstanceDied, match=r"instance [12] of 2 exited with code 4 during `query`"):
        driver.offline(sets=3, queries=40, seed=1)
    assert len(driver.loadgen.completed) == 40


def test_an_instance_s_error_keeps_its_name(driver_of: Callable[[str], Any]) -> None:
    with pytest.raises(Exception, match="it has no such kernel") as raised:
        driver_of("""
    def load(self, model, settings):
        raise NotImplementedError("it has no such kernel")
    """)
    assert type(raised.value).__name__ == "NotImplementedError"
