"""What a plan depends on of the machine that will race, and whether that is what a knob needs."""

import ctypes
import re
import sys
from collections.abc import Callable, Collection
from typing import NamedTuple

import psutil

from bakeoff.environments import is_installed
from bakeoff.machine import cpu
from bakeoff.machine.fingerprint import usable_cpus
from bakeoff.records import Condition, EngineSpec


def can_be_loaded(library: str) -> bool:
    """Whether the loader finds a shared library of this name."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


class Machine(NamedTuple):
    """What a plan depends on of the machine that will race."""

    cpus: int
    """that this process may use"""
    installed: Callable[[EngineSpec], bool]
    """whether an engine's environment stands: the group of that name"""
    instruction_sets: Collection[str] = ()
    vendor: str = ""
    """of the processor, as it names itself"""
    hybrid: bool = False
    """whether its cores are of more than one kind"""
    smt: bool = False
    """whether a core runs several threads at once"""
    platform: str = sys.platform
    has_library: Callable[[str], bool] = can_be_loaded

    def lacks(self, condition: Condition, engine: EngineSpec) -> str:
        """What `engine` is without of what `condition` wants, in words; empty if nothing."""
        wanted = (
            (condition.isa and condition.isa not in self.instruction_sets, f"needs a processor with {condition.isa}"),
            (condition.vendor and condition.vendor != self.vendor, f"needs a processor by {condition.vendor}"),
            (condition.not_vendor == self.vendor != "", f"needs a processor by others than {self.vendor}"),
            (condition.cpus > self.cpus, f"needs {condition.cpus} CPUs, and this process may use {self.cpus}"),
            (condition.hybrid and not self.hybrid, "needs a processor with cores of more than one kind"),
            (condition.smt and not self.smt, "needs cores that run several threads at once"),
            (condition.platform and condition.platform != self.platform, f"needs {condition.platform}"),
            (condition.since and _numbers(condition.since) > _release(engine), f"needs release {condition.since}"),
            (condition.library and not self.has_library(condition.library), f"needs {condition.library} installed"),
        )
        return next((said for misses, said in wanted if misses), "")


def this_machine() -> Machine:
    """The one that this process runs on."""
    cores = psutil.cpu_count(logical=False)
    return Machine(
        cpus=usable_cpus(),
        installed=is_installed,
        instruction_sets=cpu.instruction_sets(),
        vendor=cpu.vendor(),
        hybrid=cpu.hybrid(),
        smt=cores is not None and (psutil.cpu_count() or 0) > cores,
    )


def _release(engine: EngineSpec) -> tuple[int, ...]:
    """Of the engine's own package, as its requirement pins it."""
    return _numbers(engine.requirement.partition("==")[2])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
