"""What a race shows, and where."""

import io
import signal
import threading
from pathlib import Path

import pytest
from rich.console import Console
from tests.unit.stored_runs import keep

import bakeoff
from bakeoff.api import Run
from bakeoff.views import racing
from bakeoff.views.racing import LiveView, NotebookView, PlainView, view_on, watching

pytestmark = pytest.mark.unit


@pytest.fixture
def stored(tmp_path: Path) -> Run:
    keep(tmp_path / "out", "2026-11-23-1", 10.0, "tag")
    return bakeoff.stored(output=tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "widgets", "view"),
    [
        ({"force_terminal": True}, True, LiveView),
        ({"force_terminal": False}, True, PlainView),
        ({"force_jupyter": True}, True, NotebookView),
        ({"force_jupyter": True}, False, PlainView),
    ],
)
def test_each_place_gets_the_view_that_it_can_show(
    settings: dict[str, bool], widgets: bool, view: type[PlainView], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racing, "find_spec", lambda _: object() if widgets else None)
    assert type(view_on(Console(file=io.StringIO(), **settings))) is view  # type: ignore[arg-type]


def test_a_notebook_is_drawn_once_for_each_heat_and_batch_size_not_for_each_turn(
    stored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = NotebookView(Console(file=io.StringIO(), force_terminal=True, width=100))
    drawn: list[str] = []
    monkeypatch.setattr(view, "_draw", drawn.append)
    with view:
        view.started(stored.record, ())
        for turn in range(5):
            view.say(f"round 1, tiny: turn {turn}")
        view.heat_done(stored.record, stored.trials, 60.0)
        view.say("round 2, tiny: turn 0")
    assert drawn == ["round 1, tiny", "1.0 min left", "round 2, tiny"]


def test_an_interrupt_that_python_dropped_is_raised_at_the_next_turn_in_every_view() -> None:
    for view in (PlainView(Console(file=io.StringIO())), NotebookView(Console(file=io.StringIO()))):
        view.say("round 1, tiny: turn 0")
        view.interrupted = True
        with pytest.raises(KeyboardInterrupt):
            view.say("round 1, tiny: turn 1")


def test_a_race_leaves_signals_as_they_were_and_alone_outside_the_main_thread() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with watching():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before

    views: list[PlainView] = []

    def watch() -> None:
        with watching() as view:
            views.append(view)

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert views
