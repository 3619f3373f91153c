"""A real PostgreSQL for whoever asks: started once a session, from the system's own packages."""

import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

DEBIAN = Path("/usr/lib/postgresql")
"""where Debian puts the server's programs, by version, and no PATH leads"""
REQUIRED = "BAKEOFF_REQUIRE_POSTGRES"
"""set in CI, where a test that needs the server fails without one instead of being skipped"""
OTHER_USERS = ("postgres", "nobody")
_numbers = itertools.count(1)
SHARED = frozenset({"postgres", "pages", "whole_race", "tiny_path", "one_built"})
"""fixtures that take long to make"""

# Where an image forbids it, each of the hundreds of processes started here would compile bakeoff anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# How long an example takes says how busy the machine is; what failed once, fails again without being kept. So many
# examples find what the usual hundred find; to search for longer, say how many.
EXAMPLES = int(os.environ.get("BAKEOFF_EXAMPLES", "50"))
hypothesis.settings.register_profile("bakeoff", deadline=None, database=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("bakeoff")
# A shell's background job ignores Ctrl-C, and what nohup starts ignores its terminal's end, and so would all processes
# started here; a handler, unlike that, is not inherited.
for name in ("SIGINT", "SIGHUP"):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), lambda *_: None)


MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where Linux has it
ROOM = 2 * 10**9
"""bytes that must be free there: a test keeps what it wrote until it has passed"""


def pytest_configure(config: pytest.Config) -> None:
    """Where the unit tests run alone: their files in memory, of which they write and delete ten thousand, and no
    threads for their arrays, since they run side by side.
    """
    if config.getoption("markexpr") == "unit":
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        if MEMORY.is_dir() and _runs_programs(MEMORY) and shutil.disk_usage(MEMORY).free > ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that share something costly run in one process, where several do: it is made there and nowhere else."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            for name in SHARED & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.xdist_group(name))


def _runs_programs(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and not os.statvfs(folder).f_flag & os.ST_NOEXEC


class PostgresServer:
    """A server on a Unix socket in a folder of its own, that can be stopped and started again."""

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="bakeoff-pg-"))
        self._programs = programs
        self._user = _somebody_else()
        if self._user:
            shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb", "--pgdata", str(self._data), "--auth=trust", "--username=bakeoff", "--no-sync", "-E", "UTF8"
        )

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self._durable else "off",
        }
        flags = itertools.chain(*(("-c", f"{name}={value}") for name, value in settings.items()))
        self._process = self._popen("postgres", "-D", str(self._data), *flags)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """As a crash would."""
        if self._process:
            self._run("pg_ctl", "--pgdata", str(self._data), "--mode=immediate", "stop")
            self._process.wait(30)
            self._process = None

    def execute(self, statement: Any) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement)

    @property
    def conninfo(self) -> str:
        return f"host={self.folder} user=bakeoff dbname=postgres"

    def new_url(self) -> str:
        """The address of an empty store: a schema of its own."""
        name = f"store{next(_numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"postgresql://bakeoff:unused@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _popen(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [str(self._programs / program), *arguments]
        identity: dict[str, Any] = {"user": self._user, "extra_groups": ()} if self._user else {}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **identity)

    def _run(self, program: str, *arguments: str) -> None:
        code = self._popen(program, *arguments).wait(60)
        assert code == 0, (self.folder / "log").read_text()


def _somebody_else() -> str | None:
    """The server refuses to be root: whom to run it as, None if we are somebody else already."""
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - POSIX only

    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in OTHER_USERS if name in known)


@functools.cache
def server_programs() -> Path | None:
    """The folder of `initdb` and `postgres`, the newest there is."""
    on_path = shutil.which("initdb")
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    return Path(on_path).parent if on_path else versions[-1].parent if versions else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    programs = server_programs() if sys.platform != "win32" else None
    if programs is None:
        assert not os.environ.get(REQUIRED), "no PostgreSQL server here: apt-get install postgresql"
        pytest.skip("no PostgreSQL server here (initdb): apt-get install postgresql")
    server = PostgresServer(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty store of one's own on the session's server."""
    return postgres.new_url()
