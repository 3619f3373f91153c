import os
import subprocess
import sys

import pytest

from bakeoff import limited

pytestmark = pytest.mark.unit

TAKES_A_GIGABYTE = "bytearray(2**30); print('taken')"


def run(memory_mb: int) -> "subprocess.CompletedProcess[str]":
    words = limited.command([sys.executable, "-I", "-S", "-c", TAKES_A_GIGABYTE], memory_mb)
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no other platform is sure to have this limit")
def test_a_command_gets_no_more_memory_than_it_may_have() -> None:
    assert "MemoryError" in run(512).stderr
    assert run(4096).stdout.strip() == "taken"


def test_what_is_no_command_stays_as_it_is() -> None:
    assert limited.command(["no-such-command"], 512) == ["no-such-command"]
    assert (limited.command([sys.executable], 512) == [sys.executable]) is (os.name != "posix")
