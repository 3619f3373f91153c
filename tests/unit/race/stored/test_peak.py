from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_plan

from bakeoff import environments, paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.machine.fingerprint import fingerprint
from bakeoff.race import machine_lock
from bakeoff.race.stored import peak
from bakeoff.records import Peak, RunRecord

pytestmark = pytest.mark.unit

CATALOGUE = Catalogue.load()


def run_on(digest: str) -> RunRecord:
    plan = a_plan(models=("m",), engines=("a",), batch_sizes=(1,), threads=2)
    return RunRecord(name="r", started_at=0.0, plan=plan, machine={"digest": digest}, bakeoff_version="0")


def silent(what: str) -> None:
    raise AssertionError(what)


def test_what_was_measured_once_is_found_again_for_runs_of_that_machine_and_as_many_threads() -> None:
    known = Peak(gemm=2e11, convolution=1e11, threads=2, machine="cafe", measured_at=1.0)
    folder = paths.cache_dir() / "peaks"
    folder.mkdir(parents=True)
    (folder / "cafe-2.json").write_bytes(msgspec.json.encode(known))
    assert peak.of_run(run_on("cafe"), CATALOGUE, silent) == (known, "")


def test_a_machine_that_is_elsewhere_has_no_peak_here() -> None:
    found, why = peak.of_run(run_on("cafe"), CATALOGUE, silent)
    assert found is None
    assert "not the machine that raced" in why


def test_a_race_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_lock, "places", lambda: [tmp_path / "race.lock"])
    monkeypatch.setattr(environments, "find", lambda spec: spec)
    with machine_lock.held("run 7", silent):
        found, why = peak.of_run(run_on(fingerprint()["digest"]), CATALOGUE, silent)
    assert found is None
    assert why.startswith("run 7 (process ")


def test_nothing_is_measured_while_others_use_the_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_lock, "places", lambda: [tmp_path / "race.lock"])
    monkeypatch.setattr(environments, "find", lambda spec: spec)
    monkeypatch.setattr(peak, "too_much", lambda _seen: True)
    found, why = peak.of_run(run_on(fingerprint()["digest"]), CATALOGUE, silent)
    assert found is None
    assert "others use the CPUs just now" in why


def test_the_operands_make_one_large_product_and_one_large_convolution(tmp_path: Path) -> None:
    sets = peak._operands(tmp_path)
    (product, _, _), (_, image, kernels) = ([np.load(file).shape for file in files] for files in sets)
    assert product == (peak.SIDE, peak.SIDE)
    assert image == (peak.CHANNELS, peak.IMAGE, peak.IMAGE)
    assert kernels == (peak.CHANNELS, peak.CHANNELS, peak.KERNEL, peak.KERNEL)
