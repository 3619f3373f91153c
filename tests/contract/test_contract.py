"""What every engine promises, tried in its real environment, behind the real worker, on a tiny network.

By default the study's engines, of today and of 2019; the variable `BAKEOFF_CONTRACT` names others: "all", or patterns
with commas.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.engines.recipe import compose
from bakeoff.environments import overlay
from bakeoff.errors import AdapterError, UnsupportedError, UnsupportedModelError, WorkerDiedError
from bakeoff.judge.knobs import settings_not_taken
from bakeoff.judge.parity import compare
from bakeoff.models.inputs import input_sets
from bakeoff.models.library import ModelLibrary
from bakeoff.race.conversion import in_form
from bakeoff.records import EngineSpec, EnvironmentSpec, Installed, ModelRecord
from bakeoff.worker.session import DRIVER, WITHOUT_SPINNING, WorkerSession, spawn_environment

pytestmark = [pytest.mark.contract, pytest.mark.timeout(1800)]

MODEL = "resnet-tiny"
OTHER_FAMILIES = ("mobile-tiny", "squeezenet-tiny", "encoder-tiny")
SEED, SAMPLES, SETS = 7, 9, 3
TOLERANCE = {"fp32": 1e-4, "fp16": 5e-3, "bf16": 5e-2, "int8": 2e-1}
"""Largest relative error, by league."""
LARGE_BATCH = 256
OTHER_TOLERANCE = 10
"""times that, for networks of other families: runtimes approximate erf, and an encoder sums few numbers of any size"""
ONE_CORE = 1.3
"""CPU seconds per second of an engine with one thread, and room for what its runtime does besides."""
ONE_THREAD = 1.7
"""CPU seconds of all threads over the busiest one's: some runtimes hand over between two threads that never overlap,
and two that share the work alike make 2."""
TWO_CORES = 2.3
TWO_THREADS = 1.25
"""The same of an engine with two threads that do not spin: at least so much is shared, of a large batch."""
TIMEOUT_S = 300.0

Arrays = list[NDArray[Any]]


def engines_under_contract() -> list[EngineSpec]:
    patterns = os.environ.get("BAKEOFF_CONTRACT", "")
    catalogue = Catalogue.load()
    return catalogue.select(patterns.split(",")) if patterns else catalogue.select(["study", "study-2019"])


class Talk:
    """Prints how installations go, for pytest to show should the test fail."""

    def started(self, spec: EnvironmentSpec) -> None:
        print(f"installing {spec.name}")  # noqa: T201

    def note(self, text: str) -> None:
        print(text)  # noqa: T201

    def finished(self, installed: Installed, seconds: float) -> None:
        print(f"{installed.name} stands after {seconds:.0f} s")  # noqa: T201

    def failed(self, name: str, reason: str) -> None:
        print(f"{name}: {reason}")  # noqa: T201


@dataclass(frozen=True)
class Bench:
    """An engine, its environment, and the tiny network in the form that it takes."""

    engine: EngineSpec
    standing: Mapping[str, Installed]
    library: ModelLibrary
    model: ModelRecord
    folder: Path

    @contextmanager
    def worker(self, threads: int, *, spin: bool = True) -> Iterator["Driver"]:
        """A fresh worker that has said hello."""
        installed = self.standing[self.engine.environment.name]
        env = spawn_environment(threads, installed.env, self.engine.env, {} if spin else WITHOUT_SPINNING)
        log = self.folder / "worker.log"
        with WorkerSession(installed.command, self.engine.adapter, env, log, TIMEOUT_S) as session:
            yield Driver(self, session, session.hello(), threads, spin)

    @property
    def model_path(self) -> Path:
        return in_form(self.model, self.engine.model, self.standing, self.library, print)


@dataclass(frozen=True)
class Driver:
    """A worker under test."""

    bench: Bench
    session: WorkerSession
    hello: Mapping[str, Any]
    threads: int
    spin: bool

    def settings(self, batch_size: int, precision: str | None = None) -> dict[str, Any]:
        """As a race asks for them, by default in the engine's own league."""
        engine = self.bench.engine
        asked = {"threads": self.threads, "precision": precision or engine.league, "batch_size": batch_size}
        return {**engine.options, **asked, **({} if self.spin else {"spin": False})}

    def load(self, batch_size: int, *, path: Path | None = None, precision: str | None = None) -> dict[str, Any]:
        """Load the network; returns what took effect."""
        engine, model = self.bench.engine, self.bench.model
        sides = {"inputs": model.inputs, "outputs": model.outputs}
        tensors = {
            side: [{"name": t.name, "dtype": t.dtype, "shape": t.at(batch_size)} for t in specs]
            for side, specs in sides.items()
        }
        loaded = self.session.call(
            "load",
            model={"path": str(path or self.bench.model_path), "format": engine.model.format, **tensors},
            settings=self.settings(batch_size, precision),
        )
        effective = loaded["effective"]
        assert isinstance(effective, dict)
        return effective

    def load_or_skip(self, batch_size: int) -> dict[str, Any]:
        """A refusal skips the test with its reason."""
        try:
            return self.load(batch_size)
        except UnsupportedError as reason:
            pytest.skip(f"{self.bench.engine.name} says: {reason}")

    def prepare(self, batch_size: int) -> list[list[int]]:
        """Give it the input sets; returns which sample each row of each set is."""
        files, rows_of_sets = [], []
        samples = self.bench.library.samples(self.bench.model, SEED, SAMPLES)
        for k, (arrays, rows) in enumerate(input_sets(samples, batch_size, SETS)):
            paths_of_set = [self.bench.folder / f"input-{k}-{i}.npy" for i in range(len(arrays))]
            for path, array in zip(paths_of_set, arrays, strict=True):
                np.save(path, array)
            files.append([str(path) for path in paths_of_set])
            rows_of_sets.append(rows)
        self.session.call("prepare", input_sets=files)
        return rows_of_sets

    def outputs(self, k: int) -> Arrays:
        reply = self.session.call("outputs", k=k, directory=str(self.bench.folder))
        return [np.load(path) for path in reply["paths"]]


@pytest.fixture(scope="module", params=engines_under_contract(), ids=lambda engine: str(engine.name))
def engine(request: pytest.FixtureRequest) -> EngineSpec:
    spec: EngineSpec = request.param
    return spec


@pytest.fixture(scope="module")
def bench(engine: EngineSpec, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Only what this machine lacks is a skip; an installation that fails is a failure."""
    lacking = {spec.name: environments.missing(spec) for spec in engine.environments if not environments.find(spec)}
    standing = {}
    for name, installed in environments.install(engine.environments, Talk()).items():
        if isinstance(installed, Installed):
            standing[name] = installed
        elif lacking.get(name):
            pytest.skip(f"{engine.name}: {installed}")
        else:
            pytest.fail(f"{name} cannot be installed: {installed}")
    library = ModelLibrary(paths.cache_dir())
    return Bench(engine, standing, library, library.resolve(MODEL), tmp_path_factory.mktemp(engine.name))


@pytest.fixture(scope="module")
def driver(bench: Bench) -> Iterator[Driver]:
    """A worker with two threads, shared by the tests that leave it as they found it: answering."""
    with bench.worker(threads=2) as driver:
        yield driver


def test_hello_names_the_version_of_the_framework(driver: Driver) -> None:
    version = driver.hello["framework"]["version"]
    assert isinstance(version, str)
    assert version[:1].isdigit()


def test_every_load_replaces_the_one_before_and_agrees_with_the_reference(driver: Driver) -> None:
    for batch_size in (1, 3, 1):
        load_and_compare(driver, batch_size)


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_a_network_of_another_family_agrees_with_the_reference_or_is_refused(bench: Bench, family: str) -> None:
    other = replace(bench, model=bench.library.resolve(family))
    try:
        assert other.model_path.exists()
    except UnsupportedModelError as reason:
        pytest.skip(f"{bench.engine.name} has no form of {family}: {reason}")
    with other.worker(threads=1) as driver:
        load_and_compare(driver, 2, OTHER_TOLERANCE)


def load_and_compare(driver: Driver, batch_size: int, more: float = 1.0) -> None:
    bench = driver.bench
    reference = bench.library.reference(bench.model, SEED, SAMPLES)
    driver.load_or_skip(batch_size)
    for k, rows in enumerate(driver.prepare(batch_size)):
        outputs = driver.outputs(k)
        assert [o.shape for o in outputs] == [spec.at(batch_size) for spec in bench.model.outputs]
        assert [o.dtype.name for o in outputs] == [spec.dtype for spec in bench.model.outputs]
        parity, fault = compare(outputs, [array[rows] for array in reference], classes=bench.model.classes)
        assert not fault
        assert parity.max_rel_error is not None
        assert parity.max_rel_error <= more * TOLERANCE[bench.engine.league]


def test_the_settings_that_took_effect_are_those_asked_for(driver: Driver) -> None:
    effective = driver.load_or_skip(1)
    if effective["threads"] == 1 < driver.threads:
        pytest.skip(f"{driver.bench.engine.name} has one thread, whatever is asked, and says so")
    assert effective["threads"] == driver.threads
    others = settings_not_taken(driver.settings(1), effective)
    provider = driver.bench.engine.options.get("provider")
    if provider:  # which may leave some nodes to another, and then says so
        assert effective["nodes"][provider] > 0
        others = [line for line in others if not line.startswith("provider: ")]
    assert others == []


def test_running_other_sets_leaves_inputs_and_answers_as_they_were(driver: Driver) -> None:
    driver.load_or_skip(3)
    driver.prepare(3)
    before = [driver.outputs(k) for k in range(SETS)]
    assert not any(np.array_equal(before[0][0], other[0]) for other in before[1:])
    timed = driver.session.call("measure", order=[2, 1, 0, 1], untimed=[2], directory=str(driver.bench.folder))
    assert len(timed["latencies"]) == 4
    assert min(timed["latencies"]) > 0
    # The files hold the outputs of the last timed call, of set 1.
    after_the_burst = [np.load(path) for path in timed["paths"]]
    for expected, got in [(before[1], after_the_burst), *((before[k], driver.outputs(k)) for k in range(SETS))]:
        for a, b in zip(expected, got, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * float(np.abs(a).max()))


def test_its_recipe_gives_the_answers_of_the_reference(bench: Bench, tmp_path: Path) -> None:
    """Run as a user would, in its environment and without bakeoff, for three samples at once."""
    engine, model, rows = bench.engine, bench.model, 3
    if engine.recipe is None:
        pytest.skip(f"nobody has written a recipe for {engine.name}")
    script = compose(engine, model, str(bench.model_path), batch_size=rows, threads=2, about="a test")
    (tmp_path / "recipe.py").write_text(script, encoding="utf-8")
    (samples,) = bench.library.samples(model, SEED, SAMPLES)
    np.savez(tmp_path / "inputs.npz", **{model.inputs[0].name: np.load(samples)[:rows]})
    command = [*bench.standing[engine.environment.name].command, "recipe.py", "inputs.npz", "outputs.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=TIMEOUT_S)
    with np.load(tmp_path / "outputs.npz") as saved:
        outputs = [saved[name] for name in saved.files]
    reference = bench.library.reference(model, SEED, SAMPLES)
    parity, fault = compare(outputs, [array[:rows] for array in reference], classes=model.classes)
    assert not fault
    assert parity.max_rel_error is not None
    assert parity.max_rel_error <= TOLERANCE[engine.league]


def test_a_precision_that_it_lacks_is_refused_with_a_reason(driver: Driver) -> None:
    with pytest.raises(UnsupportedError, match=r"\w"):
        driver.load(1, precision="fp4")


def test_a_truncated_model_is_an_error_and_the_worker_lives_on(bench: Bench) -> None:
    broken = truncated(bench.model_path, bench.folder)
    with bench.worker(threads=1) as driver:
        driver.load_or_skip(1)
        try:
            with pytest.raises(AdapterError):
                driver.load(1, path=broken)
        except WorkerDiedError as death:
            pytest.skip(f"{bench.engine.name} does not survive a truncated model: {death}")
        driver.load_or_skip(1)
        driver.prepare(1)
        assert driver.outputs(0)


def test_one_thread_uses_one_core_and_close_ends_the_process_well(bench: Bench) -> None:
    with bench.worker(threads=1) as driver:
        effective, burst = burst_of_a_large_batch(driver)
        of_each = burst["cpu_seconds"]
        used = sum(of_each.values())
        assert used < ONE_CORE * burst["seconds"], f"more than one core's time: {of_each}; in effect: {effective}"
        # On a busy machine two threads may get less than one core; that both did the work still shows.
        busiest = max(of_each.values())
        assert used < ONE_THREAD * busiest, f"more than one thread works: {of_each}; in effect: {effective}"
        assert driver.session.close() == 0


def test_two_threads_share_the_work(bench: Bench) -> None:
    with bench.worker(threads=2, spin=not bench.engine.spins) as driver:
        effective, burst = burst_of_a_large_batch(driver)
        if effective["threads"] == 1:
            pytest.skip(f"{bench.engine.name} has one thread, whatever is asked, and says so")
        of_each = burst["cpu_seconds"]
        used, busiest = sum(of_each.values()), max(of_each.values())
        assert used < TWO_CORES * burst["seconds"], f"more than two cores' time: {of_each}; in effect: {effective}"
        assert used > TWO_THREADS * busiest, f"one thread does the work: {of_each}; in effect: {effective}"


def test_under_load_every_query_is_answered_or_its_python_has_no_loadgen(bench: Bench) -> None:
    installed = bench.standing[bench.engine.environment.name]
    with bench.worker(threads=1) as driver:
        python = driver.hello["python"].rpartition(".")[0]
    if python not in overlay.PYTHONS:
        with pytest.raises(UnsupportedError, match=f"MLPerf LoadGen has no wheel for Python {python}"):
            overlay.loadgen(installed)
        return
    folder = overlay.loadgen(installed)
    env = spawn_environment(1, installed.env, bench.engine.env)
    log = bench.folder / "load.log"
    with WorkerSession(installed.command, bench.engine.adapter, env, log, TIMEOUT_S, program=DRIVER) as session:
        session.hello(overlay=str(folder))
        session.call("start", instances=2, command=list(installed.command), env=env)
        instances = Driver(bench, cast("WorkerSession", Instances(session)), {}, threads=1, spin=True)
        instances.load_or_skip(1)
        instances.prepare(1)
        offline = session.call("offline", sets=SETS, queries=30, seed=SEED)
        assert sum(map(len, offline["latencies"])) == offline["queries"] == 30
        assert offline["rate"] > 0
        rate = offline["rate"] / 4
        server = session.call("server", sets=SETS, queries=30, seed=SEED, rate=rate, bound_seconds=TIMEOUT_S)
        assert server["held"]
        assert server["queries"] == 30
        assert server["rate"] == pytest.approx(rate, rel=0.8)


@dataclass(frozen=True)
class Instances:
    """All instances of a driver, asked as one worker is."""

    session: WorkerSession

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        replies: list[dict[str, Any]] = self.session.call("each", request={"op": op, **arguments})["replies"]
        return replies[0]


def burst_of_a_large_batch(driver: Driver) -> tuple[dict[str, Any], dict[str, Any]]:
    """What took effect, and half a second's measurement of a warm engine."""
    effective = driver.load_or_skip(LARGE_BATCH)
    driver.prepare(LARGE_BATCH)
    driver.session.call("warm_up", order=[0, 1, 2], at_least=3, at_most_seconds=1)
    (latency,) = driver.session.call("measure", order=[0], untimed=[])["latencies"]
    calls = max(3, min(500, round(0.5 / latency)))
    return effective, driver.session.call("measure", order=[k % SETS for k in range(calls)], untimed=[0])


def truncated(model: Path, folder: Path) -> Path:
    """A copy of a model file, or of a plain graph's folder, whose files end half-way."""
    copy = folder / f"truncated{model.suffix}"
    if model.is_dir():
        shutil.copytree(model, copy)
    else:
        shutil.copy(model, copy)
    for file in copy.iterdir() if copy.is_dir() else [copy]:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
    return copy
