"""What a race shows while it runs and when it ends: shared by `run` and `resume`.

Nothing is drawn, and no thread of ours wakes, while a worker measures: the live view refreshes only when it is told
something, which is always between two turns.
"""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import Self

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bakeoff.cli.engines import progress
from bakeoff.environments import Report
from bakeoff.errors import ExitCode
from bakeoff.judge.summary import summarise
from bakeoff.judge.verdict import judge
from bakeoff.race.race import Outcome
from bakeoff.records import RunRecord, Status, Trial
from bakeoff.report.terminal import results

BAD = {Status.WRONG, Status.FAILED, Status.TIMED_OUT}


class PlainView:
    """Lines on stderr, for logs and pipes: one per batch size done, not one per turn."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.interrupted = False
        self._stage = ""
        self._done: tuple[int, str, int, bool] | None = None

    def installing(self) -> AbstractContextManager[Report]:
        """Who hears how installations go."""
        return progress()

    def say(self, what: str) -> None:
        """Print what happens next when the stage has changed: the heat, not each turn in it."""
        self.heed_interrupt()
        stage = what.partition(": ")[0]
        if stage != self._stage:
            self._stage = stage
            self.console.print(Text(stage))

    def heed_interrupt(self) -> None:
        """Raise the interrupt again: Python drops what a signal raises inside a finalizer, with a line on stderr."""
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt

    def note(self, what: str) -> None:
        """A line worth keeping."""
        self.console.print(Text(what))

    def started(self, run: RunRecord, trials: Sequence[Trial]) -> None:
        """The race begins, or goes on."""
        plan = run.plan
        stored = f", {len(trials)} trials already stored" if trials else ""
        self.note(
            f"run {run.name}: {len(plan.engines)} engines, {', '.join(plan.models)}, batch "
            f"{', '.join(map(str, plan.batch_sizes))}, {plan.threads} threads, {in_minutes(plan.budget_s)}{stored}"
        )

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """One line per batch size of a heat."""
        del run
        done = [(t.round, t.case.model, t.case.batch_size, t.repeat) for t in trials if t.round and not t.profile]
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
            self.console.print(Text(what))

    def heat_done(self, run: RunRecord, trials: Sequence[Trial], left_s: float) -> None:
        """The table has more in it: made here once, since every turn draws it again."""
        rows = summarise(run, trials)
        self._table = results(run, rows, self.console.width, judge(run, rows, trials))
        self._draw(f"{in_minutes(left_s)} left")

    def _draw(self, what: str) -> None:
        self._live.update(Group(self._table, Text(what, style="dim")), refresh=True)


def in_minutes(seconds: float) -> str:
    """``4.5 min``."""
    return f"{seconds / 60:.1f} min"


@contextmanager
def watching() -> Iterator[PlainView]:
    """The view that fits where stderr goes; SIGTERM ends a race as Ctrl-C does."""
    console = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        view = stack.enter_context(LiveView(console)) if console.is_terminal else PlainView(console)

        def interrupt(_signal: int, _frame: FrameType | None) -> None:
            view.interrupted = True
            raise KeyboardInterrupt

        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, interrupt))
        yield view


def report_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Print the table, or the JSON, to stdout, say where everything lies, and exit with the run's code."""
    run = outcome.run
    if as_json:
        from bakeoff.report.json_file import to_json

        click.echo(to_json(run, outcome.summaries, outcome.canary))
    else:
        from bakeoff.cli.screen import table_text

        click.echo(table_text(run, outcome.summaries, outcome.verdicts, outcome.remarks))
        click.echo(f"run {run.name}, {run.state}: everything is in {outcome.folder}")
    leave(outcome)


def leave(outcome: Outcome) -> None:
    """Say what stands in the way of a full table, and exit with the run's code."""
    if outcome.run.state == "interrupted":
        click.echo(f"interrupted; `bakeoff resume {outcome.run.name}` goes on from here", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    if outcome.unsaved:
        click.echo(f"{outcome.unsaved} trials could not be stored: what stands above is all there is of them", err=True)
    bad = outcome.unsaved or any(row.status in BAD for row in outcome.summaries)
    sys.exit(ExitCode.SOME_ROWS_BAD if bad else ExitCode.OK)
