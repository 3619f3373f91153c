"""What each second of one real race went into: runs `bakeoff` as typed, and draws docs/timeline.svg.

    .venv/bin/python -m benchmarks.timeline run
    .venv/bin/python -m benchmarks.timeline run resnet18 --quick

Every request to a worker is noted with when it began and ended; what lies between requests is the controller's. A turn
is divided into its timed calls and the rest. Printed is a Markdown table of the seconds by what they went into, from
when the budget began to when the race ended. The picture has a line for each minute.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from docs.make_picture import on_paper

from bakeoff.__main__ import main as bakeoff
from bakeoff.race import budget
from bakeoff.race.heats import profile
from bakeoff.race.host import Host
from bakeoff.report.page.charts import INK, SERIES
from bakeoff.report.page.sections import draw
from bakeoff.worker.replies import Burst
from bakeoff.worker.session import WorkerSession

TARGET = Path(__file__).parents[1] / "docs" / "timeline.svg"
TIMED, UNTIMED, PROFILES = "timed calls", "the untimed call of a turn", "profiles"
OF = {
    "hello": "starting, importing",
    "load": "loading",
    "prepare": "loading",
    "outputs": "checked calls",
    "warm_up": "warming up",
    "close": "ending",
}
CONTROLLER = "between requests"
CELL_S = 2.0
"""divides a minute"""

T = TypeVar("T")


@dataclass(frozen=True)
class Stretch:
    """Some seconds that went into one thing."""

    what: str
    begin: float
    end: float


STRETCHES: list[Stretch] = []
BEGAN: list[float] = []


class Traced(WorkerSession):
    """A worker that notes what it was asked, and when."""

    def call(self, op: str, reply: type[T], *, timeout_s: float | None = None, **arguments: Any) -> T:
        """As `WorkerSession.call`."""
        begin = time.monotonic()
        try:
            found = super().call(op, reply, timeout_s=timeout_s, **arguments)
        finally:
            end = time.monotonic()
            if op != "measure":
                STRETCHES.append(Stretch(OF.get(op, op), begin, end))
        if isinstance(found, Burst):
            timed = end - found.outputs_seconds - found.seconds
            STRETCHES.extend([Stretch(UNTIMED, begin, timed), Stretch(TIMED, timed, end)])
        return found


def noted(function: Callable[..., Iterable[T]]) -> Callable[..., Iterator[T]]:
    """`function`, a generator, with all that happens while it runs noted as profiles."""

    @functools.wraps(function)
    def run(*arguments: Any) -> Iterator[T]:
        before = len(STRETCHES)
        yield from function(*arguments)
        STRETCHES[before:] = [Stretch(PROFILES, each.begin, each.end) for each in STRETCHES[before:]]

    return run


def traced() -> None:
    """From now on, note what races do."""

    class Noted(budget.Budget):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            BEGAN.append(time.monotonic())

    def start_worker(_self: Host, *arguments: Any) -> WorkerSession:
        begin = time.monotonic()
        session = Traced(*arguments)
        STRETCHES.append(Stretch(OF["hello"], begin, time.monotonic()))
        return session

    Host.start_worker = start_worker  # type: ignore[method-assign, assignment]
    profile.run_profiles = noted(profile.run_profiles)  # type: ignore[assignment]
    budget.Budget = Noted  # type: ignore[misc]


def whole(stretches: Iterable[Stretch], begin: float, end: float) -> list[Stretch]:
    """The stretches in order from 0, with what lies between them."""
    found, now = [], begin
    for each in sorted(stretches, key=lambda each: each.begin):
        if each.begin > now:
            found.append(Stretch(CONTROLLER, now - begin, each.begin - begin))
        found.append(Stretch(each.what, max(each.begin, now) - begin, each.end - begin))
        now = max(now, each.end)
    return [*found, Stretch(CONTROLLER, now - begin, end - begin)]


def by_minute(stretches: Iterable[Stretch], order: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The bars to draw: what `CELL_S` seconds went into, put together in `order`, since turns alternate too fast."""
    cells: dict[int, dict[str, float]] = {}
    for each in stretches:
        begin = each.begin
        while begin < each.end:
            cell = int(begin / CELL_S + 1e-9)
            end = min(each.end, CELL_S * (cell + 1))
            spent = cells.setdefault(cell, {})
            spent[each.what] = spent.get(each.what, 0.0) + end - begin
            begin = end
    for cell, spent in cells.items():
        minute, second = divmod(cell * CELL_S, 60)
        for what in sorted(spent, key=order.index):
            end = second + spent[what]
            yield {"what": what, "minute": int(minute) + 1, "from": round(second, 2), "to": round(end, 2)}
            second = end


def table(stretches: Iterable[Stretch]) -> dict[str, float]:
    """Seconds by what they went into, most first."""
    total: dict[str, float] = {}
    for each in stretches:
        total[each.what] = total.get(each.what, 0.0) + each.end - each.begin
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def specification(stretches: Iterable[Stretch], order: list[str]) -> dict[str, Any]:
    """A line for each minute, coloured by what its seconds went into."""
    colours = [*SERIES, "var(--ink)", "var(--ink-3)", "var(--rule-2)"]
    return {
        "width": 720,
        "height": {"step": 18},
        "data": {"values": list(by_minute(stretches, order))},
        "mark": {"type": "bar", "height": 14},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "title": "second", "scale": {"domain": [0, 60]}},
            "x2": {"field": "to"},
            "y": {"field": "minute", "type": "ordinal", "title": "minute", "axis": {"labelColor": INK}},
            "color": {
                "field": "what",
                "type": "nominal",
                "title": None,
                "scale": {"domain": order, "range": colours[: len(order)]},
                "legend": {"orient": "bottom", "columns": 5},
            },
        },
    }


def main() -> None:
    """Run `bakeoff`, then print and draw."""
    traced()
    try:
        bakeoff()
    finally:
        if BEGAN:
            stretches = whole(STRETCHES, BEGAN[0], time.monotonic())
            seconds = table(stretches)
            print("\n| what | seconds | share |\n| --- | ---: | ---: |")
            for what, spent in seconds.items():
                print(f"| {what} | {spent:.0f} | {spent / sum(seconds.values()):.0%} |")
            drawn = draw(specification(stretches, list(seconds)), "timeline")
            TARGET.write_text(on_paper(str(drawn)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
