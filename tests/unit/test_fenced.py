import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bakeoff import fenced

pytestmark = pytest.mark.unit

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux is sure to have it")
TAKES_A_QUARTER = "bytearray(2**28); print('taken')"
"""of a gigabyte"""
LOOK = """
import os, socket, sys
own = socket.create_server(("127.0.0.1", 0))
socket.create_connection(own.getsockname(), 2).close()
print(os.getuid(), os.getpid(), *(name for _, name in socket.if_nameindex()), *sys.argv[1:])
open(sys.argv[1], "w").close()
"""


@pytest.mark.skipif(bool(fenced.no_namespace()), reason=f"no network namespace here: {fenced.no_namespace()}")
def test_a_process_without_network_has_a_loopback_and_is_itself_in_all_else(tmp_path: Path) -> None:
    command = fenced.command([sys.executable, "-c", LOOK, str(tmp_path / "written")], offline=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.split() == [str(os.getuid()), str(process.pid), "lo", str(tmp_path / "written")]
    assert (tmp_path / "written").stat().st_uid == os.getuid()


def test_where_there_is_no_namespace_the_command_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    fenced.no_namespace.cache_clear()
    try:
        assert fenced.no_namespace() == "only Linux has network namespaces"
        assert fenced.command([sys.executable, "-V"], offline=True, writable=[]) == [sys.executable, "-V"]
    finally:
        fenced.no_namespace.cache_clear()


def test_what_is_no_command_stays_as_it_is() -> None:
    assert fenced.command(["/nowhere/python", "x"], offline=True, memory_mb=512) == ["/nowhere/python", "x"]


@linux_only
def test_a_command_gets_no_more_memory_than_it_may_have() -> None:
    def run(memory_mb: int) -> "subprocess.CompletedProcess[str]":
        words = fenced.command([sys.executable, "-I", "-S", "-c", TAKES_A_QUARTER], memory_mb=memory_mb)
        return subprocess.run(words, capture_output=True, text=True, check=False)

    assert "MemoryError" in run(128).stderr
    assert run(1024).stdout.strip() == "taken"


WRITES = """
import os, subprocess, sys
inside, outside = sys.argv[1:]
open(os.path.join(inside, "new"), "w").close()
os.makedirs(os.path.join(inside, "a", "b"))
os.rename(os.path.join(inside, "new"), os.path.join(inside, "a", "b", "moved"))
open("/dev/null", "w").close()
subprocess.run(["sh", "-c", "echo x > " + os.path.join(inside, "by-a-child")], check=True)
kept = os.path.join(outside, "kept")
for does in (
    lambda: open(kept, "w"), lambda: open(kept, "a"), lambda: os.truncate(kept, 0), lambda: os.remove(kept),
    lambda: os.rename(kept, os.path.join(inside, "taken")), lambda: os.link(kept, os.path.join(inside, "linked")),
    lambda: os.mkdir(os.path.join(outside, "new")), lambda: os.symlink(kept, os.path.join(outside, "link")),
    lambda: subprocess.run(["sh", "-c", "echo x > " + kept], check=True, stderr=subprocess.DEVNULL),
):
    try:
        does()
    except (OSError, subprocess.CalledProcessError):
        continue
    sys.exit("it may")
print(open(kept).read())
"""


@pytest.mark.skipif(not fenced.landlock_version(), reason="this kernel has no Landlock")
def test_a_command_writes_where_it_may_and_reads_everywhere(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    (outside / "kept").write_text("as it was")
    command = fenced.command([sys.executable, "-c", WRITES, str(inside), str(outside)], writable=[inside, "/nowhere"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("as it was", "")
    assert [path.name for path in outside.iterdir()] == ["kept"]


def test_what_is_not_fenced_in_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for lacks, said in (
        ({}, ""),
        ({"no_namespace": "not permitted"}, "reach the network (not permitted)"),
        ({"landlock_version": 0}, "change any file of yours (no Landlock)"),
    ):
        monkeypatch.setattr(fenced, "no_namespace", lambda lacks=lacks: lacks.get("no_namespace", ""))
        monkeypatch.setattr(fenced, "landlock_version", lambda lacks=lacks: lacks.get("landlock_version", 1))
        assert fenced.open_sides() == said


STARTS = """
import subprocess, sys
from bakeoff import fenced
command = fenced.command([sys.executable, "-c", "import time; time.sleep(600)"], offline=True, memory_mb=4096)
print(subprocess.Popen(command).pid, flush=True)
__import__("time").sleep(600)
"""


@linux_only
def test_what_we_start_ends_with_us_however_we_end() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout
        child = psutil.Process(int(controller.stdout.readline()))
        controller.kill()
    child.wait(10)


@linux_only
def test_what_is_started_by_one_that_has_ended_meanwhile_does_not_begin() -> None:
    command = fenced.command([sys.executable, "-c", "print('begun')"])
    orphan = [word if not word.startswith("parent=") else "parent=4194305" for word in command]
    assert subprocess.run(orphan, capture_output=True, text=True, check=False).stdout == ""
