"""What others took of the CPUs, on synthetic counters and once for real."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bakeoff.machine import cgroups, counters
from bakeoff.machine.counters import CpuTimes, Snapshot
from bakeoff.machine.others import Watch, between, together
from bakeoff.records import Disturbance

pytestmark = pytest.mark.unit

Record = Callable[[Mapping[str, str]], Path]
STAT = """cpu  300 0 100 1500 100 0 0 40 0 0
cpu0 100 10 50 700 50 1 2 20 90 0
cpu1 200 0 50 800 50 0 0 20 0 0
intr 1 2 3
cpufreq 1
"""


def at(seconds: float, idle: tuple[float, ...], own: float = 0.0, stolen: float = 0.0) -> Snapshot:
    """Counters of CPUs that have been up for `seconds`."""
    cpus = {i: CpuTimes(idle=each, stolen=stolen, total=seconds) for i, each in enumerate(idle)}
    return Snapshot(at=seconds, cpus=cpus, own={1: own})


def took(before: Snapshot, after: Snapshot, allowed: tuple[int, ...] = (0, 1), quota: float | None = None) -> float:
    seen = between(before, after, allowed, quota)
    assert seen
    return round(seen.others_cpu_s, 9)


def test_time_that_is_neither_idle_nor_stolen_nor_ours_is_others() -> None:
    seen = between(at(10, (5, 5)), at(12, (5.5, 6), own=1.5, stolen=0.25), (0, 1), None)
    assert seen
    assert (seen.others_cpu_s, seen.steal_s, seen.wall_s, seen.cpus) == (0.5, 0.5, 2.0, 2.0)
    assert seen.share == 0.25
    assert seen.resolution_s == pytest.approx(0.03 * math.sqrt(2))


def test_an_engine_that_uses_all_there_is_disturbs_nobody() -> None:
    assert took(at(10, (5, 5)), at(12, (5, 5), own=4)) == 0
    assert took(at(10, (5, 5)), at(12, (5, 5), own=4.02)) == 0  # rounding


def test_who_runs_where_we_may_not_is_no_disturbance() -> None:
    assert took(at(10, (5, 5, 5, 5)), at(12, (5, 7, 5, 5), own=2), allowed=(0, 1)) == 0


def test_under_a_quota_the_others_use_what_it_leaves_over_first() -> None:
    before, after = at(10, (5,) * 8), at(12, (6,) * 8, own=4)  # 8 of 16 CPU seconds idle, 4 ours, 4 theirs
    assert took(before, after, tuple(range(8)), quota=2.0) == 0
    full = at(12, (5,) * 8, own=3)  # 13 theirs, of which 12 on what is not ours
    assert took(before, full, tuple(range(8)), quota=2.0) == 1
    seen = between(before, full, range(8), 2.0)
    assert seen
    assert seen.cpus == 2


def test_counters_that_cannot_be_about_our_cpus_tell_nothing() -> None:
    assert between(at(10, (5, 5)), at(12, (5, 5)), (4, 5), None) is None  # a container that numbers its own
    assert between(at(10, (5, 5)), at(12, (5, 5)), (), None) is None
    still = Snapshot(at=12, cpus=at(10, (5, 5)).cpus, own={})
    assert between(at(10, (5, 5)), still, (0, 1), None) is None  # a sandbox that shows the same for ever


def test_idle_time_that_steps_back_is_no_time() -> None:
    assert took(at(10, (5, 5)), at(12, (4.99, 7), own=2)) == 0


def test_processes_that_come_count_whole_and_those_that_went_not_at_all() -> None:
    before = Snapshot(at=10, cpus=at(10, (5, 5)).cpus, own={1: 3.0, 2: 9.0})
    after = Snapshot(at=12, cpus=at(12, (5, 5)).cpus, own={1: 4.0, 3: 2.0})
    assert took(before, after) == 1


def test_a_stat_is_read_cpu_by_cpu(record: Record) -> None:
    times = counters.cpu_times(record({"proc/stat": STAT}))
    assert times.keys() == {0, 1}
    assert times[0] == pytest.approx((7.5, 0.2, 9.33))  # the guest's time is in `user` already
    assert counters.cpu_times(record({"proc/stat": ""})) == {}


def test_a_trial_is_the_sum_of_its_bursts_or_unknown() -> None:
    part = Disturbance(others_cpu_s=0.1, steal_s=0.2, wall_s=0.5, cpus=2, resolution_s=0.03)
    whole = together([part, part])
    assert whole
    assert (whole.others_cpu_s, whole.steal_s, whole.wall_s) == (0.2, 0.4, 1.0)
    assert whole.resolution_s == pytest.approx(0.03 * math.sqrt(2))
    assert together([part, None]) is None
    assert together([]) is None


def test_a_busy_process_is_other_unless_it_is_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "cpu_quota", lambda _: None)
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=os.name == "posix"
    ) as busy:
        try:
            assert busy.stdout
            busy.stdout.readline()
            stranger, worker = Watch(), Watch(busy.pid)
            time.sleep(0.3)
            as_other, as_worker = stranger.seen(), worker.seen()
        finally:
            busy.kill()
    if as_other is None or as_worker is None:
        pytest.skip("this platform does not tell")
    assert as_other.others_cpu_s - as_worker.others_cpu_s > 0.02
