"""Heats on a network that doubles its input: with real workers, and, where these do not matter, in this process."""

import contextlib
import dataclasses
import gc
import io
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from tests.unit.made import a_contender, a_plan

from bakeoff import paths
from bakeoff.errors import LostFilesError, WorkerError
from bakeoff.judge.case.disturbance import disturbed, last_tries
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.heat import run_heat
from bakeoff.race.host import Host
from bakeoff.race.ready.runnable import InputSets, Labelled, Runnable
from bakeoff.records import (
    Accuracy,
    Case,
    Disturbance,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    ModelForm,
    ModelRecord,
    Status,
    TensorSpec,
    Trial,
)
from bakeoff.worker import worker
from bakeoff.worker.replies import Envelope
from bakeoff.worker.session import T, Usage, WorkerSession

pytestmark = pytest.mark.unit

Adapter = Callable[..., Path]
BATCH_SIZES = (1, 2)
WIDTH = 32


def runnable(name: str, adapter: Path, *, spins: bool = False, threads: int = 1) -> Runnable:
    environment = EnvironmentSpec(name="own", kind="uv", lock=adapter)
    engine = EngineSpec(
        name=name,
        title=name,
        framework="test",
        release="today",
        league="fp32",
        adapter=adapter,
        environment=environment,
        model=ModelForm(format="onnx"),
        spins=spins,
    )
    installed = Installed(name="own", digest="d1", path=adapter, command=(sys.executable, "-I"))
    return Runnable(
        contender=a_contender(name, threads=threads), engine=engine, installed=installed, model_path=adapter
    )


@pytest.fixture
def context(tmp_path: Path) -> HeatContext:
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, WIDTH))
    model = ModelRecord(name="double", digest="d0", weights="seeded", inputs=(tensor,), outputs=(tensor,))
    return HeatContext(
        plan=a_plan(models=("double",), engines=(), batch_sizes=BATCH_SIZES, threads=1, timeout_s=20.0, bursts=2),
        round=1,
        model=model,
        inputs={size: material(tmp_path / f"batch{size}", size) for size in BATCH_SIZES},
        tolerance=1e-4,
        logs=tmp_path / "logs",
        scratch=tmp_path / "scratch",
        time_is_up=lambda: False,
        say=lambda _: None,
        repeats_help=lambda: False,  # whoever else computes while tests run
    )


class OwnCode(WorkerSession):
    """The worker's own code, called in this process: a process takes it 0.2 s to start."""

    def __init__(self, adapter: Path, log: Path, timeout_s: float) -> None:
        self.log = log
        self.timeout_s = timeout_s
        self._worker = worker.Worker(str(adapter))  # type: ignore[no-untyped-call]

    def call(self, op: str, reply: type[T], *, timeout_s: float | None = None, **arguments: Any) -> T:
        del timeout_s
        request = json.loads(json.dumps(arguments))
        line = worker.answer(getattr(self._worker, op), request)  # type: ignore[no-untyped-call]
        return msgspec.json.decode(line, type=Envelope).content(op, reply)

    @property
    def pid(self) -> int:
        return 2**22 + 1  # nobody's

    def suspend(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def rss_bytes(self) -> int | None:
        return None

    def usage(self) -> Usage:
        return Usage(helpers_cpu_s=0.0, log_bytes=0)

    def close(self) -> int:
        with contextlib.suppress(WorkerError):
            self.call("close", msgspec.Raw)
        return 0

    def kill(self) -> None:
        pass


class OneProcess(Host):
    """This machine without other processes on it: whether others disturb each next burst, then nobody.

    Only the workers of the adapter called `real` are processes.
    """

    def __init__(self, *disturbed: bool, real: str = "") -> None:
        self.disturbed = list(disturbed)
        self.real = real

    def start_worker(
        self, command: Sequence[str], adapter: Path, env: Mapping[str, str], log: Path, timeout_s: float
    ) -> WorkerSession:
        if adapter.stem == self.real:
            return super().start_worker(command, adapter, env, log, timeout_s)
        return OwnCode(adapter, log, timeout_s)

    def watch(self, worker: int | None) -> Callable[[], Disturbance]:
        assert worker is not None
        others = 1.0 if self.disturbed and self.disturbed.pop(0) else 0.0
        return lambda: Disturbance(others_cpu_s=others, steal_s=0.0, wall_s=0.5, cpus=2.0, resolution_s=0.04)


@pytest.fixture
def one_process(context: HeatContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeatContext]:
    """The context of a heat whose workers are none; what they do to this process is undone."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "bakeoff_adapter", sys)
    gc.freeze()  # a worker collects its garbage before each burst, and this process has much to look at
    yield dataclasses.replace(context, host=OneProcess())
    gc.unfreeze()


def material(folder: Path, batch_size: int) -> InputSets:
    folder.mkdir()
    arrays = [np.arange(1, 1 + WIDTH * batch_size, dtype=np.float32).reshape(batch_size, WIDTH) + k for k in range(6)]
    paths = []
    for k, array in enumerate(arrays):
        np.save(folder / f"{k}.npy", array)
        paths.append((str(folder / f"{k}.npy"),))
    expected = [(2.0 * a.astype(np.float64),) for a in arrays]
    fresh = InputSets(paths=tuple(paths[3:]), expected=tuple(expected[3:]))
    return InputSets(paths=tuple(paths[:3]), expected=tuple(expected[:3]), fresh=fresh)


def wanted_by(context: HeatContext, *runnables: Runnable) -> set[Case]:
    return set(msgspec.structs.replace(context.plan, contenders=tuple(e.contender for e in runnables)).cases())


def race(context: HeatContext, runnables: Iterable[Runnable]) -> dict[tuple[str, int], Trial]:
    runnables = list(runnables)
    trials = itertools.chain.from_iterable(run_heat(context, runnables, wanted_by(context, *runnables)))
    return {(trial.case.contender.name, trial.case.batch_size): trial for trial in trials}


def test_every_contender_gets_a_measured_trial_at_every_batch_size(context: HeatContext, adapter: Adapter) -> None:
    trials = race(context, [runnable("a", adapter()), runnable("b", adapter())])
    assert trials.keys() == {("a", 1), ("a", 2), ("b", 1), ("b", 2)}
    for trial in trials.values():
        assert trial.status is Status.OK
        assert trial.measurement is not None
        assert trial.measurement.latencies
        assert len(trial.measurement.warm_up) >= 5
        assert trial.parity is not None
        assert trial.parity.max_rel_error == 0
        assert trial.framework_version == "1.0"
        assert trial.requested["batch_size"] == trial.case.batch_size
    cold = [trial.case.batch_size for trial in trials.values() if trial.measurement and trial.measurement.cold]
    assert len(cold) == 2
    assert len(set(cold)) == 1  # both ran their batch sizes in the same order


def test_labelled_pictures_are_classified_after_timing_and_those_that_fill_up_a_batch_do_not_count(
    one_process: HeatContext, adapter: Adapter, tmp_path: Path
) -> None:
    labels = ((3, 7), (5,))
    paths = []
    for number, classes in enumerate(((3, 8), (5, 5))):  # the second picture is of class 7, and looks like one of 8
        path = tmp_path / f"pictures{number}.npy"
        np.save(path, np.eye(WIDTH, dtype=np.float32)[list(classes)])
        paths.append(str(path))
    materials = dict(one_process.inputs)
    materials[2] = dataclasses.replace(materials[2], labelled=Labelled(paths=tuple(paths), labels=labels))
    first = dataclasses.replace(one_process, inputs=materials)
    trials = race(first, [runnable("a", adapter())])
    assert trials["a", 2].accuracy == Accuracy(right=2, pictures=3)
    assert trials["a", 1].accuracy is None
    assert race(dataclasses.replace(first, round=2), [runnable("a", adapter())])["a", 2].accuracy is None


def test_only_one_worker_runs_at_a_time(context: HeatContext, adapter: Adapter) -> None:
    diary = paths.worker_home() / "diary"
    writes = f"""
    def run(self, k):
        with open({str(diary)!r}, "a") as f:
            f.write("%d %.6f " % (os.getpid(), time.monotonic()))
        time.sleep(0.001)
        self.result = self.sets[k] * np.float32(2)
        with open({str(diary)!r}, "a") as f:
            f.write("%.6f\\n" % time.monotonic())
    """
    plan = msgspec.structs.replace(context.plan, batch_sizes=(1,))
    race(dataclasses.replace(context, plan=plan), [runnable("a", adapter(writes)), runnable("b", adapter(writes))])
    turns = sorted(
        (float(begin), float(end), pid) for pid, begin, end in (line.split() for line in diary.read_text().splitlines())
    )
    assert len({pid for _, _, pid in turns}) == 2
    for (_, end, _), (begin, _, _) in itertools.pairwise(turns):
        assert end <= begin


def test_the_order_follows_from_the_seed(one_process: HeatContext, adapter: Adapter) -> None:
    def order(seed: int) -> list[str]:
        said: list[str] = []
        plan = msgspec.structs.replace(
            one_process.plan, seed=seed, contenders=(a_contender("a"), a_contender("b")), bursts=4
        )
        own = dataclasses.replace(one_process, plan=plan, say=said.append)
        list(run_heat(own, [runnable(name, adapter()) for name in "ab"], set(plan.cases())))
        return [what for what in said if "turn" not in what]  # how many there are is up to what they show

    assert order(7) == order(7)
    assert order(7) != order(8)


def test_a_rival_that_fails_is_a_row_and_the_others_go_on(one_process: HeatContext, adapter: Adapter) -> None:
    wrong = adapter("def outputs(self):\n    return [self.result * 1.01]", "wrong")
    raises = adapter("def run(self, k):\n    raise ValueError('odd')", "raises")
    trials = race(one_process, [runnable("good", adapter()), runnable("wrong", wrong), runnable("raises", raises)])
    assert {trials["good", size].status for size in BATCH_SIZES} == {Status.OK}
    assert {trials["wrong", size].status for size in BATCH_SIZES} == {Status.WRONG}
    assert trials["wrong", 1].measurement is None
    assert "while timed" not in trials["wrong", 1].reason  # found before any clock ran
    assert trials["wrong", 1].parity is not None
    assert (trials["raises", 2].status, trials["raises", 2].reason) == (Status.FAILED, "ValueError: odd")


ROGUES = {
    "describe-returns-text": ("describe", "return '1.0'", Status.FAILED, "`hello` is no reply: Expected `object`"),
    "describe-returns-no-version": ("describe", "return {}", Status.FAILED, "missing required field `version`"),
    "describe-exits": ("describe", "sys.exit('no licence')", Status.FAILED, "SystemExit: no licence"),
    "load-returns-a-list": ("load", "return ['threads']", Status.FAILED, "`load` is no reply: Expected `object`"),
    "load-returns-numpy": ("load", "return {'threads': np.int64(1)}", Status.FAILED, "TypeError: Object of type int64"),
    "load-is-interrupted": ("load", "raise KeyboardInterrupt", Status.FAILED, "KeyboardInterrupt"),
    "prepare-raises": ("prepare", "raise BaseException('odd')", Status.FAILED, "BaseException: odd"),
    "outputs-are-none": ("outputs", "return None", Status.FAILED, "TypeError: 'NoneType' object is not iterable"),
    "outputs-are-objects": ("outputs", "return [[self]]", Status.FAILED, "ValueError: Object arrays cannot be saved"),
    "outputs-are-text": ("outputs", "return ['cat']", Status.WRONG, "has shape [] instead of [1, 32]"),
    "outputs-are-complex": ("outputs", "return [self.result * 1j]", Status.WRONG, "is complex64 instead of float"),
    "outputs-are-records": (
        "outputs",
        "return [self.result.view([('a', 'f4'), ('b', 'f4')]).repeat(2, 1)]",
        Status.WRONG,
        "instead of float",
    ),
    "outputs-are-large": ("outputs", "return [np.zeros(1 << 25)]", Status.FAILED, "its outputs take 268435584 bytes"),
    "outputs-are-strided": ("outputs", "return [np.asfortranarray(self.result)[::-1][::-1]]", Status.OK, ""),
    "close-raises": ("close", "raise ValueError('not open')", Status.OK, ""),
}


def test_no_adapter_costs_more_than_its_row(one_process: HeatContext, adapter: Adapter) -> None:
    plan = msgspec.structs.replace(one_process.plan, batch_sizes=(1,), bursts=1)
    rogues = [
        runnable(name, adapter(f"def {method}(self, *_):\n    {body}", name))
        for name, (method, body, _, _) in ROGUES.items()
    ]
    trials = race(dataclasses.replace(one_process, plan=plan), [runnable("good", adapter()), *rogues])
    assert trials["good", 1].status is Status.OK
    for name, (_, _, status, reason) in ROGUES.items():
        trial = trials[name, 1]
        assert (trial.status, reason in trial.reason) == (status, True), (name, trial.reason)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(trial), type=Trial) == trial


WIPED = {
    "inputs": "import glob; [os.remove(path) for path in glob.glob({inputs!r})]",
    "scratch": "import shutil; shutil.rmtree({scratch!r})",
    "model": "os.remove({model!r})",
    "logs": "import shutil; shutil.rmtree({logs!r}); open({logs!r}, 'w').close()",
}


@pytest.mark.parametrize("what", WIPED)
def test_what_fails_for_want_of_the_race_s_own_files_is_no_failure_of_the_engine(
    one_process: HeatContext, adapter: Adapter, tmp_path: Path, what: str
) -> None:
    """The race ends with the file's name, and the case is still to be raced."""
    model = tmp_path / "model.onnx"
    model.write_bytes(b"")
    wipe = WIPED[what].format(
        inputs=str(tmp_path / "batch*" / "*.npy"),
        scratch=str(one_process.scratch),
        model=str(model),
        logs=str(one_process.logs),
    )
    one_process.logs.mkdir()
    victim = dataclasses.replace(
        runnable("a", adapter(f"def load(self, model, settings):\n    {wipe}\n    open('/nowhere/at/all')")),
        model_path=model,
    )
    yielded: list[Trial] = []
    with pytest.raises(LostFilesError, match=r"is gone|cannot be written") as caught:
        yielded += itertools.chain.from_iterable(run_heat(one_process, [victim], wanted_by(one_process, victim)))
    assert str(tmp_path) in str(caught.value)
    assert yielded == []


def test_a_full_disk_is_the_engine_s_failure_only_if_there_is_room_without_it(
    one_process: HeatContext, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[bool] = []

    class Disk:
        full_without_it = False

        def __init__(self, *, dir: Path) -> None:  # noqa: A002 - as tempfile calls it
            del dir
            if self.full_without_it or not ends:
                raise OSError(28, "No space left on device")

        def __enter__(self) -> Any:
            return io.BytesIO()

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", Disk)
    monkeypatch.setattr(OwnCode, "kill", lambda _: ends.append(True))
    fills = runnable("a", adapter("def run(self, k):\n    raise OSError(28, 'No space left on device')"))
    found = race(one_process, [fills])["a", 1]
    assert (found.status, found.reason) == (Status.FAILED, "OSError: [Errno 28] No space left on device")
    Disk.full_without_it = True
    with pytest.raises(LostFilesError, match="cannot be written: No space left"):
        race(one_process, [fills])


def test_a_case_that_kills_its_worker_is_retried_alone_and_the_other_batch_sizes_are_raced(
    one_process: HeatContext, adapter: Adapter
) -> None:
    tries = paths.worker_home() / "tries"
    dies_once_at_2 = f"""
    def load(self, model, settings):
        if settings["batch_size"] == 2:
            with open({str(tries)!r}, "a") as f:
                f.write("x")
            if os.path.getsize({str(tries)!r}) == 1:
                os._exit(5)
        return {{}}
    """
    trials = race(
        dataclasses.replace(one_process, host=OneProcess(real="mortal")),
        [runnable("good", adapter()), runnable("mortal", adapter(dies_once_at_2, "mortal"))],
    )
    assert {trial.status for trial in trials.values()} == {Status.OK}
    assert len(trials) == 4
    assert tries.read_text() == "xx"


def test_a_case_that_kills_its_worker_twice_has_failed(one_process: HeatContext, adapter: Adapter) -> None:
    mortal = adapter("def load(self, model, settings):\n    os._exit(5)", "mortal")
    plan = msgspec.structs.replace(one_process.plan, batch_sizes=(1,))
    own = dataclasses.replace(one_process, plan=plan, host=OneProcess(real="mortal"))
    trials = race(own, [runnable("good", adapter()), runnable("mortal", mortal)])
    assert trials["mortal", 1].status is Status.FAILED
    assert "exited with code 5 during `load`" in trials["mortal", 1].reason
    assert Path(trials["mortal", 1].log).exists()
    assert trials["good", 1].status is Status.OK


def test_a_worker_that_cannot_start_fails_all_its_cases_without_being_started_again(
    one_process: HeatContext, adapter: Adapter
) -> None:
    starts = paths.worker_home() / "starts"
    stillborn = adapter(name="stillborn")
    stillborn.write_text(f"open({str(starts)!r}, 'a').write('x')\nimport a_framework_nobody_has")
    trials = race(
        dataclasses.replace(one_process, host=OneProcess(real="stillborn")),
        [runnable("good", adapter()), runnable("stillborn", stillborn)],
    )
    assert {trials["stillborn", size].status for size in BATCH_SIZES} == {Status.FAILED}
    assert "No module named 'a_framework_nobody_has'" in trials["stillborn", 1].reason
    assert starts.read_text() == "x"


def test_a_worker_that_dies_at_every_start_is_not_retried(context: HeatContext, adapter: Adapter) -> None:
    starts = paths.worker_home() / "starts"
    dies = adapter(name="dies")
    dies.write_text(f"import os\nopen({str(starts)!r}, 'a').write('x')\nos._exit(127)")
    trials = race(context, [runnable("dies", dies)])
    assert {trial.status for trial in trials.values()} == {Status.FAILED}
    assert len(trials) == len(BATCH_SIZES)
    assert starts.read_text() == "x"


def test_a_hang_is_a_row_and_leaves_no_process(one_process: HeatContext, adapter: Adapter) -> None:
    pid = paths.worker_home() / "pid"
    hangs = f"def prepare(self, input_sets):\n    open({str(pid)!r}, 'w').write(str(os.getpid()))\n    time.sleep(600)"
    plan = msgspec.structs.replace(one_process.plan, timeout_s=1.0, batch_sizes=(1,))
    own = dataclasses.replace(one_process, plan=plan, host=OneProcess(real="hangs"))
    begin = time.monotonic()
    trials = race(own, [runnable("good", adapter()), runnable("hangs", adapter(hangs, "hangs"))])
    assert trials["hangs", 1].status is Status.TIMED_OUT
    assert trials["good", 1].status is Status.OK
    assert time.monotonic() - begin < 15
    assert not psutil.pid_exists(int(pid.read_text()))


def test_garbage_while_timed_is_caught_after_the_burst(one_process: HeatContext, adapter: Adapter) -> None:
    cheat = """
    calls = 0
    def run(self, k):
        self.calls += 1
        self.result = self.sets[k] * np.float32(2 if self.calls <= 5 else 3)
    """
    trials = race(one_process, [runnable("cheat", adapter(cheat, "cheat"))])
    assert trials["cheat", 1].status is Status.WRONG
    assert "while timed" in trials["cheat", 1].reason


def test_answers_from_memory_are_found_out_by_inputs_that_were_kept_back(
    one_process: HeatContext, adapter: Adapter
) -> None:
    cheat = """
    known = {}
    def run(self, k):
        content = self.sets[k].tobytes()
        if content not in self.known:
            time.sleep(0.01)
            self.known[content] = self.sets[k] * np.float32(2)
        self.result = self.known[content]
    """
    trials = race(one_process, [runnable("cheat", adapter(cheat, "cheat"))])
    assert {trial.status for trial in trials.values()} == {Status.WRONG}
    assert "a new input takes" in trials["cheat", 1].reason
    later = dataclasses.replace(one_process, round=2)
    assert race(later, [runnable("cheat", adapter(cheat, "cheat"))])["cheat", 1].status is Status.OK


def test_changing_an_input_is_wrong_even_if_the_answer_is_right(one_process: HeatContext, adapter: Adapter) -> None:
    scribbles = """
    def prepare(self, input_sets):
        self.given = [inputs[0] for inputs in input_sets]
        self.sets = [array.copy() for array in self.given]
    def run(self, k):
        self.result = self.sets[k] * np.float32(2)
        self.given[k][:] = 0
    """
    trial = race(one_process, [runnable("scribbler", adapter(scribbles, "scribbler"))])["scribbler", 1]
    assert trial.status is Status.WRONG
    assert trial.reason.startswith("it changes its inputs: x of set ")


def test_threads_that_spin_are_counted_once_more_without(context: HeatContext, adapter: Adapter) -> None:
    spins = f"""
    def load(self, model, settings):
        with open({str(paths.worker_home() / "loads")!r}, "a") as f:
            f.write("%s %s %s\\n" % (settings["batch_size"], settings.get("spin"), os.environ.get("OMP_WAIT_POLICY")))
        return {{}}
    """
    trials = race(context, [runnable("spinner", adapter(spins, "spinner"), spins=True, threads=2)])
    loads = (paths.worker_home() / "loads").read_text().splitlines()
    assert sorted(loads) == ["1 False passive", "1 None None", "2 None None"]
    quiet = {key: trial.measurement.busy_without_spinning for key, trial in trials.items() if trial.measurement}
    assert quiet["spinner", 2] is None
    assert quiet["spinner", 1] is None or quiet["spinner", 1] > 0


def test_what_only_the_first_round_does_is_told_apart_from_what_each_does(
    one_process: HeatContext, adapter: Adapter
) -> None:
    told: list[float] = []
    for round_, expected in ((1, len(BATCH_SIZES)), (2, 0)):
        told.clear()
        race(dataclasses.replace(one_process, round=round_, happens_once=told.append), [runnable("good", adapter())])
        assert len(told) == expected
        assert all(seconds > 0 for seconds in told)


def test_nothing_more_is_raced_once_the_time_is_up(one_process: HeatContext, adapter: Adapter) -> None:
    answers = iter([False, True])
    own = dataclasses.replace(one_process, time_is_up=lambda: next(answers))
    assert len(race(own, [runnable("a", adapter())])) == 1


def test_abandoning_a_heat_midway_leaves_no_worker_behind(context: HeatContext, adapter: Adapter) -> None:
    plan = msgspec.structs.replace(context.plan, contenders=tuple(map(a_contender, ("a",))))
    before = psutil.Process().children()
    heat = run_heat(context, [runnable("a", adapter())], set(plan.cases()))
    next(heat)
    assert len(psutil.Process().children()) > len(before)
    heat.close()
    assert psutil.Process().children() == before


# What others disturb


def tries_of(context: HeatContext, *engines: Runnable) -> list[Trial]:
    plan = msgspec.structs.replace(context.plan, contenders=tuple(e.contender for e in engines))
    return list(itertools.chain.from_iterable(run_heat(context, engines, set(plan.cases()))))


def test_a_batch_size_that_others_disturbed_is_raced_again_whole(one_process: HeatContext, adapter: Adapter) -> None:
    own = dataclasses.replace(one_process, repeats_help=lambda: True, host=OneProcess(True))
    tries = tries_of(own, runnable("a", adapter()), runnable("b", adapter()))
    first, again = tries[0].case.batch_size, tries[4:]
    assert [trial.repeat for trial in tries] == [False] * 4 + [True] * 2
    assert [trial.round for trial in again] == [one_process.round] * 2
    assert {(trial.case.contender.name, trial.case.batch_size) for trial in again} == {("a", first), ("b", first)}
    assert [disturbed(trial) for trial in tries].count(True) == 1
    spoilt = next(trial for trial in tries if disturbed(trial))
    assert spoilt.disturbance
    assert spoilt.measurement
    assert spoilt.disturbance.wall_s == 0.5 * len(spoilt.measurement.latencies)
    assert len(last_tries(tries)) == 4


def test_a_repeat_takes_no_fewer_turns_than_the_try_whose_place_it_takes(
    one_process: HeatContext, adapter: Adapter
) -> None:
    noisy = OneProcess(*[True] * 64)
    own = dataclasses.replace(one_process, repeats_help=lambda: True, host=noisy, aim_s=2.0, of_processes=0.0)
    tries = tries_of(own, runnable("a", adapter()))
    again = next(trial for trial in tries if trial.repeat)
    first = next(trial for trial in tries if trial.case == again.case)
    assert first.measurement is not None
    assert again.measurement is not None
    assert len(again.measurement.latencies) == len(first.measurement.latencies) > 3


def test_who_failed_in_a_disturbed_batch_size_is_not_raced_again(one_process: HeatContext, adapter: Adapter) -> None:
    own = dataclasses.replace(one_process, repeats_help=lambda: True, host=OneProcess(True, True))
    wrong = adapter("def outputs(self):\n    return [self.result * 1.01]", "wrong")
    tries = tries_of(own, runnable("good", adapter()), runnable("wrong", wrong))
    assert [trial.case.contender.name for trial in tries if trial.repeat] == ["good"]


def test_nothing_is_raced_again_when_that_was_in_vain_or_the_time_is_up(
    one_process: HeatContext, adapter: Adapter
) -> None:
    in_vain = dataclasses.replace(one_process, repeats_help=lambda: False)
    late = dataclasses.replace(one_process, repeats_help=lambda: True, time_is_up=iter([False, False, True]).__next__)
    for own in (in_vain, late):
        tries = tries_of(dataclasses.replace(own, host=OneProcess(True)), runnable("a", adapter()))
        assert [trial.repeat for trial in tries] == [False, False]
