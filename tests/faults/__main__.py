"""Break things, and see that nothing is lost: ``python -m tests.faults [--part] [KIND]...``.

Each kind of fault is a generator of (what was tried, what was lost by it); nothing lost is "". The table says how many
were tried, how many survived, and names every one that did not; any of those is exit code 1. docs/reliability.md has
what is promised. With ``--part``, a few of each kind, as CI runs them.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from click.testing import CliRunner
from tests.conftest import PostgresServer, server_programs
from tests.end_to_end.test_rogues import EXPECTED
from tests.faults import mutator
from tests.hostile.broken_models import BREAKING, BROKEN

from bakeoff.cli import bakeoff
from bakeoff.errors import BakeoffError
from bakeoff.printable import visible
from bakeoff.processes import MARK

ROOT = Path(__file__).parents[2]
ROGUES = str(ROOT / "tests" / "rogues")
RACE = ("run", "resnet-tiny", "--engines", "honest", "--engines-dir", ROGUES, "--batch", "1,2", "--no-profile")
ROUNDS = ("--rounds", "2", "--budget", "10m")
PATIENCE_S = 240.0
MOST_S = 12.0
"""a moment to strike is drawn from as many seconds"""
Fault = tuple[str, str]
Kind = Callable[[Path, int, random.Random], Iterator[Fault]]


def start(folder: Path, *arguments: str, **env: str) -> "subprocess.Popen[str]":
    """The command in `folder`, its output in files there."""
    command = [sys.executable, str(Path(__file__).with_name("command.py")), *arguments]
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        variables = {**os.environ, "BAKEOFF_FAULTS": str(folder), "PYTHONPATH": str(ROOT), **env}
        return subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=err, text=True)


def finish(process: "subprocess.Popen[str]", folder: Path) -> tuple[int, str, str]:
    """The exit code, what it printed, and what it said, once it has ended."""
    try:
        code = process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    return code, (folder / "out").read_text(), (folder / "err").read_text()


def typed(folder: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    return finish(start(folder, *arguments, **env), folder)


def left_behind(controller: int) -> str:
    """What the bakeoff of that process id started and is still there, shortly after it ended."""
    deadline = time.monotonic() + 10
    while alive := [process for process in psutil.process_iter() if of(process).startswith(f"{controller}/")]:
        if time.monotonic() > deadline:
            return f"left behind: {', '.join(' '.join(process.cmdline())[:60] for process in alive)}"
        time.sleep(0.1)
    return ""


def of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        return str(process.environ().get(MARK, ""))
    return ""


def trials_in(folder: Path) -> set[tuple[Any, ...]]:
    """What the store holds, read by SQLite itself, which must find it whole."""
    store = folder / "results" / "bakeoff.sqlite"
    if not store.exists():
        return set()
    with contextlib.closing(sqlite3.connect(store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the store is damaged"
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
            return set()
        rows = connection.execute("SELECT run_id, contender, batch_size, round, started_at FROM trials").fetchall()
    assert len(set(rows)) == len(rows), "a trial is there twice"
    return set(rows)


def untold(err: str, trials: set[tuple[Any, ...]]) -> str:
    """What was said to be measured and is not among `trials`: each stands in the store by then."""
    said = {(int(size), int(round_)) for size, round_ in re.findall(r"batch (\d+): measured in round (\d+)", err)}
    lost = said - {(size, round_) for _, _, size, round_, _ in trials}
    return f"said to be measured and not stored: (batch, round) {sorted(lost)}" if lost else ""


def no_traceback(code: int, text: str, codes: tuple[int, ...]) -> str:
    if "Traceback" in text:
        return "a traceback: " + text[text.index("Traceback") :][-300:]
    return "" if code in codes else f"exit code {code}: {text[-300:]}"


def kills(folder: Path, count: int, rng: random.Random) -> Iterator[Fault]:
    """SIGKILL at random moments; the run is taken up, and killed again, until it is whole."""
    known: set[tuple[Any, ...]] = set()
    for number in range(count):
        store = folder / "results" / "bakeoff.sqlite"
        process = start(folder, *(("resume",) if known else RACE + ROUNDS))
        moment = rng.uniform(0, MOST_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        ended = process.poll()
        process.kill()
        process.wait()
        problem = left_behind(process.pid)
        err = (folder / "err").read_text()
        try:
            now = trials_in(folder)
        except (AssertionError, sqlite3.Error) as error:
            yield f"SIGKILL after {moment:.1f} s", str(error)
            return
        problem = problem or ("trials are gone" if known - now else "")
        problem = problem or untold(err, now)
        problem = problem or (no_traceback(ended, err, (0,)) if ended is not None else no_traceback(0, err, (0,)))
        known = now
        if ended is not None or number == count - 1:
            if known or store.exists():
                code, out, err = typed(folder, "resume", "--json") if known else (0, "", "")
                whole = not known or [case["trials"] for case in json.loads(out or '{"cases": []}')["cases"]] == [2, 2]
                problem = problem or no_traceback(code, err, (0,)) or ("" if whole else "resume made it not whole")
            shutil.rmtree(folder / "results", ignore_errors=True)
            known = set()
        yield f"SIGKILL after {moment:.1f} s", problem


def signals(folder: Path, count: int, rng: random.Random) -> Iterator[Fault]:
    """Signals that end it as Ctrl-C does, at random moments; SIGQUIT as a kill."""
    for number in range(count):
        chosen = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)[number % 4]
        process, moment = start(folder, *RACE, "--rounds", "20", "--budget", "10m"), rng.uniform(0.7, MOST_S)
        time.sleep(moment)
        process.send_signal(chosen)
        begin = time.monotonic()
        code, out, err = finish(process, folder)
        wanted = (-chosen,) if chosen is signal.SIGQUIT else (130, -chosen) if not err else (130,)
        problem = no_traceback(code, out + err, wanted) or left_behind(process.pid)
        late = "" if time.monotonic() - begin < 60 else "it took over a minute to end"
        yield f"{chosen.name} after {moment:.1f} s", problem or late or untold(err, trials_in(folder))
        shutil.rmtree(folder / "results", ignore_errors=True)


def after_the_first_round(folder: Path, *more: str, **env: str) -> "subprocess.Popen[str]":
    process = start(folder, *RACE, *more, **env)
    deadline = time.monotonic() + PATIENCE_S
    while "measured in round 1" not in (folder / "err").read_text() and process.poll() is None:
        assert time.monotonic() < deadline, (folder / "err").read_text()
        time.sleep(0.05)
    return process


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path | None]:
    """A disk of that size at `folder`/disk; None where we may not mount one."""
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def disks(folder: Path, count: int, _rng: random.Random) -> Iterator[Fault]:
    """Full, vanished and wiped while a race is on."""
    for size in ("192k", "300k", "500k")[:count]:
        with disk(folder, size) as place:
            if place is None:
                yield f"a disk of {size}", "SKIPPED: no disk can be mounted here"
                continue
            code, out, err = typed(folder, *RACE, "--rounds", "6", "--output", str(place))
            problem = no_traceback(code, out + err, (0, 1))
            problem = problem or ("" if "6 rounds" in out or "6 rounds" in err else "the table is not whole")
            said = "could not be" in err.splitlines()[-1]
            problem = problem or (
                "" if (code == 1) == said and ("everything is in" in out) != said else "it says not so"
            )
            if not problem and (place / "bakeoff.sqlite").stat().st_size:
                with contextlib.suppress(OSError):
                    (place / "fill").write_bytes(bytes(10**6))
                shown, _, err = typed(folder, "history", "--output", str(place))
                problem = no_traceback(shown, err, (0,))
            yield f"a disk of {size}", problem
    for what in ("scratch", "results", "logs")[:count]:
        cache = folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        process = after_the_first_round(folder, *ROUNDS, BAKEOFF_CACHE=str(shared_cache(cache)))
        wiped = [folder / "results"] if what == "results" else [*(folder / "results").glob("*/logs")]
        for place in wiped if what != "scratch" else [p for p in (cache / "scratch").iterdir() if p.is_dir()]:
            shutil.rmtree(place, ignore_errors=True)
        code, out, err = finish(process, folder)
        problem = no_traceback(code, out + err, (0, 1))
        if code:
            code, out, err = typed(folder, "resume", BAKEOFF_CACHE=str(cache))
            problem = problem or no_traceback(code, out + err, (0,))
        left = {row[1:4] for row in trials_in(folder) if row[1] == "honest"}
        yield f"{what} wiped", problem or ("" if len(left) == 4 else f"{len(left)} of 4 trials are stored")
        shutil.rmtree(folder / "results", ignore_errors=True)
    typed(folder, *RACE, "--rounds", "1")
    (first,) = (folder / "results").glob("*/table.md")
    table = first.read_text()
    (folder / "results" / "bakeoff.sqlite").rename(folder / "damaged")
    typed(folder, *RACE, "--rounds", "1")
    yield "a store moved away", "" if first.read_text() == table else "its results were overwritten"
    shutil.rmtree(folder / "results")


def shared_cache(own: Path) -> Path:
    """A cache with the environments and models of the usual one, and a scratch folder of its own."""
    from bakeoff import paths  # noqa: PLC0415 - beside what it is for

    own.mkdir(parents=True, exist_ok=True)
    for name in ("environments", "models", "uv"):
        if (paths.cache_dir() / name).exists() and not (own / name).exists():
            (own / name).symlink_to(paths.cache_dir() / name)
    return own


def stores(folder: Path, count: int, _rng: random.Random) -> Iterator[Fault]:
    """A PostgreSQL server that goes away while a race is on, for good or for a moment."""
    programs = server_programs()
    if programs is None:
        yield "PostgreSQL", "SKIPPED: no server here (apt-get install postgresql)"
        return
    server = PostgresServer(programs, durable=True)
    try:
        server.start()
        for back in (False, True, False)[:count]:
            url = server.new_url()
            process = after_the_first_round(folder, "--rounds", "3", "--store", url)
            server.stop()
            if back:
                time.sleep(1.0)
                server.start()
            code, out, err = finish(process, folder)
            problem = no_traceback(code, out + err, (0,))
            problem = problem or ("" if back or "could not be stored yet" in err else "it does not say what waits")
            if not back:
                server.start()
            code, out, err = typed(folder, "show", "--format", "json", "--store", url)
            problem = problem or no_traceback(code, err, (0,))
            trials = [case["trials"] for case in json.loads(out)["cases"]] if not code else []
            yield (
                f"server {'restarted' if back else 'gone'}",
                problem or ("" if trials == [3, 3] else f"{trials} trials"),
            )
            shutil.rmtree(folder / "results", ignore_errors=True)
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


HOLD = """
import grp, os, pwd, sys, time
from pathlib import Path
from bakeoff.race import machine_lock
machine_lock.places = lambda: [Path(sys.argv[1])]
os.setgroups([])
os.setgid(grp.getgrnam(sys.argv[4]).gr_gid)
os.setuid(pwd.getpwnam(sys.argv[3]).pw_uid)
with machine_lock.held("a run", lambda line: print(line, flush=True)):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def users(folder: Path, count: int, _rng: random.Random) -> Iterator[Fault]:
    """Two accounts that race on one machine, one of which is ended by a signal."""
    if os.geteuid():
        yield "two accounts", "SKIPPED: only root can be two accounts"
        return
    place = folder / "shared"
    place.mkdir()
    place.chmod(0o1777)
    folder.chmod(0o755)

    def race(account: tuple[str, str], seconds: float) -> "subprocess.Popen[str]":
        """Another account may not reach this interpreter: it starts as root, imports, and becomes that account."""
        command = [sys.executable, "-c", HOLD, str(place / "race.lock"), str(seconds), *account]
        env = {**os.environ, "BAKEOFF_CACHE": str(place / account[0]), "PYTHONPATH": str(ROOT / "src")}
        return subprocess.Popen(command, env=env, cwd="/", stdout=subprocess.PIPE, text=True)

    pairs = [(("daemon", "daemon"), ("nobody", "nogroup")), (("root", "root"), ("daemon", "daemon"))]
    for number in range(count):
        chosen = (signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT)[number % 3]
        first, second = pairs[number // 3 % len(pairs)]
        with race_of(race, first, 60.0) as one:
            begun = one.stdout.readline() if one.stdout else ""
            with race_of(race, second, 0.0) as other:
                waits = other.stdout.readline() if other.stdout else ""
                one.send_signal(chosen)
                got = other.stdout.readline() if other.stdout else ""
                other.wait(PATIENCE_S)
        fine = begun == got == "held\n" and waits.startswith("waiting")
        yield f"{chosen.name} to {first[0]}'s race, {second[0]} waits", "" if fine else f"{begun!r} {waits!r} {got!r}"


@contextlib.contextmanager
def race_of(race: Callable[..., Any], account: tuple[str, str], seconds: float) -> Iterator["subprocess.Popen[str]"]:
    process = race(account, seconds)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def adapters(folder: Path, count: int, _rng: random.Random) -> Iterator[Fault]:
    """Every rogue of tests/rogues in one race with an honest engine."""
    arguments = ["run", "resnet-tiny", "--batch", "1", "--rounds", "1", "--timeout", "10s", "--json", "--no-profile"]
    only = ",".join([*EXPECTED][-count:])
    code, out, err = typed(folder, *arguments, "--engines", only, "--engines-dir", ROGUES)
    problem = no_traceback(code, err, (0, 1))
    rows = {case["engine"]: case for case in json.loads(out)["cases"]} if not problem else {}
    for name in [*EXPECTED][-count:]:
        status, reason = EXPECTED[name]
        row = rows.get(name, {"status": "no row", "reason": problem})
        fine = row["status"] == status and reason in row["reason"]
        yield f"the rogue {name}", "" if fine else f"{row['status']}: {row['reason']}"


def said_in_one_line(arguments: list[str]) -> str:
    """What a command does wrong that must end with code 2 and a line: "" if it does so."""
    result = CliRunner().invoke(bakeoff, arguments)
    error = result.exception
    if isinstance(error, BakeoffError) and error.exit_code == 2:
        text = str(error)
    elif isinstance(error, SystemExit) and error.code == 2:
        return "" if "Error: " in result.stderr else f"it says nothing: {result.stderr[:200]}"
    elif error is None or (isinstance(error, SystemExit) and error.code == 0):
        return "it was taken"
    else:
        return f"{type(error).__name__}: {error}"[:300]
    return "" if len(text.splitlines()) == 1 and len(text) < 3000 else f"not one line: {text[:200]!r}"


NONSENSE = [
    ["run", "resnet-tiny", "--batch", "100000000000000000000"],
    ["run", "resnet-tiny", "--batch", "1,-1"],
    ["run", "resnet-tiny", "--batch", "x"],
    ["run", "resnet-tiny", "--threads", "0"],
    ["run", "resnet-tiny", "--threads", "99999"],
    ["run", "resnet-tiny", "--budget", "-5m"],
    ["run", "resnet-tiny", "--budget", "0"],
    ["run", "resnet-tiny", "--engines", ""],
    ["run", "resnet-tiny", "--engines", "nosuch*"],
    ["run", "resnet-tiny", "--weights", "/nowhere.pth"],
    ["run", "nowhere.onnx"],
    ["run", "resnet-tiny", "--input", "/etc/passwd"],
    ["run", "resnet-tiny", "--shape", "x=1"],
    ["run", "resnet-tiny", "--store", "postgresql://nobody@127.0.0.1:1/x"],
    ["run", "resnet-tiny", "--engines-dir", "/etc"],
    ["show", "nosuch"],
    ["show", "latest~99999999999999999999"],
    ["compare", "a", "b"],
    ["gate", "--baseline", "/dev/null"],
    ["baseline", "--to", "/dev/full"],
    ["resume", "nosuch"],
    ["report", "nosuch"],
    ["models", "show", "/dev/null"],
    ["models", "show", "/"],
    ["engines", "check", "/etc"],
]


def nonsense(folder: Path, count: int, _rng: random.Random) -> Iterator[Fault]:
    """Options that cannot be meant."""
    with contextlib.chdir(folder):
        for arguments in NONSENSE[:count]:
            yield "bakeoff " + " ".join(arguments), said_in_one_line(arguments)


def broken(folder: Path, count: int, _rng: random.Random) -> Iterator[Fault]:
    """Broken and hostile model files, each written by hand."""
    for name, (write, _) in [*BROKEN.items(), *BREAKING.items()][:count]:
        place = folder / name
        place.mkdir()
        write(place / "model.onnx")
        problem = said_in_one_line(["models", "show", str(place / "model.onnx")])
        yield f"the model {name}", "" if problem == "it was taken" and name in BREAKING else problem


def fuzz(folder: Path, count: int, rng: random.Random) -> Iterator[Fault]:
    """Model files and engine folders, changed at random: read, or refused in one line that is fit to print."""
    for number in range(count):
        seed = rng.getrandbits(32)
        file = mutator.write(folder / f"{number}", seed)
        is_model = file.suffix == ".onnx"
        arguments = (
            ["models", "show", str(file)] if is_model else ["engines", "list", "--engines-dir", str(file.parent)]
        )
        result = CliRunner().invoke(bakeoff, arguments)
        error = result.exception
        problem = ""
        if error is not None and not isinstance(error, BakeoffError | SystemExit):
            problem = f"{type(error).__name__}: {error}"[:300]
        elif isinstance(error, BakeoffError) and (error.exit_code != 2 or len(str(error).splitlines()) != 1):
            problem = f"code {error.exit_code}: {error}"[:300]
        shutil.rmtree(file.parent)
        yield f"{file.name} of seed {seed}", visible(problem)


KINDS: dict[str, tuple[Kind, int, int]] = {
    "kills": (kills, 100, 4),
    "signals": (signals, 24, 3),
    "disks": (disks, 3, 1),
    "stores": (stores, 3, 1),
    "users": (users, 6, 3),
    "adapters": (adapters, len(EXPECTED), 4),
    "nonsense": (nonsense, len(NONSENSE), len(NONSENSE)),
    "broken": (broken, len(BROKEN) + len(BREAKING), 8),
    "fuzz": (fuzz, 1000, 60),
}
"""Name -> the kind, how many of it are tried, and how many in a part."""


def main() -> int:
    """Try the kinds asked for and print the table; 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--part", action="store_true")
    parser.add_argument("--count", type=int, help="so many of each kind")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    lost, lines = 0, [f"{'fault':<10} {'tried':>6} {'survived':>9} {'lost':>5} {'skipped':>8} {'seconds':>8}"]
    for name in asked.kinds or KINDS:
        kind, whole, part = KINDS[name]
        tried = survived = skipped = 0
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"bakeoff-{name}-") as folder:
            count = asked.count or (part if asked.part else whole)
            for what, problem in kind(Path(folder), count, random.Random(f"{asked.seed}/{name}")):  # noqa: S311
                tried += 1
                skipped += problem.startswith("SKIPPED")
                survived += not problem
                if problem:
                    print(f"{name}: {what}: {problem}", flush=True)  # noqa: T201 - what it is for
        here = tried - survived - skipped
        lost += here
        seconds = time.monotonic() - begin
        lines.append(f"{name:<10} {tried:>6} {survived:>9} {here:>5} {skipped:>8} {seconds:>8.0f}")
        print(lines[-1], flush=True)  # noqa: T201
    print("\n".join(["", *lines, f"lost {lost}"]))  # noqa: T201
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
