"""What every engine promises, tried in its real environment, behind the real worker, on a tiny network.

The checks are those of `bakeoff engines check`. By default of the study's engines, of today and of 2019; the variable
`BAKEOFF_CONTRACT` names others: "all", or patterns with commas.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.contract import users_network
from tests.contract.installing import standing_or_skipped

from bakeoff import paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.environments import overlay
from bakeoff.errors import UnsupportedError, UnsupportedModelError
from bakeoff.models.library import ModelLibrary
from bakeoff.race.contract import checks
from bakeoff.race.contract.subject import MODEL, SEED, SETS, TIMEOUT_S, EngineUnderTest, WorkerUnderTest
from bakeoff.records import EngineSpec
from bakeoff.worker.replies import Hello, Loaded, Nothing, OfEach, Took, UnderLoad
from bakeoff.worker.session import DRIVER, PROTOCOL, WorkerSession

pytestmark = [pytest.mark.contract, pytest.mark.timeout(1800)]

OTHER_FAMILIES = ("mobile-tiny", "squeezenet-tiny", "encoder-tiny")
OTHER_TOLERANCE = 10
"""times the tiny ResNet's, for networks of other families: runtimes approximate erf, and an encoder sums few numbers of
any size"""


def engines_under_contract() -> list[EngineSpec]:
    patterns = os.environ.get("BAKEOFF_CONTRACT", "")
    catalogue = Catalogue.load()
    return catalogue.select(patterns.split(",")) if patterns else catalogue.select(["study", "study-2019"])


@pytest.fixture(scope="module", params=engines_under_contract(), ids=lambda engine: str(engine.name))
def engine(request: pytest.FixtureRequest) -> EngineSpec:
    spec: EngineSpec = request.param
    return spec


@pytest.fixture(scope="module")
def subject(engine: EngineSpec, tmp_path_factory: pytest.TempPathFactory) -> EngineUnderTest:
    standing = standing_or_skipped(engine.environments)
    library = ModelLibrary(paths.cache_dir())
    folder = tmp_path_factory.mktemp(engine.name)
    return EngineUnderTest(engine, standing, library, library.resolve(MODEL), folder, print)


@pytest.fixture(scope="module")
def worker(subject: EngineUnderTest) -> Iterator[WorkerUnderTest]:
    """A worker with two threads, shared by the tests that leave it as they found it: answering."""
    with subject.worker(threads=2) as worker:
        yield worker


@contextmanager
def what_shows_nothing_skipped() -> Iterator[None]:
    """An engine may refuse the tiny network, with its reason."""
    try:
        yield
    except (checks.NotShownError, checks.RefusedError) as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("check", checks.SHARED, ids=lambda check: str(check.__name__))
def test_a_worker_keeps_the_promise_that(worker: WorkerUnderTest, check: Callable[[WorkerUnderTest], None]) -> None:
    with what_shows_nothing_skipped():
        check(worker)


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_a_network_of_another_family_agrees_with_the_reference_or_is_refused(
    subject: EngineUnderTest, family: str
) -> None:
    agrees_or_is_refused(replace(subject, model=subject.library.resolve(family)))


def test_a_network_as_users_bring_it_agrees_with_the_reference_or_is_refused(
    subject: EngineUnderTest, tmp_path: Path
) -> None:
    users_network.write(tmp_path / "users.onnx")
    agrees_or_is_refused(replace(subject, model=subject.library.add(tmp_path / "users.onnx")))


def agrees_or_is_refused(other: EngineUnderTest) -> None:
    try:
        assert other.model_path.exists()
    except UnsupportedModelError as reason:
        pytest.skip(f"{other.engine.name} has no form of {other.model.name}: {reason}")
    with other.worker(threads=1) as worker, what_shows_nothing_skipped():
        checks.load_and_compare(worker, 2, OTHER_TOLERANCE)


@pytest.mark.parametrize("check", checks.ALONE, ids=lambda check: str(check.__name__))
def test_an_engine_keeps_the_promise_that(subject: EngineUnderTest, check: Callable[[EngineUnderTest], None]) -> None:
    with what_shows_nothing_skipped():
        check(subject)


def test_under_load_every_query_is_answered_or_its_python_has_no_loadgen(subject: EngineUnderTest) -> None:
    installed = subject.standing[subject.engine.environment.name]
    with subject.worker(threads=1) as worker:
        runnable, python = worker.runnable, worker.hello.python.rpartition(".")[0]
    if python not in overlay.PYTHONS:
        with pytest.raises(UnsupportedError, match=f"MLPerf LoadGen has no wheel for Python {python}"):
            overlay.loadgen(installed)
        return
    folder = overlay.loadgen(installed)
    env = runnable.env
    log = subject.folder / "load.log"
    with WorkerSession(installed.command, subject.engine.adapter, env, log, TIMEOUT_S, program=DRIVER) as session:
        session.call("hello", Nothing, protocol=PROTOCOL, overlay=str(folder))
        started = session.call("start", OfEach[Hello], instances=2, command=list(installed.command), env=env)
        both = cast("WorkerSession", Instances(session))
        instances = WorkerUnderTest(subject, runnable, both, started.replies[0])
        with what_shows_nothing_skipped():
            checks.load_or_refuse(instances, 1)
        instances.prepare(1)
        offline = session.call("offline", UnderLoad, sets=SETS, queries=30, seed=SEED)
        assert sum(map(len, offline.latencies)) == offline.queries == 30
        assert offline.rate > 0
        rate = offline.rate / 4
        server = session.call("server", UnderLoad, sets=SETS, queries=30, seed=SEED, rate=rate, bound_seconds=TIMEOUT_S)
        assert server.held
        assert server.queries == 30
        assert server.rate == pytest.approx(rate, rel=0.8)


@dataclass(frozen=True)
class Instances:
    """All instances of a worker, asked as one worker is."""

    session: WorkerSession

    def load(self, model: Mapping[str, Any], settings: Mapping[str, Any]) -> Loaded:
        request = {"op": "load", "model": model, "settings": settings}
        return self.session.call("each", OfEach[Loaded], request=request).replies[0]

    def prepare(self, input_sets: Sequence[Sequence[str]]) -> Took:
        request = {"op": "prepare", "input_sets": input_sets}
        return self.session.call("each", OfEach[Took], request=request).replies[0]
