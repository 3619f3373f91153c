"""Seeded inputs: the same bytes on every machine and for every engine."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IMAGE_RANK = 3
"""An input of channels x height x width (beside the batch axis) is taken for an image."""
COARSE = 4
"""An image consists of so many fields each way, of different brightness, under noise."""
INTEGERS = 100
"""Where a model does not tell, integers are drawn from 0 to 99: token ids of any real vocabulary, and bytes."""

Array = NDArray[np.generic]


def draw(dtype: str, shape: Sequence[int], seed: int, count: int, first: int = 0, below: int | None = None) -> Array:
    """Samples number `first` to `first + count - 1` of an input: [count, *shape], C-contiguous.

    `shape` is one sample's; integers stay below `below`. A sample depends on the seed and its own number
    alone. Floats are of order 1; an image also differs from the next in its coarse structure, as photographs do: pure
    noise looks the same to a network that averages over positions. Raises `TypeError` for a dtype that inputs cannot
    have.
    """
    kind = np.dtype(dtype)
    samples = np.empty((count, *shape), kind)
    for number in range(count):
        random = np.random.RandomState([seed % 2**32, first + number])
        if kind == np.bool_:
            samples[number] = random.random_sample(tuple(shape)) < 0.5  # noqa: PLR2004
        elif np.issubdtype(kind, np.integer):
            samples[number] = np.floor(random.random_sample(tuple(shape)) * (below or INTEGERS))
        elif np.issubdtype(kind, np.floating):
            samples[number] = _image(random, *shape) if len(shape) == IMAGE_RANK else _noise(random, *shape)
        else:
            raise TypeError(f"no inputs of dtype {dtype} can be drawn")
    return samples


def _noise(random: np.random.RandomState, *shape: int) -> NDArray[np.float64]:
    """Uniform on [-1.75, 1.75): a standard deviation of 1, in exact arithmetic up to one rounding each."""
    return 3.5 * random.random_sample(shape) - 1.75


def _image(random: np.random.RandomState, channels: int, height: int, width: int) -> NDArray[np.float64]:
    coarse = _noise(random, channels, COARSE, COARSE)
    rows, columns = (np.arange(size) * COARSE // size for size in (height, width))
    return 0.6 * coarse[:, rows][:, :, columns] + 0.8 * _noise(random, channels, height, width)


def stack(samples: Array, batch_axis: int | None) -> Array:
    """[count, ...] samples as one model input: along the batch axis, or the first alone where there is none."""
    return samples[0] if batch_axis is None else np.moveaxis(samples, 0, batch_axis)


def unstack(array: Array, batch_axis: int | None) -> Array:
    """A model's input or output with its samples in front; as the only sample where there is no batch axis.

    An array with too few axes is returned as it is: the comparison of shapes that follows reports it.
    """
    if batch_axis is None:
        return array[np.newaxis]
    return np.moveaxis(array, batch_axis, 0) if batch_axis < array.ndim else array


def input_sets(
    samples: Sequence[Path], batch_size: int, sets: int, batch_axes: Sequence[int | None] | None = None
) -> Iterator[tuple[list[Array], list[int]]]:
    """`sets` input sets of `batch_size` rows: for each, one array per model input, and which sample each row is.

    `samples` are the files of `ModelLibrary.samples`, one per model input; `batch_axes` says where each input's
    samples go, by default in front. The sets begin at samples spread evenly and go on from there, around the end: sets
    differ in every row as long as there are as many samples as sets, every sample is in one of them where the sets have
    rows enough, and a batch larger than the number of samples repeats them.
    """
    stacks = [np.load(path, mmap_mode="r", allow_pickle=False) for path in samples]
    axes = [0] * len(stacks) if batch_axes is None else batch_axes
    count = len(stacks[0])
    for k in range(sets):
        first = k * max(count, sets) // sets
        rows = [(first + j) % count for j in range(batch_size)]
        # `np.ascontiguousarray` would make a row of a single number.
        yield [np.asarray(stack(s[rows], axis), order="C") for s, axis in zip(stacks, axes, strict=True)], rows


def saved(arrays: Sequence[Array], folder: Path) -> list[str]:
    """The paths of `arrays`, written under `folder`, which is made, as 0.npy, 1.npy, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{index}.npy") for index in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array, allow_pickle=False)
    return paths
