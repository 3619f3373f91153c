import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.judge.figures.rates import RESOLUTION, confirmed, highest_rate, splits

pytestmark = pytest.mark.unit


class Server:
    """Holds every rate up to `limit`, and remembers what it was asked."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.asked: list[float] = []

    def holds(self, rate: float) -> bool:
        self.asked.append(rate)
        return rate <= self.limit


@pytest.mark.parametrize(
    ("threads", "ways"),
    [(1, [(1, 1)]), (2, [(1, 2), (2, 1)]), (6, [(1, 6), (2, 3), (3, 2), (6, 1)]), (7, [(1, 7), (7, 1)])],
)
def test_threads_are_shared_out_evenly_in_every_way(threads: int, ways: list[tuple[int, int]]) -> None:
    assert splits(threads) == ways


@given(st.floats(1.0, 100.0), st.floats(0.01, 500.0))
def test_the_search_ends_just_below_the_limit_wherever_it_begins(limit: float, guess: float) -> None:
    server = Server(limit)
    found = highest_rate(server.holds, guess, floor=1.0, ceiling=100.0)
    assert found is not None
    assert limit / RESOLUTION <= found <= limit or found == 100.0
    assert found in server.asked
    assert len(server.asked) < 30


def test_a_good_guess_is_a_short_search() -> None:
    server = Server(50.0)
    assert highest_rate(server.holds, 49.0, floor=1.0, ceiling=100.0, step=1.1) == pytest.approx(50.0, rel=0.03)
    assert len(server.asked) <= 4


def test_no_rate_is_found_where_not_even_the_lowest_holds() -> None:
    server = Server(0.5)
    assert highest_rate(server.holds, 10.0, floor=1.0, ceiling=100.0) is None
    assert server.asked[-1] == 1.0


def test_whatever_holds_at_the_ceiling_is_not_driven_beyond_it() -> None:
    server = Server(1e9)
    assert highest_rate(server.holds, 10.0, floor=1.0, ceiling=100.0) == 100.0
    assert max(server.asked) == 100.0


def test_a_rate_that_a_longer_run_does_not_confirm_gives_way_to_lower_ones() -> None:
    server = Server(47.0)
    assert confirmed(server.holds, 50.0, tries=6) == pytest.approx(50 / RESOLUTION**3)
    assert confirmed(server.holds, 46.0, tries=6) == 46.0
    assert confirmed(server.holds, 100.0, tries=6) is None
