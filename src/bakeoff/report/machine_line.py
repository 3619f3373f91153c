"""A machine's fingerprint in one line."""

from collections.abc import Collection, Mapping
from typing import Any

# What decides how fast a network can run, widest last; the rest of the list is in results.json.
_TOLD = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "BF16",
    "amx_tile": "AMX",
    "neon": "NEON",
    "sve": "SVE",
}


def machine_line(machine: Mapping[str, Any]) -> str:
    """As in "AMD EPYC 9654, 2 of 96 CPUs, AVX-512 VNNI BF16, 25 GB, Debian 12"; unknown parts are left out."""
    parts = (
        machine.get("cpu"),
        _cores(machine),
        _instruction_sets(machine.get("instruction_sets") or ()),
        _memory(machine),
        machine.get("os"),
        machine.get("virtualization") and f"in {machine['virtualization']}",
    )
    return ", ".join(str(part) for part in parts if part) or "unknown machine"


def _instruction_sets(present: Collection[str]) -> str:
    return " ".join(
        name for flag, name in _TOLD.items() if flag in present and not (flag == "avx2" and "avx512f" in present)
    )


def _cores(machine: Mapping[str, Any]) -> str:
    logical, usable = machine.get("logical_cpus"), machine.get("usable_cpus")
    if not logical:
        return ""
    if usable and usable != logical:
        return f"{usable} of {logical} CPUs"
    physical = machine.get("physical_cores")
    cores = f"{physical} core{'s' * (physical != 1)}, " if physical and physical != logical else ""
    return f"{cores}{logical} CPU{'s' * (logical != 1)}"


def _memory(machine: Mapping[str, Any]) -> str:
    total = machine.get("memory_limit_bytes") or machine.get("memory_bytes")
    return f"{total / 1e9:.0f} GB" if total else ""
