import os
import subprocess
import sys

import pytest

from bakeoff import limited

pytestmark = pytest.mark.unit

TAKES_A_QUARTER = "bytearray(2**28); print('taken')"
"""of a gigabyte"""


def run(memory_mb: int) -> "subprocess.CompletedProcess[str]":
    words = limited.command([sys.executable, "-I", "-S", "-c", TAKES_A_QUARTER], memory_mb)
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no other platform is sure to have this limit")
def test_a_command_gets_no_more_memory_than_it_may_have() -> None:
    assert "MemoryError" in run(128).stderr
    assert run(1024).stdout.strip() == "taken"


def test_what_is_no_command_stays_as_it_is() -> None:
    assert limited.command(["no-such-command"], 512) == ["no-such-command"]
    assert (limited.command([sys.executable], 512) == [sys.executable]) is (os.name != "posix")
