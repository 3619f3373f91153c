"""What a race shows while it runs: lines in a log, the table so far on a terminal and in a notebook.

Nothing is drawn, and no thread of ours wakes, while a worker measures: the live view refreshes only when it is told
something, which is always between two turns.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib.util import find_spec
from types import FrameType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bakeoff.environments import Report
from bakeoff.interrupts import handled_by
from bakeoff.judge.results import Results
from bakeoff.printable import unescaped_stderr, visible
from bakeoff.records import RunRecord, Status, Trial
from bakeoff.report.terminal import to_text
from bakeoff.views.installing import LineReport, progress


class PlainView:
    """Lines on stderr, for logs and pipes: one per batch size done, not one per turn."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.interrupted = False
        self._stage = ""
        self._done: tuple[int, str, int, bool] | None = None

    def installing(self) -> AbstractContextManager[Report]:
        """The view of installations."""
        return progress()

    def say(self, what: str) -> None:
        """Print what happens next when the stage has changed: the heat, not each turn in it."""
        self.heed_interrupt()
        stage = what.partition(": ")[0]
        if stage != self._stage:
            self._stage = stage
            self.console.print(Text(visible(stage)))

    def heed_interrupt(self) -> None:
        """Raise the interrupt again: Python drops what a signal raises inside a finalizer, with a line on stderr."""
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt

    def note(self, what: str) -> None:
        """A line worth keeping."""
        self.console.print(Text(visible(what)))

    def started(self, run: RunRecord, trials: Sequence[Trial]) -> None:
        """The race begins, or goes on."""
        plan = run.plan
        stored = f", {len(trials)} trials already stored" if trials else ""
        self.note(
            f"run {run.name}: {len(plan.names)} engines, {', '.join(plan.models)}, batch "
            f"{', '.join(map(str, plan.batch_sizes))}, {plan.threads} threads, {in_minutes(plan.budget_s)}{stored}"
        )

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """One line per batch size of a heat."""
        del run
        raced = (t for t in trials if t.round and not t.profile and t.status is not Status.NOT_RUN)
        done = [(t.round, t.case.model, t.case.batch_size, t.repeat) for t in raced]
        if done and done[-1] != self._done:
            self._done = done[-1]
            round_, model, batch_size, repeat = done[-1]
            again = "measured again, since others disturbed it," if repeat else "measured"
            self.note(f"  {model}, batch {batch_size}: {again} in round {round_}, {in_minutes(left_s)} left")


class LiveView(PlainView):
    """The table so far and what happens now, on a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._table: RenderableType = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def started(self, run: RunRecord, trials: Sequence[Trial]) -> None:
        """The race begins, or goes on: from here on the view is live."""
        super().started(run, trials)
        self._live.start()

    def say(self, what: str) -> None:
        """Show what happens next."""
        self.heed_interrupt()
        if self._live.is_started:
            self._draw(what)
        else:
            self.console.print(Text(visible(what)))

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """The table has more in it: made here once, since every turn draws it again."""
        table = to_text(Results(run, trials), width=self.console.width, color=True)
        self._table = Text.from_ansi(visible(table, colours=True))
        self._draw(f"{in_minutes(left_s)} left")

    def _draw(self, what: str) -> None:
        self._live.update(Group(self._table, Text(visible(what), style="dim")), refresh=True)


def in_minutes(seconds: float) -> str:
    """``4.5 min``."""
    return f"{seconds / 60:.1f} min"


class NotebookView(LiveView):
    """The table so far beneath a notebook's cell: drawn anew once for each batch size, since a browser draws slowly."""

    def say(self, what: str) -> None:
        """Nothing but the heat's beginning is worth a browser's work."""
        stage = what.partition(": ")[0]
        if stage == self._stage:
            self.heed_interrupt()
            return
        self._stage = stage
        super().say(stage)


class Silence:
    """Shows nothing."""

    def installing(self) -> AbstractContextManager[Report]:
        """Installations go unseen as well."""
        return nullcontext(LineReport(lambda _line: None))

    def say(self, what: str) -> None:
        """Not shown."""

    def note(self, what: str) -> None:
        """Not shown: what matters later stands in the run's cautions."""

    def started(self, run: RunRecord, trials: Sequence[Trial]) -> None:
        """Not shown."""

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """Not shown."""


def view_on(console: Console) -> PlainView:
    """The view that suits a terminal, a notebook with ipywidgets, or a log, which only takes lines."""
    if console.is_jupyter:
        return NotebookView(console) if find_spec("ipywidgets") else PlainView(console)
    return LiveView(console) if console.is_terminal else PlainView(console)


@contextmanager
def watching() -> Iterator[PlainView]:
    """The view that fits where stderr goes; it knows of signals that end the race, where a thread may ask for them."""
    view = view_on(Console(file=unescaped_stderr(), highlight=False))
    with ExitStack() as stack:
        if isinstance(view, LiveView):
            stack.enter_context(view)

        def interrupt(_signal: int, _frame: FrameType | None) -> None:
            view.interrupted = True
            raise KeyboardInterrupt

        if threading.current_thread() is threading.main_thread():
            stack.enter_context(handled_by(interrupt))
        yield view
