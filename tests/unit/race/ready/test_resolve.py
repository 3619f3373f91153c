"""What is said of a user's own model before it is raced."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.made import a_plan

from bakeoff.engines.catalogue import Catalogue
from bakeoff.models.library import ModelLibrary
from bakeoff.race.ready import importing, resolve
from bakeoff.race.ready.observer import Observer
from bakeoff.records import ModelRecord

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("given", "said"), [(8, []), (100, ["m.onnx: the first 8 of 100 samples are used"])])
def test_samples_that_are_not_used_are_said_to_be(
    given: int, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = ModelRecord(name="m.onnx", digest="", weights="", inputs=(), outputs=(), data_samples=8, data_given=given)
    monkeypatch.setattr(importing, "import_model", lambda *_: record)
    notes: list[str] = []
    observer = cast("Observer", SimpleNamespace(note=notes.append))
    nothing: Any = {}
    plan = a_plan(models=("m.onnx",), engines=(), batch_sizes=(1,), threads=1, files={"m.onnx": "/m.onnx"})
    resolve.models(plan, Catalogue(nothing, nothing, nothing), ModelLibrary(tmp_path), observer)
    assert [note for note in notes if "samples" in note] == said
