"""A user's inputs: an .npz of arrays, samples along the batch axis of each. Read without pickles."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import ModelError
from bakeoff.models.inputs import unstack
from bakeoff.printable import cut
from bakeoff.records import ModelRecord, TensorSpec

Array = NDArray[np.generic]

MOST_SAMPLES = 8
"""As many as are drawn where there is no such file: each costs a reference."""


def read(path: Path) -> dict[str, Array]:
    """The arrays by name. Raises `ModelError` for what is no .npz of numbers."""
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        why = cut(str(error), 200)
        raise ModelError(
            f"{path} cannot be read as inputs: {why}", "It is an .npz as numpy.savez writes it, without pickles."
        ) from error
    if arrays is None:
        raise ModelError(f"{path} holds one array without a name", "Save it by numpy.savez(path, NAME=array).")
    wrong = [name for name, array in arrays.items() if array.dtype.kind not in "biuf"]
    if wrong or not arrays:
        raise ModelError(f"{path}: {f'array {wrong[0]!r} holds no numbers' if wrong else 'there is no array in it'}")
    return arrays


def samples(arrays: dict[str, Array], model: ModelRecord) -> tuple[list[Array], int]:
    """What `arrays` hold for each input of `model`, [samples, ...], at most `MOST_SAMPLES`, in the model's dtypes.

    And how many samples they hold in all.

    An input without a batch axis in a model that has one is the same for every sample. Raises `ModelError` for an input
    that is missing, of another shape or kind, or of another number of samples.
    """
    missing = [spec.name for spec in model.inputs if spec.name not in arrays]
    if missing:
        raise ModelError(f"the inputs given lack {', '.join(missing)}", "They must hold every input of the model.")
    found = {spec.name: _of_input(arrays[spec.name], spec, shared=_is_shared(spec, model)) for spec in model.inputs}
    counts = {name: len(array) for name, array in found.items() if not _is_shared(_spec(model, name), model)}
    if len(set(counts.values())) > 1:
        raise ModelError(f"the inputs given differ in their number of samples: {counts}")
    given = min(counts.values(), default=MOST_SAMPLES)
    if given == 0:
        raise ModelError("the inputs given hold no sample")
    count = min(MOST_SAMPLES, given)
    kept = [
        np.resize(found[spec.name][:count].astype(spec.dtype), (count, *spec.sample_shape)) for spec in model.inputs
    ]
    return [np.ascontiguousarray(array) for array in kept], given


def _is_shared(spec: TensorSpec, model: ModelRecord) -> bool:
    return spec.batch_axis is None and model.fixed_batch is None


def _spec(model: ModelRecord, name: str) -> TensorSpec:
    return next(spec for spec in model.inputs if spec.name == name)


def _of_input(array: Array, spec: TensorSpec, *, shared: bool) -> Array:
    """Samples in front, as given. Without a batch axis they may lie along one more axis, or be a single one."""
    many = spec.batch_axis is None and not shared and array.ndim == len(spec.shape) + 1
    rows = array if many else unstack(array, spec.batch_axis)
    if rows.shape[1:] != spec.sample_shape:
        wanted = "x".join("N" if size is None else str(size) for size in spec.shape)
        raise ModelError(f"the array given for input {spec.name} is {list(array.shape)}, not {wanted}")
    if not np.can_cast(array.dtype, spec.dtype, "same_kind"):
        raise ModelError(f"the array given for input {spec.name} is {array.dtype}, not {spec.dtype}")
    return rows
