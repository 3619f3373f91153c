import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.records import UNCALIBRATED
from bakeoff.store.rows import _models, machine_record, pack_samples, unpack_samples

pytestmark = pytest.mark.unit

seconds = st.lists(st.floats(allow_nan=False), max_size=6).map(tuple)


@given(warm_up=seconds, bursts=st.lists(seconds, max_size=5).map(tuple))
def test_samples_come_back_to_the_last_bit_burst_by_burst(
    warm_up: tuple[float, ...], bursts: tuple[tuple[float, ...], ...]
) -> None:
    assert unpack_samples(pack_samples(warm_up, bursts)) == (warm_up, bursts)


def test_samples_take_eight_bytes_a_latency() -> None:
    assert len(pack_samples((), ((math.pi,) * 12,))) <= 12 * 8 + 5


def test_a_model_stored_before_there_was_calibration_has_the_fixed_tolerance() -> None:
    [model] = _models.decode('[{"name": "m", "digest": "d", "weights": "seeded", "inputs": [], "outputs": []}]')
    assert model.tolerances == UNCALIBRATED
    assert not model.tolerances.rounding


def test_rows_from_before_the_audit_are_read() -> None:
    assert machine_record('{"cpu":"a processor"}') == ({"cpu": "a processor"}, ())
