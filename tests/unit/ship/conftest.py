"""A pack by hand: the doubling engine as its engine, the files of bakeoff's as they are."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.ship.pack import run, verify
from bakeoff.ship.tensors import encode

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def a_pack(tmp_path: Path, adapter: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A pack that doubles ``x``; `settings` replaces some of its settings. Run and verify take it for theirs."""
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setattr("sys.pycache_prefix", None)

    def write(**settings: Any) -> Path:
        pack = tmp_path / "pack"
        place = pack / "engine" / "adapter.py"
        place.parent.mkdir(parents=True)
        adapter().replace(place)
        tensor = {"dtype": "float32", "shape": [None, 3]}
        usual = {
            "adapter": "engine/adapter.py",
            "model": {
                "path": "model/model.onnx",
                "format": "onnx",
                "inputs": [{"name": "x", **tensor}],
                "outputs": [{"name": "y", **tensor}],
            },
            "batch_size": 2,
            "threads": 3,
            "settings": {"spin": True},
            "variables": {},
        }
        certified = {
            "machine": {"cpu": "a processor", "instruction_sets": ["avx9000"]},
            "error": {"measured": 0.0, "limit": 1e-5},
            "speed": {"samples_per_s": 100.0, "ci95": [90.0, 110.0]},
            "threads": 2,
        }
        (pack / "settings.json").write_text(json.dumps(usual | settings))
        (pack / "certificate.json").write_text(json.dumps({"predicate": {"bakeoff": certified}}))
        (pack / "requirements.txt").write_text("numpy==0.1 --hash=sha256:00\n")
        case = pack / "cases" / "test_data_set_0"
        case.mkdir(parents=True)
        (case / "input_0.pb").write_bytes(encode(X, "x"))
        (case / "output_0.pb").write_bytes(encode(2 * X, "y"))
        seal(pack)
        monkeypatch.setattr(run, "HERE", pack)
        monkeypatch.setattr(verify, "HERE", pack)
        return pack

    return write


def seal(pack: Path) -> None:
    files = [
        path for path in pack.rglob("*") if path.is_file() and path.name not in {verify.MANIFEST, verify.SIGNATURE}
    ]
    lines = [f"{verify.sha256(path)}  {path.relative_to(pack).as_posix()}\n" for path in files]
    (pack / verify.MANIFEST).write_text("".join(lines))
