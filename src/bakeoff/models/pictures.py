"""Labelled pictures, on which a trained network's accuracy is measured: their names, labels and preprocessing.

They are opened by `bakeoff.models.sandboxed.preprocessing` alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from bakeoff.errors import ModelError
from bakeoff.records import Record

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
MOST_PICTURES = 256
"""Every engine is asked about each: of more, so many are taken, evenly spread."""
NAMING = (
    "Name pictures NAME_LABEL.jpg, LABEL being the number of their class, or put them into a folder for each class."
)


class Preprocessing(Record, frozen=True):
    """From a picture to a network's input: resized, cropped, scaled."""

    short_side: int
    """to which the shorter side is brought, before a square is cut from the middle"""
    size: int
    """of that square"""
    resampling: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]
    """of red, green and blue, each from 0 to 255"""
    deviation: tuple[float, float, float]


TORCHVISION = Preprocessing(
    short_side=256,
    size=224,
    resampling="bilinear",
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    deviation=(0.229 * 255, 0.224 * 255, 0.225 * 255),
)
"""What torchvision documents for its classifiers (IMAGENET1K_V1)."""
EFFICIENTNET_LITE = Preprocessing(
    short_side=256, size=224, resampling="bicubic", mean=(127.0,) * 3, deviation=(128.0,) * 3
)
"""What the Lite networks were trained with."""


def labelled(where: Path, classes: int) -> list[tuple[Path, int]]:
    """Each picture of `where` with the number of its class, by name; at most `MOST_PICTURES`.

    `where` is a folder, or a pattern that some of its entries match. They are pictures called ``NAME_LABEL.jpg``, or
    folders of pictures, one for each class: called by its number, or as many as there are `classes`, in alphabetical
    order as training scripts number them. Raises `ModelError` for pictures without a label.
    """
    entries = sorted(where.glob("*") if where.is_dir() else where.parent.glob(where.name))
    found = [(path, _label_in(path)) for path in entries if _is_picture(path)]
    if not found:
        folders = [path for path in entries if path.is_dir()]
        numbers = _numbers_of(folders, classes)
        found = [
            (path, numbers[folder]) for folder in folders for path in sorted(folder.iterdir()) if _is_picture(path)
        ]
    if not found:
        raise ModelError(f"there are no pictures in {where}", f"Known are {', '.join(sorted(SUFFIXES))}. {NAMING}")
    for path, label in found:
        if label >= classes:
            raise ModelError(f"{path} is labelled {label}, and the network knows classes 0 to {classes - 1}")
    evenly = np.linspace(0, len(found) - 1, min(len(found), MOST_PICTURES)).round().astype(int)
    return [found[index] for index in evenly]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _label_in(path: Path) -> int:
    label = path.stem.rpartition("_")[2]
    if not label.isdecimal():
        raise ModelError(f"{path} has no label at the end of its name", NAMING)
    return int(label)


def _numbers_of(folders: Sequence[Path], classes: int) -> dict[Path, int]:
    if all(folder.name.isdecimal() for folder in folders):
        return {folder: int(folder.name) for folder in folders}
    if len(folders) != classes:
        raise ModelError(
            f"{folders[0].parent} has {len(folders)} folders with names, and the network {classes} classes",
            "Call each folder by the number of its class, or have one for every class, in alphabetical order.",
        )
    return {folder: number for number, folder in enumerate(folders)}
