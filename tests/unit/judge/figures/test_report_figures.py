"""The figures of a report that are simple enough for one file: shares of the peak, spreads of latencies."""

import msgspec
import pytest
from tests.unit.made import a_case, a_measurement, a_plan, a_row

from bakeoff.judge.figures.latencies import spreads
from bakeoff.judge.figures.peak import shares
from bakeoff.records import ModelRecord, Peak, RunRecord, Status, Summary, Trial

pytestmark = pytest.mark.unit

CASE = a_case(engine="a", model="m", batch_size=4, threads=2)
PEAK = Peak(gemm=2e11, convolution=1e11, threads=2, machine="d", measured_at=0.0)


def a_row_at(fps: float | None) -> Summary:
    return a_row(CASE, framework_version="1", fps=fps, trials=1)


def a_run(flops: int) -> RunRecord:
    model = ModelRecord(name="m", digest="d", weights="seeded", inputs=(), outputs=(), flops=flops)
    plan = a_plan(models=("m",), engines=("a",), batch_sizes=(4,), threads=2)
    return RunRecord(name="r", started_at=0.0, plan=plan, machine={}, bakeoff_version="0", models=(model,))


def a_trial(round_: int, *latencies: float) -> Trial:
    measured = a_measurement(latencies=(latencies,), burst_s=(1.0,), cold=False)
    return Trial(round=round_, case=CASE, status=Status.OK, measurement=measured)


def test_a_share_of_the_peak_is_of_the_better_of_both_figures() -> None:
    (share,) = shares(a_run(10**9), [a_row_at(50.0)], PEAK)
    assert (share.flops, share.share) == (5e10, 0.25)


@pytest.mark.parametrize(("flops", "fps", "peak"), [(0, 50.0, PEAK), (10**9, None, PEAK), (10**9, 50.0, None)])
def test_what_is_not_known_has_no_share(flops: int, fps: float | None, peak: Peak | None) -> None:
    assert shares(a_run(flops), [a_row_at(fps)], peak) == []


def test_a_spread_is_of_the_profile_trial_where_there_is_one() -> None:
    raced = [a_trial(1, 0.001, 0.002), a_trial(2, 0.003, 0.004, 0.005)]
    profile = msgspec.structs.replace(a_trial(2, *(0.001 * n for n in range(101))), profile=True)
    (short,) = spreads([a_row_at(1.0)], raced)
    (long,) = spreads([a_row_at(1.0)], [*raced, profile])
    assert short.p50 == pytest.approx(3.0)
    assert (short.count, short.profiled) == (5, False)
    assert [long.p5, long.p25, long.p50, long.p75, long.p95] == pytest.approx([5, 25, 50, 75, 95])
    assert (long.count, long.profiled) == (101, True)
    assert spreads([a_row_at(None)], raced) == []
