import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.selftest import DELAYED, request, three_of

pytestmark = pytest.mark.unit


def test_the_three_differ_in_nothing_but_the_delay() -> None:
    catalogue, names = three_of(Catalogue.load(), "onnxruntime", 0.05)
    alone = Catalogue.load().engines["onnxruntime"]
    plain, again, delayed = (catalogue.engines[name] for name in (names.plain, names.again, names.delayed))
    assert plain.adapter == again.adapter == delayed.adapter == DELAYED
    assert plain.env == again.env == {**delayed.env, "BAKEOFF_DELAY": "0.000000"}
    assert delayed.env == {**alone.env, "BAKEOFF_DELAYED_ADAPTER": str(alone.adapter), "BAKEOFF_DELAY": "0.050000"}
    assert {engine.environment for engine in (plain, again, delayed)} == {alone.environment}
    plan = make_plan(request(names, model="resnet18", threads=1, budget_s=60.0, seed=3), catalogue, this_machine())
    assert plan.names == (names.plain, names.again, names.delayed)
    assert (plan.target_ci, plan.target_ci_rest, plan.profile, plan.seed) == (0.0, 0.0, False, 3)


def test_several_engines_are_not_one() -> None:
    with pytest.raises(UsageError, match="takes one"):
        three_of(Catalogue.load(), "onnxruntime*", 0.05)


def test_a_delayed_adapter_takes_that_much_longer_and_answers_the_same(
    adapter: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    naps = adapter("def run(self, k):\n    time.sleep(0.005)\n    self.result = k")
    monkeypatch.setenv("BAKEOFF_DELAYED_ADAPTER", str(naps))
    monkeypatch.setenv("BAKEOFF_DELAY", "2.0")
    spec = importlib.util.spec_from_file_location("delayed", DELAYED)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(str(naps.parent))  # which the adapter adds too: this takes it away again
    spec.loader.exec_module(module)
    engine = module.Engine()
    assert engine.describe() == {"version": "1.0"}
    seconds = []
    for k in range(5):
        begin = time.perf_counter()
        engine.run(k)
        seconds.append(time.perf_counter() - begin)
        assert engine.outputs() == [k]
    assert median(seconds) >= 3 * 0.005
