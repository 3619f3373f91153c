"""What the 2019 study published.

Source: DeepLearningFrameworks (2019), the result tables of its `<engine>_model_speed_experiments.csv` files, gathered
in `dlf-2019.csv` beside this file. Its `seconds_per_batch` is the mean of 20 calls in one process; its `fps` is
batch size / seconds_per_batch. `model_as_run` is the network that the study really gave to that framework.
"""

import csv
from functools import cache
from pathlib import Path

import msgspec

from bakeoff.records import Record

FILE = Path(__file__).with_name("dlf-2019.csv")
SOURCE = "DeepLearningFrameworks, 2019"
MODELS = ("resnet18", "resnet50")


class Figure(Record, frozen=True):
    """One published cell."""

    engine: str
    """as the study's rows are called in the file, e.g. "onnxruntime-ngraph" """
    framework_version: str
    model: str
    model_as_run: str
    batch_size: int
    seconds_per_batch: float
    fps: float
    """images per second"""


@cache
def figures() -> tuple[Figure, ...]:
    """Every published cell, in the file's order."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(msgspec.convert(row, Figure, strict=False) for row in csv.DictReader(file))


def published_fps(engine: str | None, model: str, batch_size: int) -> float | None:
    """Images per second of one cell; None where the study was blank, or has no such row."""
    cell = (engine, model, batch_size)
    return next((f.fps for f in figures() if (f.engine, f.model, f.batch_size) == cell), None)


def networks_as_run() -> dict[tuple[str, str], list[str]]:
    """(model, network as run) -> the frameworks that got it, by their names in the file."""
    found: dict[tuple[str, str], list[str]] = {}
    for figure in figures():
        engines = found.setdefault((figure.model, figure.model_as_run), [])
        if figure.engine not in engines:
            engines.append(figure.engine)
    return dict(sorted(found.items(), key=lambda item: MODELS.index(item[0][0])))
