"""Whole races on a virtual host, held against what they were made from; the unit tests have the host itself."""

from pathlib import Path

import pytest
from benchmarks.deciding import GAPS, a_plan, least_minutes, race, seen
from benchmarks.virtual_host import machines

pytestmark = pytest.mark.simulation

MACHINE = machines()["quiet"]


def test_what_is_decided_is_right_and_caffe2_is_decided_first(tmp_path: Path) -> None:
    figures = seen(MACHINE, race(MACHINE, a_plan(MACHINE, 900.0, 3), tmp_path))
    assert not any(figures.wrong.values())
    assert figures.decided[15, 0.02] > 20
    assert figures.decided[2, 0.02] <= figures.decided[15, 0.02]
    assert figures.gaps_s[0.25] <= figures.gaps_s[0.15] <= figures.gaps_s[0.10]
    for gap, seconds in figures.gaps_s.items():
        assert 0 < 60 * least_minutes(MACHINE, gap) < seconds


def test_a_noisier_machine_needs_more_and_a_narrower_gap_no_less() -> None:
    quiet, noisy = ([least_minutes(machines()[name], gap) for gap in GAPS] for name in ("quiet", "noisy"))
    assert all(more > less for more, less in zip(noisy, quiet, strict=True))
    assert quiet == sorted(quiet, reverse=True)
