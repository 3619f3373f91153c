"""Pictures as a network's input: opened by Pillow, resized, cropped and scaled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import ModelError
from bakeoff.models.pictures import Preprocessing
from bakeoff.models.sandboxed.opening import Report, one_line

if TYPE_CHECKING:
    from PIL.Image import Image


def preprocess(files: Sequence[Path], preprocessing: Preprocessing, target: Path, report: Report) -> None:
    """Write `files` as one network's input, [files, 3, size, size] in float32, to the .npy file `target`."""
    size = preprocessing.size
    preprocessed = np.empty((len(files), 3, size, size), np.float32)
    for number, file in enumerate(files):
        report(f"picture {number + 1} of {len(files)}")
        preprocessed[number] = _preprocessed(file, preprocessing)
    with target.open("wb") as stream:
        np.save(stream, preprocessed, allow_pickle=False)


def _preprocessed(file: Path, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """One picture, [3, size, size]. Raises `ModelError` for a file that is none."""
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - for labelled pictures alone
    except ImportError as error:
        raise ModelError("pictures are opened by Pillow, which is not installed", "pip install pillow") from error
    try:
        with Image.open(file) as picture:
            square = _square(picture.convert("RGB"), preprocessing)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise ModelError(f"{file} cannot be opened as a picture: {one_line(error)}") from error
    pixels = np.asarray(square, np.float32)
    mean, deviation = (np.asarray(each, np.float32) for each in (preprocessing.mean, preprocessing.deviation))
    scaled = (pixels - mean) / deviation
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)


def _square(picture: "Image", preprocessing: Preprocessing) -> "Image":
    """Cut from the middle after resizing, rounding as torchvision does."""
    from PIL.Image import Resampling  # noqa: PLC0415

    shorter, size = min(picture.size), preprocessing.size
    width, height = (preprocessing.short_side * side // shorter for side in picture.size)
    resampling = Resampling.BICUBIC if preprocessing.resampling == "bicubic" else Resampling.BILINEAR
    resized = picture.resize((width, height), resampling)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return resized.crop((left, top, left + size, top + size))
