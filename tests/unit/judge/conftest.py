"""Runs as scorecards."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from tests.unit.made import a_case, a_plan

from bakeoff.records import EngineInfo, ModelRecord, Status
from bakeoff.scorecards import CanaryRounds, Score, Scorecard

MACHINE = {"cpu": "one", "usable_cpus": 2, "kernel": "6.1", "digest": "aaaaaa"}


@pytest.fixture
def a_card() -> Callable[..., Scorecard]:
    """`speeds`: engine -> log throughputs, from round 1 on; one model at batch 1."""

    def make(
        speeds: Mapping[str, Sequence[float]],
        *,
        name: str = "then",
        canary: Sequence[float] = (),
        version: int = 2,
        canary_threads: int = 1,
        disturbed: Sequence[int] = (),
        cautions: Sequence[str] = (),
        threads: int = 2,
        digest: str = "d" * 64,
        league: str = "fp32",
        framework_version: str = "1.0",
        machine: Mapping[str, Any] = MACHINE,
        status: Status = Status.OK,
    ) -> Scorecard:
        def rounds(values: Sequence[float]) -> dict[int, float]:
            return dict(enumerate(values, 1))

        beside = CanaryRounds(model="m", batch_size=1, threads=canary_threads, rounds=rounds(canary), version=version)
        return Scorecard(
            name=name,
            started_at=0.0,
            bakeoff_version="0",
            machine=machine,
            plan=a_plan(models=("m",), engines=tuple(speeds), batch_sizes=(1,), threads=threads),
            models=(ModelRecord(name="m", digest=digest, weights="seeded", inputs=(), outputs=()),),
            engines=tuple(
                EngineInfo(
                    name=engine,
                    title=engine,
                    framework=engine,
                    release="2019" if engine.endswith("-2019") else "today",
                    league=league,
                )
                for engine in speeds
            ),
            scores=tuple(
                Score(
                    case=a_case(engine=engine, model="m", batch_size=1, threads=threads),
                    league=league,
                    status=status,
                    reason="" if status is Status.OK else "it broke",
                    framework_version=framework_version,
                    rounds=rounds(values) if status is Status.OK else {},
                    disturbed=tuple(disturbed),
                    cautions=tuple(cautions),
                )
                for engine, values in speeds.items()
            ),
            canary=(beside,) if canary else (),
            elapsed_s=100.0,
        )

    return make
