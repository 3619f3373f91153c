import os
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff import offline

pytestmark = pytest.mark.unit

LOOK = """
import os, socket, sys
own = socket.create_server(("127.0.0.1", 0))
socket.create_connection(own.getsockname(), 2).close()
print(os.getuid(), os.getpid(), *(name for _, name in socket.if_nameindex()), *sys.argv[1:])
open(sys.argv[1], "w").close()
"""


@pytest.mark.skipif(bool(offline.why_not()), reason=f"no network namespace here: {offline.why_not()}")
def test_a_process_without_network_has_a_loopback_and_is_itself_in_all_else(tmp_path: Path) -> None:
    command = offline.command([sys.executable, "-c", LOOK, str(tmp_path / "written")])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.split() == [str(os.getuid()), str(process.pid), "lo", str(tmp_path / "written")]
    assert (tmp_path / "written").stat().st_uid == os.getuid()


def test_where_there_is_no_namespace_the_command_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    offline.why_not.cache_clear()
    try:
        assert offline.why_not() == "only Linux has network namespaces"
        assert offline.command([sys.executable, "-V"]) == [sys.executable, "-V"]
    finally:
        offline.why_not.cache_clear()


def test_what_is_no_command_stays_as_it_is() -> None:
    assert offline.command(["/nowhere/python", "x"]) == ["/nowhere/python", "x"]
