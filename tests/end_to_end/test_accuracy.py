"""`bakeoff run --data`: labelled pictures, classified by an engine."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from safetensors.numpy import save_file

from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.pictures import TORCHVISION
from bakeoff.models.sandboxed import built_in
from bakeoff.models.sandboxed.preprocessing import preprocess
from bakeoff.models.sandboxed.reference import Float64Model
from bakeoff.models.sandboxed.seeding import seeded_weights

pytestmark = pytest.mark.end_to_end

MODEL = "squeezenet1.1"
RACE = ("--engines", "onnxruntime", "--rounds", "1", "--batch", "2", "--quick")


def drawn(folder: Path, count: int) -> list[Path]:
    """Pictures in a few large fields of colour."""
    random, files = np.random.default_rng(0), []
    for number in range(count):
        fields = random.integers(0, 256, (5, 6, 3), np.uint8)
        files.append(folder / f"drawn{number}.png")
        Image.fromarray(np.kron(fields, np.ones((60, 60, 1), np.uint8))).save(files[-1])
    return files


def test_an_engine_gets_the_pictures_right_that_carry_the_class_the_network_gives_them(bakeoff: Any) -> None:
    folder = bakeoff.folder / "pictures"
    folder.mkdir()
    architecture = ARCHITECTURES[MODEL]
    weights = seeded_weights(architecture)
    save_file(weights, bakeoff.folder / "weights.safetensors")
    built_in.write(architecture, weights, bakeoff.folder / "model.onnx")
    evaluate = Float64Model(onnx.load(bakeoff.folder / "model.onnx"))
    files = drawn(folder, 3)
    preprocess(files, TORCHVISION, bakeoff.folder / "prepared.npy", lambda _: None)
    classes = [int(evaluate([picture[None]])[0].argmax()) for picture in np.load(bakeoff.folder / "prepared.npy")]
    classes[1] = (classes[1] + 1) % 1000
    for file, label in zip(files, classes, strict=True):
        file.rename(folder / f"{file.stem}_{label}.png")
    given = ("--weights", "weights.safetensors", "--data", "pictures")
    done = bakeoff("run", MODEL, *given, *RACE, "--json")
    assert done.code == 0, done.err
    results = json.loads(done.out)
    [case] = results["cases"]
    assert case["accuracy"] == {"right": 2, "pictures": 3}
    assert results["run"]["models"][0]["pictures"] == 3
    assert "2/3" in bakeoff("show").out

    (folder / "broken_1.jpg").write_bytes(b"no picture")
    refused = bakeoff("run", MODEL, *given, *RACE)
    assert refused.code == 2
    assert "broken_1.jpg cannot be opened as a picture" in refused.err
    assert "Traceback" not in refused.err
