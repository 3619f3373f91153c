import os
import sys
import threading
import time
from pathlib import Path

import pytest

from bakeoff.environments import programs

pytestmark = pytest.mark.unit

HASH_MISMATCH = """Using Python 3.11.7 environment at: e1
Resolved 1 package in 41ms
error: Failed to download `six==1.17.0`
  cause: Hash mismatch for `six==1.17.0`

         Expected:
           sha256:0000

         Computed:
           sha256:4721
"""
UNREACHABLE = """error: Failed to fetch: http://127.0.0.1:9/simple/humanize/
  cause: error sending request for url (http://127.0.0.1:9/simple/humanize/)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
RETRIED = """error: Request failed after 1 retry in 1.3s
  cause: Failed to fetch: https://index.example/torch/
  cause: dns error
  cause: Name or service not known
"""
DISK_FULL = """warning: Failed to hardlink files; falling back to full copy.
error: Failed to install: numpy-2.4.6.whl
  cause: Failed to copy to `/small/libscipy.so`
  cause: failed to copy /a to /b: No space left on device (os error 28)
"""
OLDER_UV = """  \N{MULTIPLICATION SIGN} Failed to download `six==1.17.0`
  ├─▶ Failed to extract archive
  ╰─▶ No space left on device
"""
APT = """W: Some index files are old
E: Failed to fetch http://mirror/dists/trixie/InRelease  Could not connect
E: Some index files failed to download.
"""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (HASH_MISMATCH, "Failed to download `six==1.17.0`: Hash mismatch for `six==1.17.0`"),
        (UNREACHABLE, "Failed to fetch: http://127.0.0.1:9/simple/humanize/: Connection refused (os error 111)"),
        (RETRIED, "Failed to fetch: https://index.example/torch/: Name or service not known"),
        (
            DISK_FULL,
            "Failed to install: numpy-2.4.6.whl: failed to copy /a to /b: No space left on device (os error 28)",
        ),
        (OLDER_UV, "Failed to download `six==1.17.0`: No space left on device"),
        (APT, "Failed to fetch http://mirror/dists/trixie/InRelease  Could not connect"),
        (
            "Traceback:\n  File x\nModuleNotFoundError: No module named 'numpy'\n",
            "ModuleNotFoundError: No module named 'numpy'",
        ),
        ("", ""),
    ],
)
def test_the_reason_is_the_error_and_its_deepest_cause(output: str, reason: str) -> None:
    assert programs.reason_in(output) == reason


def test_a_program_that_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(programs.ProgramFailedError, match="no-such-program does not start"):
        programs.run(["no-such-program"], env={}, cwd=tmp_path, log=tmp_path / "log")


def test_what_a_program_says_goes_to_the_log(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('because', file=sys.stderr); sys.exit(3)"
    with pytest.raises(programs.ProgramFailedError, match=r"^because$"):
        programs.run([sys.executable, "-c", code], env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")
    assert "out\nbecause\n" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_program_past_its_time_is_killed(tmp_path: Path) -> None:
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    start = time.monotonic()
    with pytest.raises(programs.ProgramFailedError, match=r"no answer within 0\.2 s"):
        programs.run(slow, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log", timeout_s=0.2)
    assert time.monotonic() - start < 20


def test_stop_all_ends_what_is_under_way(tmp_path: Path) -> None:
    failures: list[str] = []

    def work() -> None:
        try:
            slow = [sys.executable, "-c", "import time; time.sleep(60)"]
            programs.run(slow, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")
        except programs.ProgramFailedError as error:
            failures.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    while not programs._running:
        time.sleep(0.01)
    programs.stop_all()
    thread.join(timeout=20)
    assert len(failures) == 1
