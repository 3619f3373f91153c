"""Whether this machine is fit to measure: what is found that may spoil a race, and what to do about it.

Functions read Linux's files under a root, so that recorded ones can stand in. What a platform does not tell is no
finding.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bakeoff.machine import cgroups, cpu, sensors
from bakeoff.machine.files import ROOT
from bakeoff.machine.fingerprint import affinity
from bakeoff.machine.others import Watch
from bakeoff.records import Disturbance, Finding

SAMPLE_S = 0.5
"""how long we look on, using no CPU ourselves"""
LOAD = 0.25
"""processes ready to run, for each CPU of the machine, averaged over a minute"""
OTHERS = 0.05
"""share of the CPUs that others may take, as for a trial (`bakeoff.judge.case.disturbance`)"""
STEAL = 0.02
"""share of the CPU time that a hypervisor may withhold"""
SWAP_USED = 0.05
"""of physical memory: a little is swapped out on any machine that is up for long"""
SWAPPED_PAGES = 100
"""moved in or out while we look on"""
HOT = 10.0
"""kelvins below the temperature at which the hardware slows down"""


@dataclass(frozen=True)
class Moment:
    """Counters that only mean something when they are read twice."""

    throttled: int
    """how often a core or package was slowed down for its heat, since the start"""
    swapped: int
    """pages read from swap or written to it, since the start"""


def audit(root: Path = ROOT, pause: Callable[[float], None] = time.sleep) -> tuple[Finding, ...]:
    """Everything that speaks against measuring now. Takes `SAMPLE_S` seconds, spent in `pause`."""
    watch, before = Watch(root=root), moment(root)
    pause(SAMPLE_S)
    seen, after = watch.seen(), moment(root)
    found = (
        load(root),
        others(seen),
        steal(seen),
        governor(root),
        turbo(root),
        quota(root),
        narrow_affinity(),
        swap_in_use(root),
        swapping(before, after),
        battery(root),
        throttling(before, after),
        heat(root),
    )
    return tuple(finding for finding in found if finding)


def moment(root: Path = ROOT) -> Moment:
    """The counters now."""
    return Moment(throttled=sensors.throttled(root), swapped=sensors.pages_swapped(root))


def load(root: Path = ROOT) -> Finding | None:
    """The load average of the last minute, against all CPUs of the machine: it counts all that runs on any of them."""
    average, cpus = sensors.load_average(root), psutil.cpu_count() or 1
    if average is None or average <= LOAD * cpus:
        return None
    return Finding(
        topic="load",
        found=f"{average:.1f} on average over the last minute, on {cpus} CPU{'s' * (cpus != 1)}",
        advice="see with `top` who computes, and wait a minute once they are done",
    )


def others(seen: Disturbance | None) -> Finding | None:
    """CPU time that other processes took while we looked on."""
    if seen is None or seen.others_cpu_s <= max(OTHERS * seen.cpus * seen.wall_s, seen.resolution_s):
        return None
    return Finding(
        topic="other processes",
        found=f"took {seen.others_cpu_s / seen.wall_s:.1f} of {seen.cpus:g} CPUs just now",
        advice="see with `top` who they are, and end them or wait until they are done",
    )


def steal(seen: Disturbance | None) -> Finding | None:
    """CPU time that the hypervisor withheld while we looked on."""
    if seen is None or seen.steal_s <= max(STEAL * seen.cpus * seen.wall_s, seen.resolution_s):
        return None
    return Finding(
        topic="steal",
        found=f"the hypervisor withheld {seen.steal_s / (seen.cpus * seen.wall_s):.0%} of the CPU time just now",
        advice="measure at a quieter time, or on a machine with dedicated CPUs",
    )


def governor(root: Path = ROOT) -> Finding | None:
    """Any governor but "performance" lets the clock follow the load."""
    slow = {name: count for name, count in cpu.governors(root).items() if name != "performance"}
    if not slow:
        return None
    return Finding(
        topic="governor",
        found=", ".join(f"{name} on {count} CPU{'s' * (count != 1)}" for name, count in slow.items()),
        advice="`sudo cpupower frequency-set --governor performance`",
    )


def turbo(root: Path = ROOT) -> Finding | None:
    """A clock above its base depends on temperature and on how many cores are busy."""
    if not cpu.turbo(root):
        return None
    intel = (root / "sys/devices/system/cpu/intel_pstate/no_turbo").exists()
    file, value = ("intel_pstate/no_turbo", 1) if intel else ("cpufreq/boost", 0)
    return Finding(
        topic="turbo",
        found="on, so that the clock depends on temperature and on how many cores are busy",
        advice=f"`echo {value} | sudo tee /sys/devices/system/cpu/{file}`, if steady matters more than fast",
    )


def quota(root: Path = ROOT) -> Finding | None:
    """A cgroup's quota below the CPUs we may run on: who exceeds it stands still for the rest of each period."""
    granted = cgroups.cpu_quota(root)
    cpus = len(affinity() or ()) or psutil.cpu_count() or 1
    if granted is None or granted >= cpus:
        return None
    broken = "" if granted == int(granted) else ", which no number of threads fits"
    return Finding(
        topic="cpu quota",
        found=f"the control group grants {granted:g} of {cpus} CPUs{broken}; threads beyond it are made to wait",
        advice="lift the quota, or give the container whole CPUs instead (docker: --cpuset-cpus in place of --cpus)",
    )


def narrow_affinity() -> Finding | None:
    """Affinity narrower than the machine: others share its caches and its memory, unseen."""
    allowed, cpus = affinity(), psutil.cpu_count()
    if not allowed or not cpus or len(allowed) >= cpus:
        return None
    return Finding(
        topic="affinity",
        found=f"this process may run on {len(allowed)} of {cpus} CPUs only",
        advice="see that nobody computes on the others: they share caches and memory; or start it without taskset",
    )


def swap_in_use(root: Path = ROOT) -> Finding | None:
    """Much swap in use: memory was short, and what is swapped out is read back while somebody measures."""
    used, memory = sensors.swap_and_memory(root)
    if used <= SWAP_USED * memory:
        return None
    return Finding(
        topic="swap",
        found=f"{used / 1e9:.1f} GB are in use",
        advice="close what needs the memory, then `sudo swapoff -a && sudo swapon -a`",
    )


def swapping(before: Moment, after: Moment) -> Finding | None:
    """Pages on their way between memory and swap right now."""
    moved = after.swapped - before.swapped
    if moved < SWAPPED_PAGES:
        return None
    return Finding(
        topic="swapping",
        found=f"{moved} pages moved between memory and swap just now",
        advice="close what needs the memory",
    )


def battery(root: Path = ROOT) -> Finding | None:
    """Running from a battery, the machine saves power."""
    if not sensors.on_battery(root):
        return None
    return Finding(topic="battery", found="the machine runs from its battery", advice="plug it in")


def throttling(before: Moment, after: Moment) -> Finding | None:
    """The hardware slowed a core down for its heat while we looked on."""
    if after.throttled <= before.throttled:
        return None
    return Finding(
        topic="throttling",
        found="the processor is being slowed down for its heat right now",
        advice="let it cool down, and see to its fans",
    )


def heat(root: Path = ROOT) -> Finding | None:
    """A sensor of the processor close to the temperature at which it slows down."""
    close = [(now, limit) for now, limit in sensors.temperatures(root) if now > limit - HOT]
    if not close:
        return None
    now, limit = max(close)
    return Finding(
        topic="temperature",
        found=f"{now:.0f} °C, and the processor slows down at {limit:.0f} °C",
        advice="let it cool down, and see to its fans",
    )
