"""What goes into a pack, and what is refused; tests/end_to_end/test_report.py ships one."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
import vermin
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from onnx import NodeProto, TensorProto, helper, numpy_helper
from tests.unit.made import a_case, a_plan, a_row

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.case.output_error import error_of
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import (
    Accuracy,
    EngineInfo,
    Installed,
    ModelForm,
    ModelRecord,
    Parity,
    Request,
    RunRecord,
    Scenario,
    Status,
    Summary,
    TensorSpec,
    Tolerances,
)
from bakeoff.ship import packing
from bakeoff.ship.certificate import statement
from bakeoff.ship.pack import verify
from bakeoff.ship.tensors import decode
from bakeoff.store import Store
from bakeoff.views.racing import Silence

pytestmark = pytest.mark.unit

MODEL = ModelRecord(
    name="net",
    digest="1" * 64,
    weights="seeded",
    inputs=(TensorSpec(name="x", dtype="float32", shape=(None, 3)),),
    outputs=(TensorSpec(name="y", dtype="float32", shape=(None, 3)),),
    tolerances=Tolerances(fp32=1e-5, fp16=1e-3, bf16=1e-2),
)
ENGINE = EngineInfo(name="onnxruntime", title="ONNX Runtime", framework="onnxruntime", release="today", league="fp32")
RUN = RunRecord(
    name="r",
    started_at=0.0,
    plan=a_plan(engines=("onnxruntime",), models=("net",), batch_sizes=(2,), threads=4),
    machine={"cpu": "a processor", "instruction_sets": ["avx2"]},
    bakeoff_version="0.1",
    models=(MODEL,),
    engines=(ENGINE,),
)
ROW = a_row(
    a_case("onnxruntime", "net", 2, threads=4),
    fps=50.0,
    fps_ci95=(40.0, 60.0),
    framework_version="1.32.0",
    effective={"threads": 4},
    parity=Parity(max_rel_error=1e-6, top1_agreement=None),
    trials=5,
)


@pytest.mark.parametrize("place", [*packing.SCRIPTS, *packing.TAKEN_ALONG])
def test_what_a_pack_takes_along_runs_on_python_3_8_and_finds_all_that_it_imports_in_the_pack(place: str) -> None:
    source = packing.unbound((packing.HOME / place).read_text(encoding="utf-8"))
    needed = vermin.visit(source).minimum_versions()[1]
    assert needed is None or needed <= packing.OLDEST_PYTHON
    packed = {f"packed.{name[:-3].replace('/', '.')}" for name in packing.TAKEN_ALONG}
    imported = set(re.findall(r"^\s*from (packed\.\S+) import", source, re.MULTILINE))
    assert imported <= packed
    assert not re.search(r"^\s*(from|import) bakeoff", source, re.MULTILINE)


def test_a_run_under_load_a_factory_and_an_old_python_are_refused_in_one_line(tmp_path: Path) -> None:
    def refused(run: RunRecord, row: Summary, catalogue: Catalogue) -> str:
        with Store.open(tmp_path) as store, pytest.raises(UsageError) as error:
            packing.prepare(run, row, store, catalogue, ModelLibrary(tmp_path), Silence())
        return str(error.value)

    catalogue = Catalogue.load()
    under_load = msgspec.structs.replace(RUN, plan=msgspec.structs.replace(RUN.plan, scenario=Scenario.SERVER))
    assert "of the server scenario" in refused(under_load, ROW, catalogue)
    factory = msgspec.structs.replace(RUN.plan, files={"net": "/nowhere/shop.nets:detector"})
    assert "built by code of yours" in refused(msgspec.structs.replace(RUN, plan=factory), ROW, catalogue)
    old = msgspec.structs.replace(ROW, case=a_case("pytorch-2019", "net", 2))
    assert refused(RUN, old, catalogue) == "pytorch-2019 runs on Python 3.6, and a pack's own code needs 3.8"
    gone = msgspec.structs.replace(ROW, case=a_case("gone", "net", 2))
    assert "no engine of this name is here" in refused(RUN, gone, catalogue)
    assert "onnxruntime cannot be packed: it is not installed here" in refused(RUN, ROW, catalogue)


def test_a_place_where_something_is_or_nothing_can_be_is_refused(tmp_path: Path) -> None:
    nothing: Any = None
    (tmp_path / "file").write_text("")
    for target, reason in ((tmp_path, "it is there already"), (tmp_path / "file" / "pack", "it cannot be written")):
        with pytest.raises(UsageError, match=f"--to {re.escape(str(target))}: {reason}"):
            packing.write(nothing, nothing, nothing, target)


@pytest.mark.parametrize(
    ("request_", "threads", "rule"),
    [
        (Request(), 4, "all"),
        (Request(threads=4), 4, 4),
        (Request(), 1, 1),
        (Request(), None, None),
        (None, 4, 4),
    ],
)
def test_all_cpus_are_taken_where_the_race_took_them_by_itself(
    request_: Request | None, threads: int | None, rule: int | str | None
) -> None:
    run = msgspec.structs.replace(RUN, plan=msgspec.structs.replace(RUN.plan, request=request_))
    assert packing.threads_rule(run, threads) == rule


def test_a_model_is_packed_with_all_its_files_and_nothing_that_lies_beside_it(tmp_path: Path) -> None:
    def packed(form: str, path: Path) -> tuple[str, set[str]]:
        engine = msgspec.structs.replace(Catalogue.load().engines["onnxruntime"], model=ModelForm(format=form))
        installed = Installed(name="e", digest="0", path=tmp_path, command=("python",))
        folder = tmp_path / form / "model"
        place = packing._pack_model(folder, Runnable(ROW.case.contender, engine, installed, path))
        return place, {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}

    cache = tmp_path / "cache"
    for name in ("model.onnx", "model.data", "samples.npy", "opset-9.onnx", "plain/graph.json", "plain/weights.npz"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(name)
    for name in ("source.xml", "source.bin", "model.onnx", "source.saved_model/saved_model.pb"):
        (cache / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / "source" / name).write_text(name)
    assert packed("onnx", cache / "model.onnx") == ("model/model.onnx", {"model.onnx", "model.data"})
    assert packed("tflite", cache / "opset-9.onnx") == ("model/model.tflite", {"model.tflite"})
    assert packed("plain", cache / "plain") == ("model", {"graph.json", "weights.npz"})
    assert packed("own-xml", cache / "source/source.xml") == ("model/source.xml", {"source.xml", "source.bin"})
    saved = packed("own-saved_model", cache / "source/source.saved_model")
    assert saved == ("model/source.saved_model", {"source.saved_model/saved_model.pb"})


def cases_of(folder: Path, nodes: list[NodeProto], **weights: float) -> tuple[str, list[Path]]:
    """Whose the known answers are, and their folders, of a network from x to y, [N, 3]."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy")
    arrays = [numpy_helper.from_array(np.array([value], np.float32), name) for name, value in weights.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], arrays), opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.save(model, folder / "net.onnx")
    library = ModelLibrary(folder / "cache")
    nobody: Any = None
    record = library.add(folder / "net.onnx", name="net")
    shipment = packing.Shipment(RUN, ROW, record, nobody, nobody, lambda: (Status.UNAVAILABLE, ""))
    whose = packing._pack_cases(folder / "cases", shipment, library, Silence())
    return whose, sorted((folder / "cases").iterdir())


@pytest.mark.usefixtures("in_process")
def test_known_answers_are_of_whole_batches_where_they_depend_on_the_batch(tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0])
    whose, cases = cases_of(tmp_path, [mean, helper.make_node("Sub", ["x", "mean"], ["y"])])
    assert (whose, len(cases)) == ("float64 arithmetic, each batch as a whole", 3)
    for case in cases:
        x, y = (decode((case / name).read_bytes()) for name in ("input_0.pb", "output_0.pb"))
        assert x.shape == (2, 3)
        np.testing.assert_allclose(y, x - x.astype(np.float64).mean(axis=0), rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("in_process")
def test_what_cancelling_has_left_is_packed_with_the_size_of_its_terms(tmp_path: Path) -> None:
    chain = (("Mul", ["x", "third"], "a"), ("Mul", ["a", "three"], "b"), ("Sub", ["b", "x"], "y"))
    nodes = [helper.make_node(operator, inputs, [output]) for operator, inputs, output in chain]
    whose, cases = cases_of(tmp_path, nodes, third=1 / 3, three=3.0)
    assert whose == "float64 arithmetic"
    known = verify.expected(cases[0], 0)
    x = decode((cases[0] / "input_0.pb").read_bytes())
    assert error_of(x * np.float32(1 / 3) * 3 - x, known)[0] < 1e-5 < error_of(0.01 * x, known)[0]
    (cases[0] / "size_output_0.pb").unlink()
    assert error_of(x * np.float32(1 / 3) * 3 - x, verify.expected(cases[0], 0))[0] > 0.1


def test_a_certificate_is_an_in_toto_statement_of_what_was_measured() -> None:
    row = msgspec.structs.replace(
        ROW, accuracy=Accuracy(right=18, pictures=20), league="fp16", cautions=("few rounds",)
    )
    digests = {"model/model.onnx": "a" * 64, "settings.json": "b" * 64, "pylock.toml": "c" * 64, "run.py": "d" * 64}
    found = json.loads(json.dumps(statement(RUN, row, MODEL, digests, "float64 arithmetic")))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert found["subject"] == [{"name": "model/model.onnx", "digest": {"sha256": "a" * 64}}]
    predicate = found["predicate"]
    read = ParseDict(predicate, test_result_pb2.TestResult(), ignore_unknown_fields=True)
    assert (read.result, read.configuration[1].digest["sha256"]) == ("WARNED", "c" * 64)
    assert [each["name"] for each in predicate["configuration"]] == ["settings.json", "pylock.toml"]
    assert (predicate["result"], predicate["warnedTests"]) == ("WARNED", ["few rounds"])
    measured = predicate["bakeoff"]
    assert measured["error"]["limit"] == 1e-3
    assert measured["speed"] == {"samples_per_s": 50.0, "ci95": [40.0, 60.0], "latency_ms": {}, "trials": 5}
    assert measured["accuracy"] == {"right": 18, "pictures": 20}
    assert measured["machine"]["instruction_sets"] == ["avx2"]
    assert measured["known_answers"] == "float64 arithmetic"
