import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakeoff import locks
from bakeoff.locks import Lock

pytestmark = pytest.mark.unit

ACCOUNTS = ("nobody", "daemon")
HOLD = """
import os, sys, time
from pathlib import Path
from bakeoff.locks import Lock
path, note, uid, seconds = sys.argv[1:]
if uid:  # after the imports, which that account may not be allowed to read
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
lock = Lock(Path(path))
taken = lock.acquire(wait=False)
lock.write(note)
print("taken" if taken else f"busy: {lock.read()}", flush=True)
time.sleep(float(seconds))
"""


def holding(path: Path, note: str, uid: int | str, seconds: float) -> "subprocess.Popen[str]":
    """A process, of that account, that takes the lock if it is free, and says so."""
    command = [sys.executable, "-c", HOLD, str(path), note, str(uid), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def holder(path: Path, note: str, uid: int | str = "") -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the lock until it is killed."""
    with holding(path, note, uid, 600) as process:
        assert process.stdout
        assert process.stdout.readline() == "taken\n"
        try:
            yield process
        finally:
            process.kill()


def tried(path: Path, note: str, uid: int) -> str:
    """What a process of that account finds that takes the lock for a moment."""
    out, _ = holding(path, note, uid, 0).communicate(timeout=60)
    return out.strip()


def test_only_one_has_the_lock_and_it_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "race.lock"
    lock = Lock(path)
    with holder(path, "first") as process:
        assert not lock.acquire(wait=False)
        assert lock.read() == "first"
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        assert lock.acquire(wait=True)
    lock.write("second")
    assert Lock(path).read() == "second"
    assert not Lock(path).acquire(wait=False)
    lock.release()
    assert Lock(path).acquire(wait=False)


@pytest.fixture
def accounts() -> tuple[int, int]:
    """Two that are neither root nor each other."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("acting as two other accounts needs root")
    import pwd  # noqa: PLC0415 - POSIX only

    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    if not known.keys() >= set(ACCOUNTS):
        pytest.skip(f"this machine lacks one of the accounts {', '.join(ACCOUNTS)}")
    one, other = (known[name] for name in ACCOUNTS)
    return one, other


@pytest.fixture
def sticky() -> Iterator[Path]:
    """A folder like /tmp: everybody may make files in it, and remove none of another's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


def test_accounts_share_a_lock_and_a_killed_one_is_in_nobody_s_way(accounts: tuple[int, int], sticky: Path) -> None:
    one, other = accounts
    path = sticky / "race.lock"
    with holder(path, "first", one) as process:
        assert tried(path, "second", other) == "busy: first"
        process.kill()
    assert tried(path, "second", other) == "taken"
    assert Lock(path).read() == "second", "it is nobody's concern who made the file"
    assert tried(path, "third", one) == "taken"
    mine = Lock(path)
    assert mine.acquire(wait=False)
    assert tried(path, "fourth", other) == "busy: third"
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (one, 0o666)


def test_another_account_s_file_is_never_opened_as_if_to_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which `fs.protected_regular` forbids in sticky folders."""
    path = tmp_path / "race.lock"
    path.write_text("")
    real = os.open

    def protected(name: Any, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT and not flags & os.O_EXCL and Path(name).exists():
            raise PermissionError
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", protected)
    assert Lock(path).acquire(wait=False)


def test_a_file_that_may_only_be_read_can_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "race.lock"
    path.write_text(" before")
    real = os.open

    def read_only(name: Any, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            raise PermissionError
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    lock = Lock(path)
    assert lock.acquire(wait=False)
    assert not Lock(path).acquire(wait=False)
    lock.write("lost")
    assert lock.read() == "before"


def test_a_lock_on_a_file_that_was_removed_is_none(tmp_path: Path) -> None:
    path = tmp_path / "race.lock"
    first = Lock(path)
    assert first.acquire(wait=False)
    path.unlink()
    second = Lock(path)
    assert second.acquire(wait=False)
    first.release()
    assert not Lock(path).acquire(wait=False)
    second.release(remove=True)
    assert not path.exists()


COUNT = """
import sys
from pathlib import Path
from bakeoff.locks import Lock
path, counter = map(Path, sys.argv[1:])
for _ in range(25):
    lock = Lock(path)
    while not lock.acquire(wait=False):
        pass
    counter.write_text(str(int(counter.read_text()) + 1))
    lock.release(remove=True)
"""


def test_removing_the_file_lets_no_two_in(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path / "race.lock"), str(counter)]
    for process in [subprocess.Popen(command) for _ in range(4)]:
        assert process.wait(120) == 0
    assert counter.read_text() == "100"


@pytest.mark.skipif(os.name != "posix", reason="making links and pipes like these takes POSIX")
def test_no_link_is_followed_and_no_folder_or_missing_place_is_a_lock(tmp_path: Path) -> None:
    (tmp_path / "link.lock").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder.lock").mkdir()
    for name in ("link.lock", "folder.lock", "missing/race.lock"):
        with pytest.raises(OSError, match=r"."):
            Lock(tmp_path / name).acquire(wait=False)
        assert locks.taken_if_free(tmp_path / name) is None
    assert not (tmp_path / "elsewhere").exists()
