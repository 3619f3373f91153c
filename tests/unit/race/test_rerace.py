"""The gate's own race, up to where it would begin."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.engines import snapshot
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.models.library import ModelLibrary
from bakeoff.race import machine_audit, machine_lock
from bakeoff.race.ready import prepare
from bakeoff.race.rerace import Rerace
from bakeoff.records import ModelRecord, Status
from bakeoff.scorecards import Score, Scorecard
from bakeoff.store import Store
from bakeoff.views.racing import Silence

pytestmark = pytest.mark.unit

ENGINE = "onnxruntime"
HERE = ModelRecord(name="resnet18", digest="1" * 64, weights="seeded", inputs=(), outputs=())


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a race would do, in its order; it ends where environments would be built."""
    steps: list[str] = []

    @contextmanager
    def held(_who: str, _say: Any) -> Iterator[None]:
        steps.append("held")
        yield

    def resolve(*_: Any) -> ModelRecord:
        steps.append("resolved")
        return HERE

    def install(*_: Any) -> None:
        steps.append("installing")
        raise KeyboardInterrupt

    monkeypatch.setattr(machine_lock, "held", held)
    monkeypatch.setattr(machine_audit, "examine", lambda *_, **__: ())
    monkeypatch.setattr(ModelLibrary, "resolve", resolve)
    monkeypatch.setattr(prepare, "install", install)
    return steps


def rerace(catalogue: Catalogue, digest: str) -> Rerace:
    plan = a_plan(models=("resnet18",), engines=(ENGINE,), batch_sizes=(1,))
    case = a_case(ENGINE, "resnet18", 1)
    baseline = Scorecard(
        name="then",
        started_at=0.0,
        bakeoff_version="0",
        machine={},
        plan=plan,
        models=(ModelRecord(name="resnet18", digest=digest, weights="seeded", inputs=(), outputs=()),),
        engines=(),
        scores=(Score(case=case, league="fp32", status=Status.OK, rounds={1: 1.0}),),
    )
    return Rerace(baseline, {ENGINE: snapshot.snapshot_of(catalogue.engines[ENGINE])}, max_slowdown=0.05, budget_s=60.0)


def test_no_model_is_opened_before_the_machine_is_held_and_none_twice(done: list[str], tmp_path: Path) -> None:
    catalogue = Catalogue.load()
    with Store.open(tmp_path) as store, pytest.raises(KeyboardInterrupt):
        rerace(catalogue, HERE.digest).run(catalogue, store, tmp_path, Silence())
    assert done == ["held", "resolved", "installing"]


def test_another_network_under_the_baseline_s_name_is_refused_before_anything_is_built(
    done: list[str], tmp_path: Path
) -> None:
    catalogue = Catalogue.load()
    with Store.open(tmp_path) as store, pytest.raises(UsageError, match="not the baseline's network any more"):
        rerace(catalogue, "2" * 64).run(catalogue, store, tmp_path, Silence())
    assert done == ["held", "resolved"]
