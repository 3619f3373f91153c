import numpy as np
import pytest

from bakeoff.errors import ModelError
from bakeoff.race.ready.arbitration import middle

pytestmark = pytest.mark.unit


def test_the_middle_is_one_of_the_answers_number_by_number() -> None:
    found = {"a": [np.array([1.0, 5.0])], "b": [np.array([2.0, 4.0])], "c": [np.array([9.0, 9.0])]}
    assert np.array_equal(middle(found)[0], [2.0, 5.0])
    del found["c"]
    assert np.array_equal(middle(found)[0], [1.0, 4.0])
    integers = {"a": [np.array([1, 2])], "b": [np.array([2, 2])]}
    assert middle(integers)[0].dtype.kind == "i"


def test_answers_of_different_shapes_have_no_middle() -> None:
    with pytest.raises(ModelError, match="a, b answer in different shapes"):
        middle({"a": [np.ones(3)], "b": [np.ones(4)]})
