"""``data/mixed*.pth`` and ``data/whole-module.pth`` were written by PyTorch 2.13."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from bakeoff.errors import ModelError
from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.sandboxed import checkpoint
from bakeoff.models.sandboxed.seeding import seeded_weights

DATA = Path(__file__).parent / "data"
TINY = ARCHITECTURES["resnet-tiny"]

pytestmark = pytest.mark.unit


def zipped(pickled: bytes, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return path


@pytest.mark.parametrize("name", ["mixed.pth", "mixed-legacy.pth"])
def test_both_formats_of_torch_save_are_read(name: str) -> None:
    tensors = checkpoint.read(DATA / name)
    base = np.arange(24, dtype=np.float32)
    expected: dict[str, NDArray[Any]] = {
        "plain": base.reshape(2, 3, 4),
        "turned": base.reshape(4, 6).T,
        "window": base[3:9],
        "parameter": np.array([1.5, -2.0], np.float32),
        "half": np.array([0.5, -1.25], np.float16),
        "bfloat16": np.array([3.0, -0.15625], np.float32),
        "double": np.array([1 / 3], np.float64),
        "bn.num_batches_tracked": np.array(7),
    }
    assert tensors.keys() == expected.keys()
    for key, array in expected.items():
        assert tensors[key].dtype == array.dtype
        assert np.array_equal(tensors[key], array)


def test_a_checkpoint_fits_the_network_it_was_made_for(tmp_path: Path) -> None:
    weights = seeded_weights(TINY)
    save_file({**weights, "bn1.num_batches_tracked": np.array(3)}, tmp_path / "w.safetensors")
    architecture, fitted = checkpoint.fitted(TINY, tmp_path / "w.safetensors")
    assert architecture == TINY
    assert all(np.array_equal(fitted[name], weights[name]) for name in weights)


def test_the_number_of_classes_is_the_checkpoints(tmp_path: Path) -> None:
    save_file(seeded_weights(TINY.with_classes(7)), tmp_path / "w.safetensors")
    architecture, fitted = checkpoint.fitted(TINY, tmp_path / "w.safetensors")
    assert architecture.classes == 7
    assert fitted["fc.weight"].shape == (7, 32)


def test_a_berts_checkpoint_fits_the_encoder_once_its_matrices_are_turned(tmp_path: Path) -> None:
    architecture = ARCHITECTURES["encoder-tiny"]
    ours = seeded_weights(architecture)
    table, types = np.ones((12, 16), np.float32), np.full((2, 16), 0.5, np.float32)
    berts: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(a.T) if "dense.weight" in name or "self" in name else a for name, a in ours.items()
    }
    berts |= {
        "embeddings.position_embeddings.weight": table,
        "embeddings.token_type_embeddings.weight": types,
        "embeddings.position_ids": np.arange(12)[None],
        "pooler.dense.weight": np.zeros((16, 16), np.float32),
    }
    save_file(berts, tmp_path / "bert.safetensors")
    _, fitted = checkpoint.fitted(architecture, tmp_path / "bert.safetensors")
    positions = fitted.pop("embeddings.position_embeddings.weight")
    assert np.array_equal(positions, np.full((8, 16), 1.5, np.float32))
    assert all(np.array_equal(fitted[name], ours[name]) for name in fitted)


def test_what_does_not_fit_is_listed(tmp_path: Path) -> None:
    weights, path = seeded_weights(TINY), tmp_path / "w.safetensors"
    save_file({name: array for name, array in weights.items() if not name.startswith("layer2.1")}, path)
    with pytest.raises(ModelError, match=r"it lacks layer2.1.conv1.weight, layer2.1.bn1.weight, .* and 12 more"):
        checkpoint.fitted(TINY, path)
    save_file(weights | {"extra.weight": np.zeros(1, np.float32)}, path)
    with pytest.raises(ModelError, match=r"has what that network has not: extra.weight"):
        checkpoint.fitted(TINY, path)
    save_file(weights | {"conv1.weight": np.zeros((8, 3, 3, 3), np.float32)}, path)
    with pytest.raises(ModelError, match=r"conv1.weight is \[8, 3, 3, 3\], not \[8, 3, 7, 7\]"):
        checkpoint.fitted(TINY, path)
    save_file(weights | {"bn1.bias": np.full(8, np.nan, np.float32)}, path)
    with pytest.raises(ModelError, match=r"not every number is finite in bn1.bias"):
        checkpoint.fitted(TINY, path)


class Hostile:
    """Runs a command where a pickle is loaded as usual."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.victim),)


def test_a_hostile_pickle_is_refused_by_name_and_does_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    pickled = pickle.dumps(OrderedDict(a=Hostile(victim)), protocol=2)
    for path in (zipped(pickled, tmp_path / "zip.pth"), tmp_path / "legacy.pth"):
        if not path.exists():
            path.write_bytes(pickle.dumps(checkpoint.LEGACY_MAGIC) + pickle.dumps(1001) + pickle.dumps({}) + pickled)
        with pytest.raises(ModelError, match=r"names (posix|nt)\.mkdir, which is no part of a state dict") as caught:
            checkpoint.read(path)
        assert "state_dict()" in str(caught.value.advice)
    assert not victim.exists()
    pickle.loads(pickled)  # noqa: S301 - it would have run
    assert victim.exists()


def test_a_whole_pickled_module_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"names torch\.nn\.modules\.linear\.Linear"):
        checkpoint.read(DATA / "whole-module.pth")


@pytest.mark.parametrize(
    ("offset", "size", "stride"), [(20, (8,), (1,)), (0, (3, 3), (16, 1)), (4, (2,), (-1,)), (-1, (1,), (1,))]
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(
    offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    with pytest.raises(ModelError, match="reaches beyond its storage"):
        checkpoint._tensor(np.zeros(24, np.float32), offset, size, stride)


@pytest.mark.parametrize("content", [b"", b"PK", b"garbage garbage", pickle.dumps({"a": 1}), bytes(1000)])
def test_garbage_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        checkpoint.read(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


@given(share=st.floats(0.0, 0.999), name=st.sampled_from(["mixed.pth", "mixed-legacy.pth"]))
def test_a_checkpoint_cut_anywhere_is_a_model_error(
    tmp_path_factory: pytest.TempPathFactory, share: float, name: str
) -> None:
    content = (DATA / name).read_bytes()
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError):
        checkpoint.read(path)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "w.pth").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match=r"not one that torch.save makes"):
        checkpoint.read(tmp_path / "w.pth")
