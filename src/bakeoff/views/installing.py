"""What an installation shows: lines in a log, live on a terminal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bakeoff.environments import Report
from bakeoff.printable import unescaped_stderr, visible
from bakeoff.records import EnvironmentSpec, Installed

LARGE_DOWNLOAD_MB = 500
"""From this size on, a download is announced with its size before it begins."""


@contextmanager
def progress() -> Iterator[Report]:
    """Show an installation as it goes, on stderr: live on a terminal, else as plain lines."""
    console = Console(file=unescaped_stderr(), highlight=False)
    if not console.is_terminal:
        yield LineReport(lambda line: click.echo(line, err=True))
        return
    with LiveReport(console) as report:
        yield report


class LineReport:
    """Progress as plain lines, for logs and CI."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._one_at_a_time = threading.Lock()

    def _say(self, line: str) -> None:
        with self._one_at_a_time:
            self._write(visible(line))

    def started(self, spec: EnvironmentSpec) -> None:
        """Say that `spec` is being built, with the size of a large download."""
        self._say(f"installing {spec.name}{download_size(spec)}")

    def note(self, text: str) -> None:
        """Say `text`."""
        self._say(f"note: {text}")

    def finished(self, installed: Installed, seconds: float) -> None:
        """Say that it stands."""
        self._say(f"installed {installed.name} in {seconds:.0f} s, {installed.size_mb:,.0f} MB")

    def failed(self, name: str, reason: str) -> None:
        """Say why it cannot be had."""
        self._say(f"not available: {name}: {reason}")


class LiveReport(LineReport):
    """Progress on a terminal: a spinner and a clock for each build under way, a line for what is over."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
        )
        self._tasks: dict[str, Any] = {}
        super().__init__(lambda line: self._progress.console.print(line, markup=False))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, spec: EnvironmentSpec) -> None:
        """Show a spinner."""
        self._tasks[spec.name] = self._progress.add_task(f"installing {spec.name}{download_size(spec)}", total=None)

    def finished(self, installed: Installed, seconds: float) -> None:
        """Turn the spinner into a line."""
        self._drop(installed.name)
        super().finished(installed, seconds)

    def failed(self, name: str, reason: str) -> None:
        """Turn the spinner, if there was one yet, into a line."""
        self._drop(name)
        super().failed(name, reason)

    def _drop(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)


def download_size(spec: EnvironmentSpec) -> str:
    """What to add to a line about `spec`: the size of its download where that is a lot, else nothing."""
    return f", a download of {spec.download_mb:,} MB" if spec.download_mb > LARGE_DOWNLOAD_MB else ""
