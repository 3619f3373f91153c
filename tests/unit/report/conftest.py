"""A run with a row of every kind."""

from collections.abc import Sequence

import pytest
from tests.unit.made import a_plan

from bakeoff.records import Case, EngineInfo, Finding, ModelRecord, Parity, RunRecord, Status, Summary, TensorSpec

MODELS = ("resnet18", "resnet50")
BATCHES = (1, 2, 4, 8)
SPEEDS = {"openvino": 45.0, "onnxruntime": 44.6, "pytorch-compile": 30.0, "keras": 9.87}


def a_summary(case: Case, **fields: object) -> Summary:
    nothing: dict[str, object] = {
        "case": case,
        "status": Status.OK,
        "reason": "",
        "framework_version": "1.2.3",
        "requested": {"threads": 2},
        "effective": {"threads": 2},
        "fps": None,
        "fps_ci95": None,
        "latency_ms": dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "min")),
        "load_s": None,
        "first_inference_s": None,
        "peak_rss_mb": None,
        "cores_used": None,
        "parity": None,
        "trials": 0,
    }
    return Summary(**(nothing | fields))  # type: ignore[arg-type]


def measured(case: Case, fps: float, spread: float = 0.02, **fields: object) -> Summary:
    ms = case.batch_size / fps * 1e3
    latency = {"mean": ms, "p50": ms * 0.99, "p90": None, "p95": None, "p99": None, "min": ms * 0.9}
    usual: dict[str, object] = {
        "fps": fps,
        "fps_ci95": (fps / (1 + spread), fps * (1 + spread)),
        "latency_ms": latency,
        "load_s": 0.25,
        "first_inference_s": 1.5,
        "peak_rss_mb": 312.5,
        "cores_used": 1.97,
        "parity": Parity(max_rel_error=3.1e-7, top1_agreement=1.0),
        "trials": 6,
    }
    return a_summary(case, **(usual | fields))


@pytest.fixture
def run() -> RunRecord:
    engines = (*SPEEDS, "ncnn", "pytorch-2019", "mxnet")
    signature = (TensorSpec(name="input", dtype="float32", shape=(None, 3, 224, 224)),)
    return RunRecord(
        name="2026-11-23-1",
        started_at=1795464000.0,
        plan=a_plan(models=MODELS, engines=engines, batch_sizes=BATCHES, threads=2, weights="my weights.pth"),
        machine={
            "cpu": "AMD EPYC",
            "logical_cpus": 2,
            "usable_cpus": 2,
            "physical_cores": 2,
            "instruction_sets": ["avx2", "avx512f", "avx512_vnni"],
            "memory_bytes": 25_276_000_000,
            "os": "Debian GNU/Linux 12",
            "digest": "0123456789ab",
        },
        bakeoff_version="0.1.0",
        models=tuple(
            ModelRecord(name=name, digest="ab" * 32, weights="seeded", inputs=signature, outputs=signature)
            for name in MODELS
        ),
        engines=tuple(
            EngineInfo(
                name=name, title=name, framework=name, release="2019" if "2019" in name else "today", league="fp32"
            )
            for name in engines
        ),
        state="finished",
        elapsed_s=888.0,
        audit=(Finding(topic="battery", found="the machine runs from its battery", advice="plug it in"),),
    )


@pytest.fixture
def rows(run: RunRecord) -> Sequence[Summary]:
    return [row_of(case) for case in run.plan.cases()]


def row_of(case: Case) -> Summary:
    match case.contender.name:
        case "ncnn":
            parity = Parity(max_rel_error=3.1e-2, top1_agreement=0.75)
            return a_summary(case, status=Status.WRONG, reason="error 3.1e-02 is beyond 1e-04", parity=parity)
        case "pytorch-2019":
            return a_summary(case, status=Status.UNAVAILABLE, reason="no Python 3.6\n| `pyenv install 3.6`")
        case "mxnet" if case.batch_size == 8:
            return a_summary(case, status=Status.TIMED_OUT, reason="no answer in 300 s")
        case "mxnet":
            return a_summary(case, status=Status.NOT_RUN, reason="budget")
        case "keras":
            cautions = ("provisional: 2 rounds", "cores: 3.1 used with 2 threads asked")
            return measured(case, SPEEDS["keras"], spread=0.004, cautions=cautions, trials=2)
        case name:
            fast = 2.5 if case.model == "resnet18" else 1
            return measured(case, SPEEDS[name] * fast * (1 + case.batch_size / 100))
