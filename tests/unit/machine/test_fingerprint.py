import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest
from click.testing import CliRunner

from bakeoff.cli.machine import machine
from bakeoff.machine.fingerprint import affinity, available_memory, digest, fingerprint, os_release_name, usable_cpus

pytestmark = pytest.mark.unit


def test_this_machine_has_a_name_cores_and_memory() -> None:
    facts = fingerprint()
    assert facts["cpu"]
    assert 1 <= facts["usable_cpus"] <= facts["logical_cpus"]
    assert 0 < available_memory() <= facts["memory_bytes"]
    assert json.loads(msgspec.json.encode(facts)) == facts, "plain JSON"


def test_the_same_machine_has_the_same_digest() -> None:
    facts = fingerprint()
    assert fingerprint()["digest"] == facts["digest"] == digest(facts)
    assert digest(facts | {"bakeoff": "9.9", "python": "3.99"}) == facts["digest"]


@pytest.mark.parametrize("key", ["cpu", "usable_cpus", "memory_limit_bytes", "kernel", "governor"])
def test_what_changes_the_speed_changes_the_digest(key: str) -> None:
    facts = fingerprint()
    assert digest(facts | {key: "another"}) != facts["digest"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this platform")
def test_fewer_cpus_are_usable_with_a_narrow_affinity() -> None:
    code = "import psutil; psutil.Process().cpu_affinity([psutil.Process().cpu_affinity()[0]])"
    code += "; from bakeoff.machine.fingerprint import usable_cpus; print(usable_cpus())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_without_affinity_every_cpu_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    assert affinity() is None
    assert usable_cpus(tmp_path) == psutil.cpu_count()


def test_the_distribution_is_read_from_os_release(tmp_path: Path) -> None:
    assert os_release_name(tmp_path) == ""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    assert os_release_name(tmp_path) == "Debian GNU/Linux 12 (bookworm)"


def test_the_command_prints_the_fingerprint_for_people_and_for_programs() -> None:
    for_people = CliRunner().invoke(machine, [])
    assert for_people.exit_code == 0
    assert fingerprint()["digest"] in for_people.output
    for_programs = CliRunner().invoke(machine, ["--json"])
    assert json.loads(for_programs.output) == fingerprint()
