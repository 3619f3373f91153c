from pathlib import Path

import pytest

from bakeoff.machine import cgroups, fingerprint

pytestmark = pytest.mark.unit

UNLIMITED_V1 = "9223372036854771712\n"
"""what version 1 writes where there is no limit, as recorded"""


def recorded(root: Path, files: dict[str, str]) -> Path:
    """A root with these files in it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = {
    "proc/self/cgroup": "0::/user.slice/job.scope\n",
    "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    "sys/fs/cgroup/user.slice/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/job.scope/cpu.max": "250000 100000\n",
    "sys/fs/cgroup/user.slice/job.scope/memory.max": "4294967296\n",
    "sys/fs/cgroup/user.slice/job.scope/memory.current": "1073741824\n",
    "sys/fs/cgroup/user.slice/job.scope/memory.stat": "anon 1\nfile 2\ninactive_file 73741824\n",
}
V1 = {
    "proc/self/cgroup": "4:memory:/docker/f00\n1:cpu,cpuacct:/docker/f00\n0::/\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/f00/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/f00/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED_V1,
    "sys/fs/cgroup/memory/docker/f00/memory.limit_in_bytes": "2147483648\n",
    "sys/fs/cgroup/memory/docker/f00/memory.usage_in_bytes": "147483648\n",
    "sys/fs/cgroup/memory/docker/f00/memory.stat": "cache 9\ntotal_inactive_file 47483648\n",
}


def test_version_2_has_one_tree(tmp_path: Path) -> None:
    root = recorded(tmp_path, V2)
    assert cgroups.cpu_quota(root) == 2.5
    assert cgroups.memory_limit(root) == 4294967296
    assert cgroups.memory_headroom(root) == 4294967296 - 1_000_000_000


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    root = recorded(tmp_path, V1)
    assert cgroups.cpu_quota(root) == 1.5
    assert cgroups.memory_limit(root) == 2147483648
    assert cgroups.memory_headroom(root) == 2147483648 - 100_000_000


def test_a_container_s_own_group_is_mounted_as_the_root(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert cgroups.cpu_quota(recorded(tmp_path, files)) == 0.5


def test_a_group_that_is_not_visible_inside_still_finds_the_root_s_limit(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/docker/elsewhere\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000000\n",
    }
    assert cgroups.memory_limit(recorded(tmp_path, files)) == 1_000_000_000


def test_the_tightest_of_all_levels_counts(tmp_path: Path) -> None:
    tighter = {
        "sys/fs/cgroup/user.slice/cpu.max": "100000 100000\n",
        "sys/fs/cgroup/user.slice/memory.max": "1000\n",
        "sys/fs/cgroup/user.slice/memory.current": "2000\n",
    }
    root = recorded(tmp_path, V2 | tighter)
    assert cgroups.cpu_quota(root) == 1.0
    assert cgroups.memory_limit(root) == 1000
    assert cgroups.memory_headroom(root) == 0


def test_both_versions_side_by_side_as_systemd_s_hybrid_has_them(tmp_path: Path) -> None:
    files = V1 | {"sys/fs/cgroup/unified/cpu.max": "100000 100000\n"}
    assert cgroups.cpu_quota(recorded(tmp_path, files)) == 1.0


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "nonsense\n\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "", "sys/fs/cgroup/memory.max": "a lot"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"},
        {"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"},
        {"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED_V1},
    ],
)
def test_what_is_missing_or_nonsense_limits_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    root = recorded(tmp_path, files)
    assert (cgroups.cpu_quota(root), cgroups.memory_limit(root), cgroups.memory_headroom(root)) == (None,) * 3


def test_a_path_that_climbs_out_stays_within_the_mount(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/../../etc\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}
    assert cgroups.cpu_quota(recorded(tmp_path, files)) == 1.0


@pytest.mark.parametrize(("quota", "cpus"), [("30000", 1), ("199999", 1), ("200000", 2), ("99900000", 4), ("max", 4)])
def test_usable_cpus_are_the_affinity_within_the_quota_rounded_down_and_at_least_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int
) -> None:
    monkeypatch.setattr(fingerprint, "affinity", lambda: [0, 2, 4, 6])
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"}
    assert fingerprint.usable_cpus(recorded(tmp_path, files)) == cpus


def test_memory_is_available_within_the_limit(tmp_path: Path) -> None:
    tiny = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "3000000\n",
        "sys/fs/cgroup/memory.current": "1000000\n",
    }
    assert fingerprint.available_memory(tmp_path) > 3_000_000
    assert fingerprint.available_memory(recorded(tmp_path, tiny)) == 2_000_000
