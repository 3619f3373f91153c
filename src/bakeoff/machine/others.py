"""What others take of the CPUs while we use them: everybody but this process and the worker that it times."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path

from bakeoff.machine import cgroups
from bakeoff.machine.counters import TICK_S, Snapshot, snapshot
from bakeoff.machine.files import ROOT
from bakeoff.machine.fingerprint import affinity
from bakeoff.records import Disturbance

ROUNDING = 3.0
"""Ticks for each CPU that counters may be off by, in quadrature over CPUs and readings: three standard errors. The
difference of two readings cut to whole ticks is off by 0.4 of one, and a CPU takes five: idle, waiting, stolen, and
the two of a process."""
WORKING = 0.5
"""share of the elapsed time that the counters must account for, to be believed: some sandboxes show zeros"""


class Watch:
    """Counts from when it is made. Make it, and ask it, while the worker is suspended: reading takes CPU time too."""

    def __init__(self, worker: int | None = None, root: Path = ROOT) -> None:
        self.worker = worker
        self.root = root
        self._before = snapshot(worker, root)

    def seen(self) -> Disturbance | None:
        """What others took so far; None where the platform does not say."""
        after = snapshot(self.worker, self.root)
        allowed = affinity() or sorted(after.cpus)
        return between(self._before, after, allowed, cgroups.cpu_quota(self.root))


def between(before: Snapshot, after: Snapshot, allowed: Collection[int], quota: float | None) -> Disturbance | None:
    """What others took of the CPUs `allowed` (by number), of which a cgroup's `quota` may grant us only so many.

    All time in which these CPUs neither idled nor ran us, so that no way of taking it is forgotten. In a container
    the counters are mostly those of the whole host: CPUs that we may not run on are left out, and under a quota
    the others are first supposed to use what it leaves over. None where the counters lack a CPU that is ours, as
    where a container numbers its own, or account for less than half of the time.
    """
    if not allowed or not set(allowed) <= before.cpus.keys() & after.cpus.keys():
        return None
    wall = after.at - before.at
    count = len(allowed)
    pairs = [(before.cpus[number], after.cpus[number]) for number in allowed]
    if sum(now.total - then.total for then, now in pairs) < WORKING * count * wall:
        return None
    # A counter of idle time may step back a little (proc(5)).
    idle = sum(max(0.0, now.idle - then.idle) for then, now in pairs)
    stolen = sum(max(0.0, now.stolen - then.stolen) for then, now in pairs)
    ours = sum(max(0.0, seconds - before.own.get(pid, 0.0)) for pid, seconds in after.own.items())
    usable = float(count) if quota is None else min(float(count), quota)
    left_over = (count - usable) * wall
    return Disturbance(
        others_cpu_s=max(0.0, count * wall - idle - stolen - ours - left_over),
        steal_s=stolen,
        wall_s=wall,
        cpus=usable,
        resolution_s=ROUNDING * TICK_S * math.sqrt(count),
    )


def together(parts: Sequence[Disturbance | None]) -> Disturbance | None:
    """A trial's disturbance from that of its bursts; None if any is unknown, or there are none."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return Disturbance(
        others_cpu_s=sum(part.others_cpu_s for part in known),
        steal_s=sum(part.steal_s for part in known),
        wall_s=sum(part.wall_s for part in known),
        cpus=min(part.cpus for part in known),
        resolution_s=math.hypot(*(part.resolution_s for part in known)),
    )
