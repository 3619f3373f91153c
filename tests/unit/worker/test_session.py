import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from bakeoff.errors import AdapterError, UnsupportedError, WorkerDiedError, WorkerError, WorkerTimedOutError
from bakeoff.worker import session as session_module
from bakeoff.worker.session import WORKER, WorkerSession, spawn_environment, tail

pytestmark = pytest.mark.unit

Adapter = Callable[..., Path]
Start = Callable[..., WorkerSession]
InputSets = list[list[str]]
MODEL = {"path": "", "format": "onnx", "inputs": [], "outputs": []}
SETTINGS = {"threads": 1, "precision": "fp32", "batch_size": 1}


@pytest.fixture
def start(adapter: Adapter, tmp_path: Path) -> Iterator[Start]:
    sessions: list[WorkerSession] = []

    def start(
        methods: str = "", timeout_s: float = 30.0, command: tuple[str, ...] = (sys.executable, "-I")
    ) -> WorkerSession:
        env = spawn_environment(1)
        session = WorkerSession(command, adapter(methods), env, tmp_path / "worker.log", timeout_s)
        sessions.append(session)
        return session

    yield start
    for session in sessions:
        session.kill()


@pytest.fixture
def input_sets(tmp_path: Path) -> list[list[str]]:
    paths = [str(tmp_path / f"set{k}.npy") for k in range(3)]
    for k, path in enumerate(paths):
        np.save(path, np.full((2, 3), k + 1, np.float32))
    return [[path] for path in paths]


def loaded(session: WorkerSession, input_sets: list[list[str]]) -> WorkerSession:
    session.hello()
    session.load(MODEL, SETTINGS)
    session.prepare(input_sets)
    return session


def ends(pid: int, within_s: float = 5) -> bool:
    """Whether a process ends soon, be it that nobody reaps it."""
    deadline = time.monotonic() + within_s
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
    return True


def test_a_worker_answers_from_hello_to_close(start: Start, input_sets: InputSets, tmp_path: Path) -> None:
    session = start()
    assert session.hello().framework.version == "1.0"
    assert session.load(MODEL, SETTINGS).effective == {"threads": 1}
    session.prepare(input_sets)
    reply = session.outputs(1, tmp_path)
    assert np.load(reply.paths[0]).tolist() == [[4.0] * 3] * 2
    assert session.close() == 0


def test_a_burst_reports_every_latency_and_the_cpu_time_of_its_threads(
    start: Start, input_sets: InputSets, tmp_path: Path
) -> None:
    busy = """
    def run(self, k):
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            pass
        self.result = self.sets[k]
    """
    session = loaded(start(busy), input_sets)
    reply = session.measure([0, 1, 2, 0], [2], tmp_path)
    assert len(reply.latencies) == 4
    assert all(0.02 <= latency < 0.5 for latency in reply.latencies)
    assert sum(reply.latencies) <= reply.seconds
    assert 0 < sum(reply.cpu_seconds.values()) <= 1.1 * reply.seconds
    assert (reply.peak_rss_bytes or 0) > 5e6
    assert np.load(reply.paths[0])[0, 0] == 1.0  # set 0 ran last


def test_warm_up_makes_at_least_the_calls_asked_for_and_stops_at_its_time(start: Start, input_sets: InputSets) -> None:
    session = loaded(start("def run(self, k):\n    time.sleep(0.05)\n    self.result = self.sets[k]"), input_sets)
    few = session.warm_up([0, 1, 2] * 20, at_least=3, at_most_seconds=0.0)
    assert len(few) == 3
    more = session.warm_up([0, 1, 2] * 20, at_least=1, at_most_seconds=0.2)
    assert 2 <= len(more) <= 5


def test_chatter_on_stdout_goes_to_the_log_and_never_into_the_conversation(
    start: Start, input_sets: InputSets, tmp_path: Path
) -> None:
    chatty = """
    def run(self, k):
        print("chatter")
        os.write(1, b'{"ok": {"forged": true}}\\n')
        self.result = self.sets[k]
    """
    session = loaded(start(chatty), input_sets)
    assert session.outputs(0, tmp_path).paths
    session.close()
    assert "chatter" in tail(tmp_path / "worker.log")
    assert "forged" in tail(tmp_path / "worker.log")


def test_stdin_is_empty_for_the_framework(start: Start, input_sets: InputSets, tmp_path: Path) -> None:
    session = loaded(start("def run(self, k):\n    self.result = self.sets[k] * len(sys.stdin.read())"), input_sets)
    reply = session.outputs(0, tmp_path)
    assert not np.load(reply.paths[0]).any()


def test_an_exception_is_an_error_reply_and_the_worker_lives_on(start: Start) -> None:
    session = start("def load(self, model, settings):\n    raise ValueError('odd weights\\nsecond line')")
    session.hello()
    with pytest.raises(AdapterError, match=r"^ValueError: odd weights$") as caught:
        session.load(MODEL, SETTINGS)
    assert "second line" in caught.value.details
    assert session.close() == 0


def test_not_implemented_means_unsupported_with_the_adapters_reason(start: Start) -> None:
    session = start("def load(self, model, settings):\n    raise NotImplementedError('no bf16 kernels')")
    session.hello()
    with pytest.raises(UnsupportedError, match=r"^no bf16 kernels$"):
        session.load(MODEL, SETTINGS)


def test_a_hanging_worker_is_killed_at_its_deadline_with_its_children(start: Start, tmp_path: Path) -> None:
    hanging = f"""
    def describe(self):
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open({str(tmp_path / "child")!r}, "w") as f:
            f.write(str(child.pid))
        return {{"version": "1.0"}}
    def load(self, model, settings):
        time.sleep(600)
    """
    session = start(hanging)
    session.hello()
    session.timeout_s = 0.2
    begin = time.monotonic()
    with pytest.raises(WorkerTimedOutError, match=r"no answer to `load` within 0.2 s"):
        session.load(MODEL, SETTINGS)
    assert time.monotonic() - begin < 10
    assert ends(int((tmp_path / "child").read_text()))


@pytest.mark.skipif(os.name != "posix", reason="sessions are POSIX")
@pytest.mark.parametrize("then", ["time.sleep(600)", "os._exit(4)", "pass"])
def test_a_grandchild_in_a_session_of_its_own_that_holds_the_pipe_blocks_no_end(
    start: Start, tmp_path: Path, then: str
) -> None:
    leaves = f"""
    def load(self, model, settings):
        if os.fork() == 0:
            os.setsid()
            with open({str(tmp_path / "child")!r}, "w") as f:
                f.write(str(os.getpid()))
            time.sleep(600)
        time.sleep(0.3)
        {then}
    """
    session = start(leaves)
    session.hello()
    session.timeout_s = 0.7
    with contextlib.suppress(WorkerError):
        session.load(MODEL, SETTINGS)
    begin = time.monotonic()
    session.kill()
    assert time.monotonic() - begin < 5
    assert ends(int((tmp_path / "child").read_text()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="marks are taken off as only Linux can")
def test_one_that_nobody_can_find_is_not_waited_for(start: Start, tmp_path: Path) -> None:
    hides = f"""
    def load(self, model, settings):
        import subprocess
        code = "import time; time.sleep(600)"
        fds = tuple(map(int, os.listdir("/proc/self/fd")[:-1]))
        child = subprocess.Popen([sys.executable, "-c", code], env={{}}, start_new_session=True, pass_fds=fds)
        with open({str(tmp_path / "child")!r}, "w") as f:
            f.write(str(child.pid))
    """
    session = start(hides)
    session.hello()
    with contextlib.suppress(WorkerError):
        session.load(MODEL, SETTINGS)
    begin = time.monotonic()
    session.kill()
    assert time.monotonic() - begin < 5
    psutil.Process(int((tmp_path / "child").read_text())).kill()


def test_an_import_has_the_time_of_any_other_answer(start: Start) -> None:
    session = start("def describe(self):\n    time.sleep(600)", timeout_s=0.7)
    with pytest.raises(WorkerTimedOutError, match=r"no answer to `hello` within 0.7 s"):
        session.hello()


def test_a_worker_that_exits_is_reported_with_its_last_words(start: Start) -> None:
    session = start(
        "def load(self, model, settings):\n    print('the last words')\n    sys.stdout.flush()\n    os._exit(3)"
    )
    session.hello()
    with pytest.raises(WorkerDiedError, match=r"exited with code 3 during `load`: the last words"):
        session.load(MODEL, SETTINGS)


def test_a_worker_that_ends_by_an_exception_is_no_victim_of_the_system(start: Start) -> None:
    session = start("""
    def load(self, model, settings):
        def odd(*_, **__):
            raise RuntimeError("the interpreter is broken")
        sys.modules["__main__"].json.dumps = odd
    """)
    session.hello()
    with pytest.raises(WorkerDiedError, match=r"exited with code 1 during `load`: RuntimeError: the interpreter is br"):
        session.load(MODEL, SETTINGS)


def test_a_worker_that_hangs_up_and_lives_on_is_killed_and_said_to_have_hung_up(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "GOODBYE_S", 0.2)
    session = start("def load(self, model, settings):\n    os.closerange(3, 20)\n    time.sleep(600)")
    session.hello()
    with pytest.raises(WorkerDiedError, match="the worker hung up during `load`"):
        session.load(MODEL, SETTINGS)
    assert not psutil.pid_exists(session.pid)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a forked child has all that its parent had open")
def test_a_worker_that_dies_while_a_child_of_its_own_holds_the_pipe_has_died_and_not_hung(start: Start) -> None:
    session = start("def load(self, model, settings):\n    os.fork() or time.sleep(600)\n    os._exit(4)")
    session.hello()
    session.timeout_s = 0.7
    with pytest.raises(WorkerDiedError, match=r"exited with code 4 during `load`"):
        session.load(MODEL, SETTINGS)


def test_a_reply_without_an_end_is_none(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LONGEST_REPLY", 1000)
    session = start("def load(self, model, settings):\n    return {'name': 'x' * 2000}")
    session.hello()
    with pytest.raises(WorkerDiedError, match="answered `load` with something that is no reply"):
        session.load(MODEL, SETTINGS)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_killed_worker_is_reported_with_the_signal_and_what_it_means(start: Start) -> None:
    session = start("def load(self, model, settings):\n    os.kill(os.getpid(), 9)")
    session.hello()
    with pytest.raises(WorkerDiedError, match=r"killed by SIGKILL \(out of memory"):
        session.load(MODEL, SETTINGS)


def test_a_command_that_is_not_there_is_a_dead_worker(start: Start) -> None:
    with pytest.raises(WorkerDiedError, match=r"it does not start: .*nowhere"):
        start(command=("/nowhere/python",))


def test_rubbish_instead_of_a_reply_is_a_dead_worker(start: Start, tmp_path: Path) -> None:
    imposter = tmp_path / "imposter.py"
    imposter.write_text("import sys\nfor line in sys.stdin: print('[1, 2', flush=True)")
    session = start(command=(sys.executable, str(imposter)))
    with pytest.raises(WorkerDiedError, match=r"something that is no reply: '\[1, 2"):
        session.hello()


def test_a_suspended_worker_uses_no_cpu_and_goes_on_afterwards(
    start: Start, input_sets: InputSets, tmp_path: Path
) -> None:
    spinning = """
    def load(self, model, settings):
        import threading
        def spin():
            while True: pass
        threading.Thread(target=spin, daemon=True).start()
    """
    session = loaded(start(spinning), input_sets)
    session.suspend()
    time.sleep(0.05)
    before = psutil.Process(session.pid).cpu_times().user
    time.sleep(0.4)
    assert psutil.Process(session.pid).cpu_times().user - before < 0.05
    session.resume()
    assert len(session.measure([0], [], tmp_path).latencies) == 1


def test_the_callers_python_settings_do_not_leak_into_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    env = spawn_environment(3, {"A": "{threads}"}, {"OMP_NUM_THREADS": "7"})
    assert not {"PYTHONPATH", "LD_PRELOAD", "OMP_WAIT_POLICY"} & env.keys()
    assert (env["A"], env["OMP_NUM_THREADS"], env["MKL_NUM_THREADS"]) == ("3", "7", "3")
    assert "cache" in env["HOME"]


def test_where_no_number_of_threads_is_asked_nothing_tells_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    env = spawn_environment(None, {"A": "{threads}", "B": "1"})
    assert not {"A", "MKL_NUM_THREADS", "OMP_NUM_THREADS"} & env.keys()
    assert env["B"] == "1"


def test_a_precision_that_an_adapter_does_not_list_is_not_asked_of_it(start: Start) -> None:
    session = start("PRECISIONS = ('fp32', 'fp16')\n\ndef load(self, model, settings):\n    return {}")
    session.hello()
    session.load(MODEL, SETTINGS)
    with pytest.raises(UnsupportedError, match="computes in fp32 or fp16, not in fp4"):
        session.load(MODEL, {**SETTINGS, "precision": "fp4"})


def test_only_the_adapters_own_folder_is_on_the_path(start: Start) -> None:
    session = start("def load(self, model, settings):\n    return {'path': sys.path}")
    session.hello()
    path = session.load(MODEL, SETTINGS).effective["path"]
    assert isinstance(path, list)
    assert Path(str(path[0])).name == "adapters"
    assert str(WORKER.parent) not in path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs prctl")
def test_a_suspended_worker_dies_with_a_controller_that_is_killed(tmp_path: Path, adapter: Adapter) -> None:
    controller = f"""
import sys, time
from pathlib import Path
from bakeoff.worker import session as session_module
from bakeoff.worker.session import WorkerSession, spawn_environment
session = WorkerSession([sys.executable, "-I"], Path({str(adapter())!r}), spawn_environment(1), Path("log"), 30)
session.hello(); session.suspend(); print(session.pid, flush=True); time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", controller], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as parent:
        assert parent.stdout
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert ends(worker)


def test_changed_inputs_are_told_and_those_that_the_engine_let_go_of_are_not_kept(
    start: Start, input_sets: InputSets, tmp_path: Path
) -> None:
    scribbles = """
    def run(self, k):
        self.result = self.sets[k] * np.float32(2)
        if k == 1:
            self.sets[2][0, 0] = 7
    def prepare(self, input_sets):
        self.sets = [inputs[0] for inputs in input_sets]
        self.sets[0] = self.sets[0] + 1
    """
    session = loaded(start(scribbles), input_sets)
    assert session.outputs(0, tmp_path).inputs_changed == []
    reply = session.measure([1], [], tmp_path)
    assert reply.inputs_changed == [(2, 0)]


def test_the_time_that_outputs_take_is_told_apart(start: Start, input_sets: InputSets, tmp_path: Path) -> None:
    lazy = "def outputs(self):\n    time.sleep(0.1)\n    return [self.result]"
    session = loaded(start(lazy), input_sets)
    for reply in (
        session.outputs(0, tmp_path),
        session.measure([0], [], tmp_path),
    ):
        assert 0.1 <= reply.outputs_seconds < 1
        assert reply.seconds < 0.1


def test_usage_counts_helper_processes_alive_or_not_and_the_log(
    start: Start, input_sets: InputSets, tmp_path: Path
) -> None:
    burden = """
    helper = "import time; t = time.process_time()\\nwhile time.process_time() < t + 0.2: pass"
    def run(self, k):
        import subprocess
        self.result = self.sets[k]
        os.write(1, b"12345")
        subprocess.run([sys.executable, "-I", "-c", self.helper])
        self.alive = subprocess.Popen([sys.executable, "-I", "-c", self.helper + "\\ntime.sleep(600)"])
        time.sleep(1)
    """
    session = loaded(start(burden), input_sets)
    before = session.usage()
    session.measure([0], [], tmp_path)
    after = session.usage()
    assert 0.3 < after.helpers_cpu_s - before.helpers_cpu_s < 2
    assert after.log_bytes - before.log_bytes == 5


@pytest.mark.skipif(os.name != "posix", reason="Windows lets nobody remove a file that is open")
def test_a_log_that_is_removed_ends_nothing(start: Start, tmp_path: Path) -> None:
    session = start("def load(self, model, settings):\n    raise ValueError('odd weights')")
    session.hello()
    (tmp_path / "worker.log").unlink()
    assert session.usage().log_bytes == 0
    with pytest.raises(AdapterError, match="odd weights"):
        session.load(MODEL, SETTINGS)
    assert session.usage().log_bytes > 0
    assert session.close() == 0


def test_usage_of_a_worker_that_is_gone_is_its_death(start: Start) -> None:
    session = start()
    session.hello()
    psutil.Process(session.pid).kill()
    session._process.wait()
    with pytest.raises(WorkerDiedError, match="killed by SIGKILL"):
        session.usage()
