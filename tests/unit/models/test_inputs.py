import hashlib
from pathlib import Path

import numpy as np
import pytest

from bakeoff.models.inputs import draw, input_sets

pytestmark = pytest.mark.unit


def test_the_inputs_are_the_same_bytes_everywhere() -> None:
    digest = hashlib.sha256(draw("float32", (3, 32, 32), seed=0, count=2).tobytes()).hexdigest()
    assert digest == "171c52781b6067208c43c456565f56e83daee333a35808ddd0bb8245fdd9dec4"


def test_images_are_contiguous_float32_of_order_one() -> None:
    images = draw("float32", (3, 224, 224), seed=1, count=3)
    assert images.dtype == np.float32
    assert images.flags.c_contiguous
    assert 0.5 < images.std() < 2
    assert np.abs(images).max() < 4


def test_a_sample_depends_on_its_number_and_not_on_how_many_there_are() -> None:
    assert np.array_equal(draw("float32", (3, 8, 8), 5, 4)[2:], draw("float32", (3, 8, 8), 5, 2, first=2))


def test_seeds_and_samples_differ() -> None:
    a, b = draw("float32", (3, 8, 8), 0, 1), draw("float32", (3, 8, 8), 1, 1)
    assert not np.array_equal(a, b)
    pair = draw("float32", (3, 8, 8), 0, 2)
    assert not np.array_equal(pair[0], pair[1])


def test_integer_inputs_stay_in_a_range_that_any_vocabulary_has() -> None:
    tokens = draw("int64", (128,), seed=0, count=4)
    assert tokens.dtype == np.int64
    assert tokens.min() >= 0
    assert tokens.max() < 100
    assert len(np.unique(tokens)) > 20


def test_booleans_are_drawn_and_texts_are_refused() -> None:
    assert set(np.unique(draw("bool", (64,), 0, 1))) == {False, True}
    with pytest.raises(TypeError, match="no inputs of dtype"):
        draw("str", (4,), 0, 1)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 20])
def test_input_sets_differ_and_every_row_is_a_known_sample(tmp_path: Path, batch_size: int) -> None:
    samples = draw("float32", (3, 4, 4), 0, 8)
    np.save(tmp_path / "0.npy", samples)
    sets = list(input_sets([tmp_path / "0.npy"], batch_size, 3))
    assert len(sets) == 3
    for [array], rows in sets:
        assert array.shape == (batch_size, 3, 4, 4)
        assert array.flags.c_contiguous
        assert np.array_equal(array, samples[rows])
    first_rows = [rows for _, rows in sets]
    assert all(len({rows[j] for rows in first_rows}) == 3 for j in range(batch_size))


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8])
def test_every_sample_is_in_some_set_where_the_sets_have_rows_enough(
    tmp_path: Path, count: int, batch_size: int
) -> None:
    np.save(tmp_path / "0.npy", np.arange(count))
    enough = max(4, -(-count // batch_size))
    rows = [rows for _, rows in input_sets([tmp_path / "0.npy"], batch_size, enough)]
    assert {row for each in rows for row in each} == set(range(count))
    assert len({each[0] for each in rows}) == min(count, enough)


def test_a_single_number_keeps_its_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "rate.npy", draw("float32", (), seed=0, count=4))
    [(arrays, _)] = input_sets([tmp_path / "rate.npy"], 1, 1, [None])
    assert [array.shape for array in arrays] == [()]
