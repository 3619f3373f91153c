"""The audit on recorded machines."""

from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from bakeoff.machine import audit, sensors
from bakeoff.machine.audit import Moment
from bakeoff.records import Disturbance, Finding

pytestmark = pytest.mark.unit

Record = Callable[[Mapping[str, str]], Path]
CPU = "sys/devices/system/cpu"
BATTERY = "sys/class/power_supply/BAT0"
ZONE = "sys/class/thermal/thermal_zone0"

QUIET = {
    "proc/loadavg": "0.10 0.20 0.30 1/200 4711\n",
    "proc/meminfo": "MemTotal:       16000000 kB\nSwapTotal:       2000000 kB\nSwapFree:        1900000 kB\n",
    "proc/vmstat": "nr_free_pages 1\npswpin 5\npswpout 7\n",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/intel_pstate/no_turbo": "1\n",
    f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "3\n",
    f"{CPU}/cpu0/thermal_throttle/package_throttle_count": "9\n",
    f"{BATTERY}/type": "Battery\n",
    f"{BATTERY}/status": "Charging\n",
    f"{ZONE}/temp": "45000\n",
    f"{ZONE}/trip_point_0_type": "critical\n",
    f"{ZONE}/trip_point_0_temp": "100000\n",
}


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 2)  # noqa: ARG005 - psutil's own signature
    monkeypatch.setattr(audit, "affinity", lambda: [0, 1])


def stat(*cpus: str) -> str:
    """A /proc/stat; each CPU's fields are user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice."""
    return "\n".join(["cpu  1 2 3", *(f"cpu{i} {fields}" for i, fields in enumerate(cpus)), "intr 99", ""])


def seen(others: float = 0.0, steal: float = 0.0) -> Disturbance:
    return Disturbance(others_cpu_s=others, steal_s=steal, wall_s=0.5, cpus=2, resolution_s=0.04)


def topics(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.topic for finding in findings]


def test_a_quiet_machine_gives_no_finding(record: Record) -> None:
    root = record(QUIET)
    assert audit.audit(root, pause=lambda _: None) == ()


def test_what_nobody_tells_is_no_finding(record: Record) -> None:
    root = record({})
    assert audit.audit(root, pause=lambda _: None) == ()


@pytest.mark.parametrize(
    ("topic", "files", "said"),
    [
        ("load", {"proc/loadavg": "0.62 0.1 0.1 1/2 3"}, "0.6 on average over the last minute, on 2 CPUs"),
        ("governor", {f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave\n"}, "powersave on 1 CPU"),
        ("turbo", {f"{CPU}/intel_pstate/no_turbo": "0\n"}, "on, so that"),
        ("swap", {"proc/meminfo": "MemTotal: 8000000 kB\nSwapTotal: 9000000 kB\nSwapFree: 1000 kB\n"}, "9.2 GB"),
        ("battery", {f"{BATTERY}/status": "Discharging\n"}, "runs from its battery"),
        ("temperature", {f"{ZONE}/temp": "93500\n"}, "94 °C, and the processor slows down at 100 °C"),
        (
            "cpu quota",
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"},
            "1.5 of 2 CPUs, which no number of threads fits",
        ),
        (
            "cpu quota",
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
            "grants 1 of 2 CPUs; threads beyond",
        ),
    ],
)
def test_each_thing_that_may_spoil_a_measurement_is_found(
    record: Record, topic: str, files: Mapping[str, str], said: str
) -> None:
    record(QUIET)
    (finding,) = audit.audit(record(files), pause=lambda _: None)
    assert finding.topic == topic
    assert said in finding.found
    assert finding.advice


def test_what_moves_while_we_look_on_is_found(record: Record) -> None:
    root = record(QUIET)
    record({"proc/vmstat": "pswpin 5\npswpout 7\n"})

    def meanwhile(_: float) -> None:
        record(
            {
                "proc/vmstat": "pswpin 105\npswpout 50\n",
                f"{CPU}/cpu0/thermal_throttle/package_throttle_count": "10\n",
            }
        )

    swapping, throttling = audit.audit(root, pause=meanwhile)
    assert (swapping.topic, throttling.topic) == ("swapping", "throttling")
    assert "143 pages" in swapping.found


def test_a_machine_that_throttled_long_ago_is_fit_now() -> None:
    assert audit.throttling(Moment(throttled=12, swapped=0), Moment(throttled=12, swapped=0)) is None


def test_other_processes_and_steal_are_found_beyond_a_share() -> None:
    assert audit.others(None) is None
    assert audit.others(seen(others=0.049)) is None
    found = audit.others(seen(others=0.4))
    assert found
    assert found.found == "took 0.8 of 2 CPUs just now"
    assert audit.steal(seen(steal=0.03)) is None
    stolen = audit.steal(seen(steal=0.1))
    assert stolen
    assert "withheld 10%" in stolen.found


def test_an_affinity_narrower_than_the_machine_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert audit.narrow_affinity() is None
    monkeypatch.setattr(audit, "affinity", lambda: [1])
    found = audit.narrow_affinity()
    assert found
    assert "1 of 2 CPUs" in found.found
    monkeypatch.setattr(audit, "affinity", lambda: None)
    assert audit.narrow_affinity() is None


def test_a_quota_beyond_the_cpus_we_may_use_anyway_is_none(record: Record) -> None:
    root = record({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"})
    assert audit.quota(root) is None


def test_the_battery_of_a_mouse_does_not_run_the_machine(record: Record) -> None:
    root = record({f"{BATTERY}/type": "Battery", f"{BATTERY}/status": "Discharging", f"{BATTERY}/scope": "Device"})
    assert audit.battery(root) is None


def test_amd_s_turbo_is_switched_off_elsewhere(record: Record) -> None:
    found = audit.turbo(record({f"{CPU}/cpufreq/boost": "1\n"}))
    assert found
    assert "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost" in found.advice


def test_a_processor_s_own_sensor_is_held_against_its_limit(record: Record) -> None:
    chip = "sys/class/hwmon/hwmon3"
    files = {f"{chip}/name": "coretemp", f"{chip}/temp1_input": "76000", f"{chip}/temp1_max": "80000"}
    root = record({**files, "sys/class/hwmon/hwmon4/name": "nvme", "sys/class/hwmon/hwmon4/temp1_input": "99000"})
    assert list(sensors.temperatures(root)) == [(76.0, 80.0)]
    assert audit.heat(root)


def test_a_trip_point_at_zero_is_none(record: Record) -> None:
    root = record({f"{ZONE}/temp": "45000", f"{ZONE}/trip_point_0_type": "passive", f"{ZONE}/trip_point_0_temp": "0"})
    assert audit.heat(root) is None
