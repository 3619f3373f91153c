"""Labelled pictures, by which a trained network's accuracy is told.

Their names and labels are read in the controller; they are opened in a model worker, by Pillow.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import ModelError
from bakeoff.records import Record

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
MOST_PICTURES = 256
"""Every engine is asked about each: of more, so many are taken, evenly spread."""
NAMING = (
    "Name pictures NAME_LABEL.jpg, LABEL being the number of their class, or put them into a folder for each class."
)

Report = Callable[[str], None]


class Preparation(Record, frozen=True):
    """From a picture to a network's input: resized, cropped, scaled."""

    short_side: int
    """to which the shorter side is brought, before a square is cut from the middle"""
    size: int
    """of that square"""
    resampling: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]
    """of red, green and blue, each from 0 to 255"""
    deviation: tuple[float, float, float]


TORCHVISION = Preparation(
    short_side=256,
    size=224,
    resampling="bilinear",
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    deviation=(0.229 * 255, 0.224 * 255, 0.225 * 255),
)
"""What torchvision documents for its classifiers (IMAGENET1K_V1)."""
EFFICIENTNET_LITE = Preparation(
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


# In a model worker


def prepare_all(files: Sequence[Path], preparation: Preparation, target: Path, report: Report) -> None:
    """Write `files` as one network's input, [files, 3, size, size] in float32, to the .npy file `target`."""
    size = preparation.size
    prepared = np.empty((len(files), 3, size, size), np.float32)
    for number, file in enumerate(files):
        report(f"picture {number + 1} of {len(files)}")
        prepared[number] = _prepared(file, preparation)
    with target.open("wb") as stream:
        np.save(stream, prepared, allow_pickle=False)


def _prepared(file: Path, preparation: Preparation) -> NDArray[np.float32]:
    """One picture, [3, size, size]. Raises `ModelError` for a file that is none."""
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - for labelled pictures alone
    except ImportError as error:
        raise ModelError("pictures are opened by Pillow, which is not installed", "pip install pillow") from error
    try:
        with Image.open(file) as picture:
            square = _square(picture.convert("RGB"), preparation)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{file} cannot be opened as a picture: {why}") from error
    pixels = np.asarray(square, np.float32)
    mean, deviation = (np.asarray(each, np.float32) for each in (preparation.mean, preparation.deviation))
    scaled = (pixels - mean) / deviation
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)


def _square(picture: "Image", preparation: Preparation) -> "Image":
    """Cut from the middle after resizing, rounding as torchvision does."""
    from PIL.Image import Resampling  # noqa: PLC0415

    shorter, size = min(picture.size), preparation.size
    width, height = (preparation.short_side * side // shorter for side in picture.size)
    resampling = Resampling.BICUBIC if preparation.resampling == "bicubic" else Resampling.BILINEAR
    resized = picture.resize((width, height), resampling)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return resized.crop((left, top, left + size, top + size))
