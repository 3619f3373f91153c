from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.errors import ModelError
from bakeoff.models import user_inputs
from bakeoff.records import ModelRecord, TensorSpec

pytestmark = pytest.mark.unit

IDS = TensorSpec(name="ids", dtype="int32", shape=(None, 4))
STATE = TensorSpec(name="state", dtype="float32", shape=(2, None, 3))
LIMIT = TensorSpec(name="limit", dtype="float32", shape=())


def model(*inputs: TensorSpec, fixed_batch: int | None = None) -> ModelRecord:
    return ModelRecord(
        name="m.onnx", digest="d", weights="m.onnx", inputs=inputs, outputs=(IDS,), fixed_batch=fixed_batch
    )


def test_samples_come_from_each_arrays_own_batch_axis() -> None:
    given: dict[str, NDArray[np.generic]] = {
        "ids": np.arange(12).reshape(3, 4),
        "state": np.arange(18.0).reshape(2, 3, 3),
        "limit": np.array(0.5),
    }
    [ids, state, limit], _ = user_inputs.samples(given, model(IDS, STATE, LIMIT))
    assert (ids.dtype.name, ids.shape, state.shape) == ("int32", (3, 4), (3, 2, 3))
    assert np.array_equal(state[1], given["state"][:, 1])
    assert np.array_equal(limit, np.full(3, 0.5, np.float32))


def test_only_the_first_eight_samples_are_taken() -> None:
    [ids], given = user_inputs.samples({"ids": np.arange(400).reshape(100, 4)}, model(IDS))
    assert given == 100
    assert np.array_equal(ids, np.arange(32).reshape(8, 4))


@pytest.mark.parametrize(("shape", "count"), [((2, 4), 1), ((5, 2, 4), 5)])
def test_without_a_batch_axis_samples_may_lie_along_one_more(shape: tuple[int, ...], count: int) -> None:
    fixed = TensorSpec(name="x", dtype="float32", shape=(2, 4))
    [x], _ = user_inputs.samples({"x": np.ones(shape)}, model(fixed, fixed_batch=2))
    assert x.shape == (count, 2, 4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ids": np.ones((3, 4), int)}, "lack state"),
        ({"ids": np.ones((3, 5), int), "state": np.ones((2, 3, 3))}, r"for input ids is \[3, 5\], not Nx4"),
        ({"ids": np.ones((3, 4)), "state": np.ones((2, 3, 3))}, "for input ids is float64, not int32"),
        ({"ids": np.ones((3, 4), int), "state": np.ones((2, 2, 3))}, "differ in their number of samples"),
        ({"ids": np.ones((0, 4), int), "state": np.ones((2, 0, 3))}, "hold no sample"),
    ],
)
def test_inputs_that_do_not_fit_say_why(given: dict[str, NDArray[np.generic]], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        user_inputs.samples(given, model(IDS, STATE))


def test_what_is_no_npz_of_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    for content in (b"", b"no archive at all", b"PK\x05\x06"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"data\.npz"):
            user_inputs.read(path)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ModelError, match="one array without a name"):
        user_inputs.read(tmp_path / "one.npy")
    np.savez(path, text=np.array(["words"]))
    with pytest.raises(ModelError, match="'text' holds no numbers"):
        user_inputs.read(path)
    np.savez(path, anything=np.array([{}], object))
    with pytest.raises(ModelError, match="cannot be read as inputs"):
        user_inputs.read(path)
