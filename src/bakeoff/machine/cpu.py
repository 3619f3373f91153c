"""The processor: its name, its instruction sets, its caches, its clock's settings.

Functions that read Linux's files take the root of the file system, so that recorded ones can stand in.
Packs carry this file along, see `bakeoff.ship`: Python 3.8.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bakeoff.machine.files import ROOT, text

INSTRUCTION_SETS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "amx_fp16"),
    *("neon", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
)
"""those that kernels of neural networks are written for, as Linux names them"""

_NAMES_OF_OTHERS = {
    "asimd": "neon",  # what 64-bit Linux calls it
    "avx1.0": "avx",
    "sse4.2": "sse4_2",
    "avx512vnni": "avx512_vnni",
    "avx512bf16": "avx512_bf16",
    # macOS, hw.optional.arm.*
    "advsimd": "neon",
    "feat_fp16": "asimdhp",
    "feat_dotprod": "asimddp",
    "feat_i8mm": "i8mm",
    "feat_bf16": "bf16",
    "feat_sme": "sme",
}

# PF_* of IsProcessorFeaturePresent (winnt.h).
_WINDOWS_FEATURES = {38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "asimddp", 46: "sve"}


def name(root: Path = ROOT) -> str:
    """The processor's name, as it calls itself; "" where the platform does not say."""
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    if sys.platform == "win32":
        return _windows_name()
    return cpuinfo_name(text(root / "proc/cpuinfo")) or platform.machine()


def vendor(root: Path = ROOT) -> str:
    """The maker as the processor names it, "GenuineIntel" or "AuthenticAMD"; "" where there is no such name."""
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.vendor")
    if sys.platform == "win32":
        return platform.processor().rpartition(" ")[2]  # "Intel64 Family 6 Model 85 Stepping 7, GenuineIntel"
    return _first_processor(text(root / "proc/cpuinfo")).get("vendor_id", "")


def hybrid(root: Path = ROOT) -> bool:
    """Whether its cores are of more than one kind, as far as Linux tells: Intel's have a counter for each kind."""
    return (root / "sys/devices/cpu_atom").exists()


def cpuinfo_name(cpuinfo: str) -> str:
    """The model's name in the text of /proc/cpuinfo; for Arm, which has none, implementer and part."""
    fields = _first_processor(cpuinfo)
    if "CPU part" in fields:
        return f"Arm implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    named = fields.get("model name") or fields.get("cpu model") or fields.get("cpu") or ""
    return " ".join(named.split())


def instruction_sets(root: Path = ROOT) -> list[str]:
    """Those of `INSTRUCTION_SETS` that the processor has."""
    if sys.platform == "darwin":
        features = _sysctl("machdep.cpu.features") + " " + _sysctl("machdep.cpu.leaf7_features")
        return known(features.split() + _darwin_arm_features())
    if sys.platform == "win32":
        return known(_windows_features())
    return cpuinfo_instruction_sets(text(root / "proc/cpuinfo"))


def cpuinfo_instruction_sets(cpuinfo: str) -> list[str]:
    """The same from the text of /proc/cpuinfo."""
    fields = _first_processor(cpuinfo)
    return known((fields.get("flags") or fields.get("Features") or "").split())


def known(flags: list[str]) -> list[str]:
    """The names that matter, in the order of `INSTRUCTION_SETS`, however a platform spells them."""
    present = {_NAMES_OF_OTHERS.get(flag.lower(), flag.lower()) for flag in flags}
    return [flag for flag in INSTRUCTION_SETS if flag in present]


def caches(root: Path = ROOT) -> dict[str, str]:
    """Size of each cache of the first CPU: ``{"L1d": "32K", "L2": "1024K", "L3": "32768K"}``."""
    if sys.platform == "darwin":
        names = {"L1d": "hw.l1dcachesize", "L1i": "hw.l1icachesize", "L2": "hw.l2cachesize", "L3": "hw.l3cachesize"}
        sizes = {level: _sysctl(key) for level, key in names.items()}
        return {level: f"{int(size) // 1024}K" for level, size in sizes.items() if size.isdigit() and int(size)}
    found = {}
    for index in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, size = text(index / "level").strip(), text(index / "size").strip()
        kind = {"Data": "d", "Instruction": "i"}.get(text(index / "type").strip(), "")
        if level and size:
            found[f"L{level}{kind}"] = size
    return found


def governor(root: Path = ROOT) -> str | None:
    """The clock's governor, "performance" or "powersave" say; None where it cannot be read."""
    return text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None


def governors(root: Path = ROOT) -> dict[str, int]:
    """How many CPUs each governor has; none where it cannot be read."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return dict(Counter(name for file in files if (name := text(file).strip())))


def turbo(root: Path = ROOT) -> bool | None:
    """Whether the clock may go above its base; None where it cannot be read."""
    cpus = root / "sys/devices/system/cpu"
    no_turbo = text(cpus / "intel_pstate/no_turbo").strip()
    if no_turbo:
        return no_turbo == "0"
    boost = text(cpus / "cpufreq/boost").strip()
    return boost == "1" if boost else None


def virtualization(root: Path = ROOT) -> str | None:
    """The hypervisor beneath, or "a virtual machine" where it has no name; None on bare metal or if unknown."""
    if sys.platform == "darwin":
        return "a virtual machine" if _sysctl("kern.hv_vmm_present") == "1" else None
    xen = text(root / "sys/hypervisor/type").strip()
    if xen:
        return xen
    if "hypervisor" not in _first_processor(text(root / "proc/cpuinfo")).get("flags", "").split():
        return None
    maker = text(root / "sys/class/dmi/id/sys_vendor").strip()
    return f"a virtual machine ({maker})" if maker else "a virtual machine"


def _first_processor(cpuinfo: str) -> dict[str, str]:
    """The fields of the first processor; later ones only add what it lacks, as some Arm kernels write it."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def _sysctl(key: str) -> str:
    try:
        answer = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _darwin_arm_features() -> list[str]:
    lines = _sysctl("hw.optional.arm")
    if not lines:
        return []
    keys = [f"FEAT_{feature}" for feature in ("FP16", "DotProd", "I8MM", "BF16", "SME")]
    return [key for key in ["AdvSIMD", *keys] if _sysctl(f"hw.optional.arm.{key}") == "1"]


def _windows_name() -> str:
    import winreg  # noqa: PLC0415 - Windows has it alone

    registry: Any = winreg
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            return " ".join(str(registry.QueryValueEx(key, "ProcessorNameString")[0]).split())
    except OSError:
        return platform.processor()


def _windows_features() -> list[str]:
    import ctypes  # noqa: PLC0415 - only here

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 - other platforms' stubs lack it
    present: Callable[[int], int] = kernel.IsProcessorFeaturePresent
    return [feature for number, feature in _WINDOWS_FEATURES.items() if present(number)]
