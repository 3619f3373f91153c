"""Every engine that reads ONNX or a plain graph, on ONNX's own node tests: each is right, or refused by name.

By default a fixed tenth of the cases, on engines with a translator of ours; the variable `BAKEOFF_CONFORMANCE` makes it
all of them, on the engines that it names: "all", or patterns with commas. `make conformance` does that, and writes what
came of them to the file that `BAKEOFF_CONFORMANCE_RESULTS` names, for docs/operators.md.
"""

import fnmatch
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.conformance import TAKEN_APART, Case, Conformance, Forms, Outcome, Result, cases, names_an_operator
from tests.contract.installing import standing_or_skipped

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import NoReferenceError
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.records import EngineSpec

pytestmark = [pytest.mark.contract, pytest.mark.timeout(7200)]

ON_EVERY_CHANGE = ["jax", "keras", "paddle", "pytorch"]
"""one engine for each translator"""
FORMATS = {"onnx", "plain"}
FAULTS = Path(__file__).with_name("faults.toml")
SHOWN = 30
"""of the cases that went wrong, in a failure's message"""


@dataclass(frozen=True)
class Fault:
    """What an engine itself gets wrong or ends at, in one version; see faults.toml."""

    engines: Sequence[str]
    version: str
    operator: str
    cases: Sequence[str]
    what: str

    def is_of(self, engine: EngineSpec) -> bool:
        return any(fnmatch.fnmatchcase(str(engine.name), pattern) for pattern in self.engines)

    def covers(self, case: str) -> bool:
        return any(fnmatch.fnmatchcase(case, pattern) for pattern in self.cases)


def faults_of(engine: EngineSpec) -> list[Fault]:
    listed = [Fault(**entry) for entry in tomllib.loads(FAULTS.read_text(encoding="utf-8")).get("fault", [])]
    return [fault for fault in listed if fault.is_of(engine)]


def engines() -> list[EngineSpec]:
    patterns = os.environ.get("BAKEOFF_CONFORMANCE", "")
    chosen = Catalogue.load().select(patterns.split(",") if patterns else ON_EVERY_CHANGE)
    return [engine for engine in chosen if engine.model.format in FORMATS]


@dataclass(frozen=True)
class Report:
    """What an engine of some version made of the cases, by name."""

    engine: EngineSpec
    version: str
    outcomes: Mapping[str, Outcome]


@pytest.fixture(scope="module")
def every_case() -> list[Case]:
    return list(cases())


@pytest.fixture(scope="module")
def chosen(every_case: list[Case]) -> list[Case]:
    every = bool(os.environ.get("BAKEOFF_CONFORMANCE"))
    return [case for case in every_case if every or case.in_the_tenth]


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Forms:
    return Forms(tmp_path_factory.mktemp("forms"))


@pytest.fixture(scope="module", params=engines(), ids=lambda engine: str(engine.name))
def report(
    request: pytest.FixtureRequest, chosen: list[Case], forms: Forms, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    engine: EngineSpec = request.param
    installed = standing_or_skipped([engine.environment])[engine.environment.name]
    conformance = Conformance(engine, installed, forms, tmp_path_factory.mktemp(str(engine.name)))
    try:
        outcomes = {case.name: conformance.outcome(case) for case in chosen}
    finally:
        conformance.close()
    found = Report(engine, conformance.version, outcomes)
    if os.environ.get("BAKEOFF_CONFORMANCE_RESULTS"):
        write_down(found, chosen, Path(os.environ["BAKEOFF_CONFORMANCE_RESULTS"]))
    return found


def write_down(found: Report, chosen: Sequence[Case], path: Path) -> None:
    """Add the engine's results to the file, one for each operator and case that is not one written as others."""
    have: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tried = [case for case in chosen if TAKEN_APART not in case.name]
    rows = [[sorted(case.operators), case.name, str(found.outcomes[case.name].result)] for case in tried]
    path.write_text(json.dumps(have | {str(found.engine.name): {"version": found.version, "cases": rows}}))


def test_every_case_is_right_or_refused_or_a_known_fault_of_the_engine(report: Report) -> None:
    faults = faults_of(report.engine)
    unknown = {
        name: f"{outcome.result}: {outcome.reason[:300]}"
        for name, outcome in report.outcomes.items()
        if outcome.result in {Result.WRONG, Result.CRASHED} and not any(fault.covers(name) for fault in faults)
    }
    lines = "\n".join(f"{name}: {what}" for name, what in list(unknown.items())[:SHOWN])
    assert not unknown, f"{report.engine.name}: {len(unknown)} of {len(report.outcomes)}\n{lines}"


def test_what_is_refused_is_refused_by_an_operators_name(report: Report, chosen: list[Case]) -> None:
    refused = [(case, report.outcomes[case.name]) for case in chosen]
    nameless = {
        case.name: outcome.reason
        for case, outcome in refused
        if outcome.result is Result.REFUSED and not names_an_operator(outcome.reason, case)
    }
    lines = "\n".join(f"{name}: {why[:300]}" for name, why in list(nameless.items())[:SHOWN])
    assert not nameless, f"{report.engine.name}: {len(nameless)} of {len(report.outcomes)}\n{lines}"


def test_no_known_fault_is_one_no_longer(report: Report) -> None:
    for fault in faults_of(report.engine):
        assert fault.version == report.version, f"{fault}: this is {report.version}, look again"
        covered = {name: outcome for name, outcome in report.outcomes.items() if fault.covers(name)}
        mended = [name for name, outcome in covered.items() if outcome.result in {Result.RIGHT, Result.REFUSED}]
        assert not mended, f"{report.engine.name}: {fault.what}: no longer at {mended}"


def test_float64_is_right_or_says_that_it_cannot_be(every_case: list[Case]) -> None:
    """Not of a tenth of the cases: it judges all engines."""
    wrong = {}
    for case in every_case:
        try:
            outputs = Float64Model(case.model)(case.inputs)
        except NoReferenceError:
            continue
        if fault := case.fault(outputs):
            wrong[case.name] = fault
    assert not wrong
