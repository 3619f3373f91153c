"""The state that a machine is in: its load, swap, battery and temperatures.

Functions read Linux's files under a root, so that recorded ones can stand in; on other platforms what psutil knows
is asked.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from bakeoff.machine.files import ROOT, number, text


def load_average(root: Path = ROOT) -> float | None:
    """Of the last minute. Windows has none."""
    first = text(root / "proc/loadavg").partition(" ")[0]
    if first:
        return float(first)
    return os.getloadavg()[0] if root == ROOT and hasattr(os, "getloadavg") else None


def swap_and_memory(root: Path = ROOT) -> tuple[int, int]:
    """Bytes of swap in use and of physical memory; zeros where the platform does not say."""
    meminfo = text(root / "proc/meminfo")
    if not meminfo and root == ROOT:
        return psutil.swap_memory().used, psutil.virtual_memory().total
    fields = {name: int(value.split()[0]) * 1024 for name, value in _pairs(meminfo, ":") if value.split()}
    return fields.get("SwapTotal", 0) - fields.get("SwapFree", 0), fields.get("MemTotal", 0)


def pages_swapped(root: Path = ROOT) -> int:
    """Since the start, in and out."""
    vmstat = dict(_pairs(text(root / "proc/vmstat"), " "))
    return sum(int(vmstat.get(name, 0)) for name in ("pswpin", "pswpout"))


def on_battery(root: Path = ROOT) -> bool:
    """Whether a battery of the machine itself is being emptied; a mouse's has the scope "Device"."""
    supplies = root / "sys/class/power_supply"
    if supplies.is_dir():
        return any(
            text(supply / "type").strip() == "Battery"
            and text(supply / "scope").strip() != "Device"
            and text(supply / "status").strip() == "Discharging"
            for supply in supplies.iterdir()
        )
    sensor = getattr(psutil, "sensors_battery", None)  # not on every platform
    state = sensor() if sensor and root == ROOT else None
    return state is not None and state.power_plugged is False


def throttled(root: Path = ROOT) -> int:
    """How often a core or package was slowed down for its heat, since the start; 0 where it is not counted."""
    counts = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    return sum(number(file) or 0 for file in counts)


def temperatures(root: Path = ROOT) -> Iterator[tuple[float, float]]:
    """Each sensor's temperature and limit in °C: the kernel's thermal zones, and the processors' own sensors."""
    for zone in (root / "sys/class/thermal").glob("thermal_zone*"):
        limits = (
            number(zone / kind.name.replace("_type", "_temp"))
            for kind in zone.glob("trip_point_*_type")
            if text(kind).strip() in ("passive", "hot", "critical")
        )
        yield from _degrees(number(zone / "temp"), limits)
    for chip in (root / "sys/class/hwmon").glob("hwmon*"):
        if text(chip / "name").strip() in ("coretemp", "k10temp", "zenpower"):
            for sensor in chip.glob("temp*_input"):
                limits = (number(chip / sensor.name.replace("_input", end)) for end in ("_max", "_crit"))
                yield from _degrees(number(sensor), limits)


def _degrees(now: int | None, limits: Iterator[int | None]) -> Iterator[tuple[float, float]]:
    """From thousandths; the least limit counts, and a limit of 0 is none."""
    least = min((limit for limit in limits if limit), default=None)
    if now is not None and least is not None:
        yield now / 1e3, least / 1e3


def _pairs(content: str, separator: str) -> Iterator[tuple[str, str]]:
    """Name and value of each line."""
    for line in content.splitlines():
        name, _, value = line.partition(separator)
        yield name, value.strip()
