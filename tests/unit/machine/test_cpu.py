import sys
from pathlib import Path

import pytest

from bakeoff.machine import cpu

pytestmark = pytest.mark.unit

AMD = """\
processor	: 0
vendor_id	: AuthenticAMD
model name	: AMD EPYC  9654
cpu cores	: 2
flags		: fpu sse4_2 avx f16c fma avx2 avx512f avx512bw avx512_bf16 avx512_vnni hypervisor

processor	: 1
vendor_id	: AuthenticAMD
model name	: AMD EPYC  9654
flags		: fpu sse4_2
"""
INTEL = """\
processor	: 0
model name	: Intel(R) Xeon(R) Platinum 8480+
flags		: fpu avx avx2 avx512f avx512_vnni amx_bf16 amx_tile amx_int8 avx_vnni avx512_fp16
"""
GRAVITON = """\
processor	: 0
BogoMIPS	: 2100.00
Features	: fp asimd evtstrm aes asimdhp cpuid asimddp sve i8mm bf16
CPU implementer	: 0x41
CPU architecture: 8
CPU part	: 0xd40

processor	: 1
"""
POWER = "processor	: 0\ncpu		: POWER9, altivec supported\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (AMD, "AMD EPYC 9654"),
        (INTEL, "Intel(R) Xeon(R) Platinum 8480+"),
        (GRAVITON, "Arm implementer 0x41 part 0xd40"),
        (POWER, "POWER9, altivec supported"),
        ("", ""),
    ],
)
def test_the_processor_s_name_is_read_on_every_architecture(cpuinfo: str, name: str) -> None:
    assert cpu.cpuinfo_name(cpuinfo) == name


@pytest.mark.parametrize(
    ("cpuinfo", "sets"),
    [
        (AMD, "sse4_2 avx f16c fma avx2 avx512f avx512bw avx512_vnni avx512_bf16"),
        (INTEL, "avx avx2 avx_vnni avx512f avx512_vnni avx512_fp16 amx_tile amx_int8 amx_bf16"),
        (GRAVITON, "neon asimdhp asimddp i8mm bf16 sve"),
        (POWER, ""),
    ],
)
def test_the_instruction_sets_that_matter_are_found(cpuinfo: str, sets: str) -> None:
    assert cpu.cpuinfo_instruction_sets(cpuinfo) == sets.split()


def test_other_platforms_spellings_mean_the_same() -> None:
    assert cpu.known(["AVX1.0", "AVX2", "AVX512VNNI", "FMA"]) == ["avx", "fma", "avx2", "avx512_vnni"]
    assert cpu.known(["AdvSIMD", "FEAT_I8MM", "FEAT_BF16"]) == ["neon", "i8mm", "bf16"]


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


linux_files = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="reads Linux's files")


@linux_files
def test_caches_are_named_by_level_and_kind(tmp_path: Path) -> None:
    for index, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "1024K"), ("3", "Unified", "32768K")]
    ):
        folder = f"sys/devices/system/cpu/cpu0/cache/index{index}"
        for name, text in (("level", level), ("type", kind), ("size", size)):
            write(tmp_path, f"{folder}/{name}", f"{text}\n")
    assert cpu.caches(tmp_path) == {"L1d": "32K", "L1i": "64K", "L2": "1024K", "L3": "32768K"}


def test_the_clock_s_settings_are_read_where_there_are_any(tmp_path: Path) -> None:
    assert (cpu.governor(tmp_path), cpu.turbo(tmp_path)) == (None, None)
    cpus = "sys/devices/system/cpu"
    write(tmp_path, f"{cpus}/cpu0/cpufreq/scaling_governor", "powersave\n")
    write(tmp_path, f"{cpus}/cpufreq/boost", "0\n")
    assert (cpu.governor(tmp_path), cpu.turbo(tmp_path)) == ("powersave", False)
    write(tmp_path, f"{cpus}/intel_pstate/no_turbo", "0\n")
    assert cpu.turbo(tmp_path) is True


@linux_files
def test_a_virtual_machine_is_told_from_bare_metal(tmp_path: Path) -> None:
    write(tmp_path, "proc/cpuinfo", INTEL)
    assert cpu.virtualization(tmp_path) is None
    write(tmp_path, "proc/cpuinfo", AMD)
    assert cpu.virtualization(tmp_path) == "a virtual machine"
    write(tmp_path, "sys/class/dmi/id/sys_vendor", "QEMU\n")
    assert cpu.virtualization(tmp_path) == "a virtual machine (QEMU)"
    write(tmp_path, "sys/hypervisor/type", "xen\n")
    assert cpu.virtualization(tmp_path) == "xen"


def test_who_made_it_and_whether_its_cores_are_alike_stand_in_linux_s_files(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(AMD, encoding="utf-8")
    if sys.platform == "linux":
        assert cpu.vendor(tmp_path) == "AuthenticAMD"
        assert cpu.vendor(tmp_path / "nothing") == ""
    assert not cpu.hybrid(tmp_path)
    (tmp_path / "sys/devices/cpu_atom").mkdir(parents=True)
    assert cpu.hybrid(tmp_path)
