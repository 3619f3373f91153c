"""Runs in a store, as races would leave them."""

from pathlib import Path

from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.records import CANARY, EngineInfo, ModelRecord, RunRecord, Status, Trial
from bakeoff.store import Store


def a_trial(engine: str, round_: int, speed: float) -> Trial:
    measurement = a_measurement(
        latencies=((1 / speed, 1 / speed), (1 / speed,)),
        warm_up=(2 / speed,),
        load_s=1.0,
        first_inference_s=0.5,
        import_s=0.1,
        burst_s=(2 / speed, 1 / speed),
        cpu_s=({"1": 1.5, "2": 0.5}, {"1": 1.0}),
        peak_rss_mb=100.0,
    )
    case = a_case(engine=engine, model="tiny", batch_size=1, threads=2)
    return Trial(round=round_, case=case, status=Status.OK, measurement=measurement, started_at=float(round_))


def keep(output: Path, name: str, speed: float, tag: str) -> None:
    """Store a run of two engines, "fast" at `speed` images/s and "slow" at half of that, and the canary."""
    engines = ("fast", "slow")
    run = RunRecord(
        name=name,
        started_at=1.7e9 + speed,
        plan=a_plan(models=("tiny",), engines=engines, batch_sizes=(1,), threads=2),
        machine={"cpu": "one", "usable_cpus": 2, "digest": "abcdef012345"},
        bakeoff_version="0.1.0",
        models=(ModelRecord(name="tiny", digest="1" * 64, weights="seeded", inputs=(), outputs=()),),
        engines=tuple(EngineInfo(name=e, title=e, framework=e, release="today", league="fp32") for e in engines),
        state="finished",
        tags=(tag,),
    )
    with Store.open(output) as store:
        store.create_run(run)
        for round_ in range(1, 7):
            noise = 1 + round_ / 1000
            speeds = {"fast": speed * noise, "slow": speed / 2, CANARY: 100.0}
            store.add_trials(name, [a_trial(engine, round_, value) for engine, value in speeds.items()])
