"""Runs and trials as a race would make them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.records import (
    EngineInfo,
    Measurement,
    ModelRecord,
    Parity,
    RunRecord,
    Status,
    TensorSpec,
    Trial,
)
from bakeoff.store import Store

MODEL = ModelRecord(
    name="resnet18",
    digest="ab" * 32,
    weights="seeded",
    inputs=(TensorSpec(name="input", dtype="float32", shape=(None, 3, 224, 224)),),
    outputs=(TensorSpec(name="logits", dtype="float32", shape=(None, 1000)),),
    classes=1000,
)
ENGINE = EngineInfo(name="onnxruntime", title="ONNX Runtime", framework="onnxruntime", release="today", league="fp32")


@pytest.fixture
def a_run() -> Callable[..., RunRecord]:
    def make(name: str = "2026-11-23-1", started_at: float = 1.5e9) -> RunRecord:
        return RunRecord(
            name=name,
            started_at=started_at,
            plan=a_plan(models=("resnet18",), engines=("onnxruntime",), batch_sizes=(1, 8), threads=2),
            machine={"cpu": "a processor", "digest": "0123456789ab", "turbo": None},
            bakeoff_version="0.1.0",
            models=(MODEL,),
            engines=(ENGINE,),
        )

    return make


@pytest.fixture
def a_trial() -> Callable[..., Trial]:
    def make(round_: int = 1, batch_size: int = 1, *, status: Status = Status.OK) -> Trial:
        measurement = Measurement(
            latencies=((0.1, 0.2, 1 / 3), (0.1,), ()),
            warm_up=(0.5, 1e-300),
            load_s=1.0,
            prepare_s=0.01,
            first_inference_s=0.6,
            import_s=0.2,
            burst_s=(0.64, 0.1, 0.0),
            cpu_s=({"17": 0.6, "18": 0.5}, {"17": 0.1}, {}),
            voluntary_switches=3,
            involuntary_switches=1,
            peak_rss_mb=123.4,
            cold=True,
        )
        good = status is Status.OK
        return Trial(
            round=round_,
            case=a_case(engine="onnxruntime", model="resnet18", batch_size=batch_size, threads=2),
            status=status,
            reason="" if good else "the worker died: ünïcode\nand a second line",
            log="results/logs/1.log",
            framework_version="1.32.0",
            environment_digest="cd" * 8,
            requested={"threads": 2, "providers": ["CPUExecutionProvider"]},
            effective={"threads": 2, "spinning": True},
            parity=Parity(max_rel_error=3e-7, top1_agreement=1.0),
            measurement=measurement if good else None,
            started_at=1.6e9,
        )

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store is or can be, once for each kind of database."""
    return str(tmp_path) if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(target: str) -> Iterator[Store]:
    with Store.open(target) as opened:
        yield opened
