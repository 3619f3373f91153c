"""PyTorch's checkpoints as plain arrays, without PyTorch and without running anything.

A .pth file is a pickle, and a pickle is a program. Here it is read by an unpickler that knows the few names of which a
state dict consists and refuses every other one. Three containers are read: safetensors, the zip file that
`torch.save` writes since PyTorch 1.6, and the stream of pickles that it wrote before.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import ModelError
from bakeoff.models.architectures import Architecture, classifier, parameters
from bakeoff.printable import cut

ZIP_MAGIC = b"PK"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
WRAPPERS = ("state_dict", "model")
"""Keys under which training scripts put the state dict."""
IGNORED = "num_batches_tracked"
SAVE_WEIGHTS_ALONE = 'Save the weights alone: torch.save(model.state_dict(), "weights.pth").'
SHOWN = 3
"""How many names a message lists."""

Array = NDArray[np.generic]


def fitted(architecture: Architecture, path: Path) -> tuple[Architecture, dict[str, NDArray[np.float32]]]:
    """The checkpoint's weights, float32, checked against `architecture`, whose classes become the checkpoint's.

    Raises `ModelError` for a file that cannot be read, and for missing, unexpected or misshapen entries.
    """
    arrays = architecture.from_checkpoint({n: a for n, a in read(path).items() if not n.endswith(IGNORED)})
    classes = arrays.get(classifier(architecture))
    if classes is not None and classes.ndim:
        architecture = architecture.with_classes(len(classes))
    expected = parameters(architecture)
    _must_fit(arrays, expected, f"{path.name} does not fit {architecture.name}")
    return architecture, {name: arrays[name].astype(np.float32) for name in expected}


def _must_fit(arrays: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]], complaint: str) -> None:
    if missing := [name for name in expected if name not in arrays]:
        raise ModelError(f"{complaint}: it lacks {_some(missing)}")
    if unexpected := [name for name in arrays if name not in expected]:
        raise ModelError(f"{complaint}: it has what that network has not: {_some(unexpected)}")
    wrong = [
        f"{name} is {list(arrays[name].shape)}, not {list(shape)}"
        for name, shape in expected.items()
        if arrays[name].shape != shape
    ]
    if wrong:
        raise ModelError(f"{complaint}: {_some(wrong)}")
    if odd := [name for name in expected if not np.isfinite(arrays[name].astype(np.float64)).all()]:
        raise ModelError(f"{complaint}: not every number is finite in {_some(odd)}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def read(path: Path) -> dict[str, Array]:
    """Every tensor of a checkpoint by name. Raises `ModelError`."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file  # noqa: PLC0415 - for this kind of file alone

            tensors: dict[str, Array] = load_file(path)
            return tensors
        with path.open("rb") as file:
            is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
            file.seek(0)
            found = _read_zip(path) if is_zip else _read_legacy(file)
    except (ModelError, MemoryError):
        raise
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a broken file makes pickle, zipfile and numpy raise nearly anything
        why = cut(str(error), 200) or type(error).__name__
        raise ModelError(f"{path.name} is not a checkpoint that can be read, or is cut short: {why}") from error
    return _state_dict(found, path)


def _state_dict(found: Any, path: Path) -> dict[str, Array]:
    """The tensors in what was unpickled, out of the usual wrappings."""
    for key in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not any(isinstance(value, np.ndarray) for value in found.values()):
        raise ModelError(f"{path.name} holds no state dict", SAVE_WEIGHTS_ALONE)
    tensors = {str(name).removeprefix("module."): v for name, v in found.items() if isinstance(v, np.ndarray)}
    return {name: _float32(v) if v.dtype == BFLOAT16_BITS else v for name, v in tensors.items()}


def _float32(bits: Array) -> Array:
    """bfloat16 is the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


# The containers


def _read_zip(path: Path) -> Any:
    """The zip file of PyTorch 1.6 and later: data.pkl, and one file of raw numbers per storage."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = [name for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickled) != 1:
            advice = "A TorchScript archive? Save its state dict instead." if "constants.pkl" in str(names) else None
            raise ModelError(f"{path.name} is a zip file, but not one that torch.save makes", advice)
        root = pickled[0].removesuffix("data.pkl")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise ModelError(f"{path.name} was written on a big-endian machine, which is not supported")

        def storage(dtype: np.dtype[Any], key: str, _length: int) -> Array:
            return np.frombuffer(archive.read(f"{root}data/{key}"), dtype)

        return _Unpickler(io.BytesIO(archive.read(pickled[0])), storage).load()


def _read_legacy(file: BinaryIO) -> Any:
    """The stream of PyTorch before 1.6: magic number, protocol, system, the pickle, then the storages in turn."""
    storages: dict[str, Array] = {}

    def storage(dtype: np.dtype[Any], key: str, length: int) -> Array:
        return storages.setdefault(key, np.zeros(length, dtype))

    magic = _Unpickler(file, storage).load()
    if magic != LEGACY_MAGIC:
        raise ModelError(
            "this is not a file of torch.save, or one of PyTorch before 0.2",
            "Load it with PyTorch and save its state dict again.",
        )
    if _Unpickler(file, storage).load() != LEGACY_PROTOCOL:
        raise ModelError("this file of torch.save has an unknown protocol")
    if not _Unpickler(file, storage).load().get("little_endian", True):
        raise ModelError("this checkpoint was written on a big-endian machine, which is not supported")
    found = _Unpickler(file, storage).load()
    for key in _Unpickler(file, storage).load():
        array = storages[key]
        length = int.from_bytes(file.read(8), "little")
        if length != len(array):
            raise ModelError(f"storage {key} has {length} elements, not {len(array)}")
        content = file.read(length * array.itemsize)
        if len(content) != array.nbytes:
            raise ModelError(f"the file is cut short in storage {key}")
        array[:] = np.frombuffer(content, array.dtype)
    return found


# The unpickler


BFLOAT16_BITS = np.dtype("<u2")
"""numpy has no bfloat16: it stays in its 16 bits, which no other kind of storage uses, until everything is read."""

STORAGES: Mapping[str, np.dtype[Any]] = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16_BITS,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


def _tensor(
    numbers: Array, offset: int, size: Sequence[int], stride: Sequence[int], *_requires_grad_and_hooks: Any
) -> Array:
    """What `torch._utils._rebuild_tensor_v2` makes: a view of a storage, checked to lie inside it."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min([offset, *size, *stride], default=0) < 0 or (0 not in size and last >= len(numbers)):
        raise ModelError(f"a tensor of shape {list(size)} reaches beyond its storage of {len(numbers)} numbers")
    strides = [numbers.itemsize * step for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], tuple(size), strides, writeable=False)


def _parameter(tensor: Array, *_requires_grad_and_hooks: Any) -> Array:
    return tensor


SAFE: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): kind for name, kind in STORAGES.items()},
}
"""All that a pickle may name. Nothing here runs anything that the file brings along."""


class _Unpickler(pickle.Unpickler):
    """Knows `SAFE` and nothing else."""

    def __init__(self, file: BinaryIO, storage: Callable[[np.dtype[Any], str, int], Array]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storage = storage

    def find_class(self, module: str, name: str) -> Any:
        try:
            return SAFE[module, name]
        except KeyError:
            raise ModelError(
                f"the checkpoint names {module}.{name}, which is no part of a state dict; nothing of it was run",
                SAVE_WEIGHTS_ALONE,
            ) from None

    def persistent_load(self, pid: Any) -> Array:
        label, dtype, key, _location, length = pid[:5]
        if label != "storage" or not isinstance(dtype, np.dtype):
            raise ModelError("the checkpoint refers to something that is no storage of numbers")
        return self.storage(dtype, str(key), int(length))
