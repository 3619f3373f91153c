"""How uv is found and called."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bakeoff.environments import uv_program

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    uv_program._find.cache_clear()
    yield
    uv_program._find.cache_clear()


def test_uv_is_looked_for_once_however_many_threads_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = threading.Lock()
    searches: list[str] = []

    def find_uv_bin() -> str:
        """As sysconfig's first use is: not to be entered twice at a time."""
        if not inside.acquire(blocking=False):
            raise TypeError('can only concatenate str (not "NoneType") to str')
        time.sleep(0.05)
        searches.append("uv")
        inside.release()
        return "/found/uv"

    monkeypatch.setattr("uv.find_uv_bin", find_uv_bin)
    start = threading.Barrier(4)

    def ask(_: int) -> str:
        start.wait()
        return uv_program.path()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == ["/found/uv"] * 4
    assert searches == ["uv"]
